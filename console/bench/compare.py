"""A run beside an earlier one, as Markdown for a pull request: what changed, and how far the goals are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from console.bench.figure import Figure, number
from console.errors import UsageError

Key = tuple[str, str]

NOISE = 0.15
"""Parts by which a time may differ from run to run without meaning anything."""


def key_of(figure: Figure) -> Key:
    """What a figure is found again by."""
    return figure.bench, figure.metric


def read_base(path: Path) -> dict[Key, Figure]:
    """The figures of a file that `mma bench --json` wrote. UsageError if it is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        figures = [Figure.from_json(json.loads(line)) for line in lines if line.startswith("{")]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    except (ValueError, KeyError, TypeError):
        figures = []
    if not figures:
        raise UsageError(f"{path} holds no figures.", remedy="Make it with: mma bench --json > BASE.json")
    return {key_of(figure): figure for figure in figures}


def change(before: Figure, after: Figure) -> float:
    """In parts of the earlier value; 0 if that was 0."""
    return (after.value - before.value) / abs(before.value) if before.value else 0.0


def differs(before: Figure, after: Figure) -> bool:
    """More than noise. Steady figures have none."""
    limit = 0.0005 if after.steady else NOISE
    return before.value != after.value and (abs(change(before, after)) > limit or not before.value)


def change_text(before: Figure, after: Figure) -> str:
    """`was 1.2 (-5.0 %)`, or `as before`."""
    if not differs(before, after):
        return "as before"
    return f"was {number(before.value)} ({_percent(change(before, after))})"


def markdown(base: Mapping[Key, Figure], figures: Sequence[Figure]) -> str:
    """A table of what differs, with the headroom to the goals, and a line for the rest."""
    rows, same = [], 0
    missed = [figure for figure in figures if not figure.met]
    for figure in figures:
        before = base.get(key_of(figure))
        if before is None:
            rows.append((f"{figure.bench} {figure.metric}", "", _value(figure), "added", _room(figure)))
        elif differs(before, figure):
            better = (figure.value < before.value) == (figure.better == "lower")
            mark = f"{_percent(change(before, figure))} {'better' if better else 'worse'}"
            rows.append(
                (f"{figure.bench} {figure.metric}", number(before.value), _value(figure), mark, _room(figure))
            )
        else:
            same += 1
    ran = {figure.bench for figure in figures}
    gone = [key for key in base if key[0] in ran and key not in {key_of(figure) for figure in figures}]
    rows += [
        (f"{bench} {metric}", number(base[bench, metric].value), "", "gone", "") for bench, metric in gone
    ]
    lines = ["### Benchmarks", ""]
    if rows:
        lines += table(("figure", "base", "this", "change", "headroom"), rows)
    else:
        lines.append("Nothing differs.")
    lines += ["", f"{same} figures are as before (times within {NOISE:.0%}); {len(missed)} goals are missed."]
    if missed:
        lines += ["", *(f"- missed: {one.bench} {one.metric}, {_value(one)}, {_room(one)}" for one in missed)]
    return "\n".join(lines) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table; all but the first column are aligned right."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _value(figure: Figure) -> str:
    return f"{number(figure.value)} {figure.unit}".rstrip()


def _room(figure: Figure) -> str:
    """`9.1 % (2,230 bytes)` for sizes, else `4.2 %`."""
    room = figure.headroom
    if room is None or figure.goal is None:
        return ""
    text = f"{room * 100:.1f} %"
    if figure.unit != "bytes":
        return text
    return f"{text} ({number(figure.goal - figure.value)} bytes)"


def _percent(part: float) -> str:
    return f"{part * 100:+.1f} %"
