"""Tells the licences of what comes with `pip install mesos-micro-agent`, from the packages' own metadata.

python packaging/licences.py            print the table
python packaging/licences.py --write    put it into docs/licences.md
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement

PAGE = Path(__file__).parents[1] / "docs" / "licences.md"
OURS, EXTRA = "mesos-micro-agent", "probes"
BEGIN, END = "<!-- by packaging/licences.py -->\n", "<!-- end -->\n"

SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Public Domain": "public domain",
    "Public domain": "public domain",
    "Python Software Foundation License": "PSF-2.0",
}
"""What packages say in their own words (PEP 639's License-Expression is SPDX already). BSD is the one with
three clauses in all that say no more."""
FREE = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "public domain"}
FREE |= {"Apache-2.0 WITH LLVM-exception"}
"""Those that ask for no more than their notice (MPL-2.0: and their own files' sources)."""
KNOWN = {"qemu-qmp": {"GPL-2.0-only", "LGPL-2.0-or-later"}}
"""What else there is, with its reason in docs/licences.md."""


def shipped() -> dict[str, importlib.metadata.Distribution]:
    """By name: what we need, and what that needs, here and now; ours is left out."""
    found: dict[str, importlib.metadata.Distribution] = {}
    done: set[tuple[str, Sequence[str]]] = set()

    def walk(name: str, extras: Sequence[str]) -> None:
        key = re.sub(r"[-_.]+", "-", name).lower()
        if (key, extras) in done:
            return
        done.add((key, extras))
        found[key] = importlib.metadata.distribution(name)
        for text in found[key].requires or []:
            need = Requirement(text)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                walk(need.name, tuple(need.extras))

    walk(OURS, (EXTRA,))
    del found[OURS]
    return dict(sorted(found.items()))


def licences(one: importlib.metadata.Distribution) -> tuple[str, ...]:
    """As SPDX names them, all that may apply."""
    facts = one.metadata
    if expression := facts.get("License-Expression"):
        return tuple(sorted(re.split(r" (?:AND|OR) ", expression)))
    prefix = "License :: "
    told = [line.split(" :: ")[-1] for line in facts.get_all("Classifier") or [] if line.startswith(prefix)]
    if not told and (word := (facts.get("License") or "").splitlines()):
        told = word[:1]
    return tuple(sorted({SPDX.get(word, word) for word in told}))


def strange() -> Iterator[str]:
    """What has a licence that nobody has looked at."""
    for name, one in shipped().items():
        words = set(licences(one)) - FREE - KNOWN.get(name, set())
        if words or not licences(one):
            yield f"{name}: {', '.join(sorted(words)) or 'none told'}"


def table() -> str:
    """Markdown."""
    rows = [f"| {name} | {', '.join(licences(one))} |" for name, one in shipped().items()]
    return "\n".join(["| package | licence |", "|---|---|", *rows, ""])


def page(text: str) -> str:
    """The page with the table of today in it."""
    head, _, rest = text.partition(BEGIN)
    return head + BEGIN + "\n" + table() + "\n" + END + rest.partition(END)[2]


def main() -> int:
    found = list(strange())
    for line in found:
        sys.stderr.write(f"to be looked at: {line}\n")
    if "--write" in sys.argv:
        PAGE.write_text(page(PAGE.read_text()))
    else:
        sys.stdout.write(table())
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
