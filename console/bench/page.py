"""docs/benchmarks.md: the last recorded run of each benchmark, drawn from docs/benchmarks.json beside it.

The record holds, by benchmark, the figures with the machine and the day; and those that were kept as
`before`, so that what an improvement brought stays to be read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from console.bench.compare import Key, key_of, table
from console.bench.figure import Figure, number
from console.bench.machine import machine_line
from console.bench.registry import BENCHMARKS, load
from console.bench.runner import Outcome
from console.errors import ConsoleError

NAME = "benchmarks"

_HEAD = """\
# Benchmarks

Made by `mma bench --record docs`; do not edit. `mma bench --list` tells what there is, `mma bench NAME` runs
one, `--small` in seconds. Counted figures (bytes, instructions) are the same on every machine; times are of
the machine named with them. `before` is what was measured before the work on that figure.
"""


def record(folder: Path, outcomes: Sequence[Outcome], *, as_before: bool = False) -> Path:
    """Put a run's results into the record and draw the page anew; its path. ConsoleError if that can't be.

    Benchmarks that failed leave the record as it was. `as_before` keeps the figures as those to compare with.
    """
    kept = _read(folder)
    machine, day = machine_line(), time.strftime("%Y-%m-%d")
    for outcome in outcomes:
        if outcome.failure:
            continue
        entry: dict[str, Any] = kept.setdefault(outcome.benchmark.name, {})
        found = [figure.as_json() for figure in outcome.figures]
        if as_before:
            entry["before"] = found
        else:
            entry.update(machine=machine, day=day, notes=outcome.notes, figures=found)
    path = folder / f"{NAME}.md"
    try:
        (folder / f"{NAME}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        path.write_text(draw(kept), encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConsoleError(f"The record in {folder} cannot be written: {reason}.") from error
    return path


def draw(kept: Mapping[str, Mapping[str, Any]]) -> str:
    """The page of a record."""
    lines = [_HEAD]
    for name in BENCHMARKS:
        if "figures" in kept.get(name, {}):
            lines += _chapter(name, kept[name])
    return "\n".join(lines).rstrip() + "\n"


def _chapter(name: str, entry: Mapping[str, Any]) -> list[str]:
    benchmark = load(name)
    figures = [Figure.from_json(one) for one in entry["figures"]]
    before = {key_of(one): one for one in map(Figure.from_json, entry.get("before", ()))}
    lines = [f"## {name}", "", benchmark.summary, "", benchmark.text, ""]
    lines += [f"{entry['day']}, {entry['machine']}.", ""]
    head = ["figure", "value", "unit", "goal", *(["before"] if before else [])]
    lines += table(head, [_row(figure, before) for figure in figures])
    lines += ["", *entry.get("notes", ())]
    return [*lines, ""]


def _row(figure: Figure, before: Mapping[Key, Figure]) -> list[str]:
    sign = "≤" if figure.better == "lower" else "≥"
    goal = (
        f"{sign} {number(figure.goal)}{'' if figure.met else ', missed'}" if figure.goal is not None else ""
    )
    row = [figure.metric, number(figure.value), figure.unit, goal]
    if before:
        earlier = before.get(key_of(figure))
        row.append("" if earlier is None else number(earlier.value))
    return row


def _read(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / f"{NAME}.json"
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConsoleError(f"{path} is no record of benchmarks: {error}.") from error
    if not isinstance(found, dict):
        raise ConsoleError(f"{path} is no record of benchmarks.")
    return found
