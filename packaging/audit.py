"""Asks whether anything in packaging/lock.txt has a known hole (pip-audit, of Python's packagers).

Exit codes: 0 nothing is known, 1 something is, 3 the advisories cannot be had here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).with_name("lock.txt")


def judge(dependencies: list[dict[str, Any]]) -> tuple[int, str]:
    """Of pip-audit's answer: the exit code, and what to say."""
    holes = [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'none'}"
        for one in dependencies
        for hole in one.get("vulns", [])
    ]
    unknown = [one["name"] for one in dependencies if "skip_reason" in one]
    asked = len(dependencies) - len(unknown)
    if holes:
        return 1, "\n".join(
            [*holes, f"{len(holes)} known holes. Raise the ranges in pyproject.toml; make lock."]
        )
    if not asked:
        return (
            3,
            "The advisories cannot be had here: nothing was checked. Run this where pypi's own JSON API is.",
        )
    rest = f" Not known there: {', '.join(unknown)}." if unknown else ""
    return 0, f"No known hole in {asked} packages.{rest}"


def main() -> int:
    words = [sys.executable, "-m", "pip_audit", "-r", str(LOCK), "--require-hashes", "--disable-pip"]
    words += ["--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        sys.stderr.write(f"The advisories cannot be had here: nothing was checked ({last}).\n")
        return 3
    status, words_ = judge(dependencies)
    sys.stdout.write(f"{words_}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
