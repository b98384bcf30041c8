"""A stopped target for programs and for a terminal without a screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from console.debug.view import DebugView, Spot, Value


def as_json(view: DebugView, event: str) -> dict[str, Any]:
    """One object of `mma debug --json`. Addresses are numbers."""
    return {
        "event": event,
        "target": view.target,
        "why": view.sentence,
        "at": _spot(view.spot),
        "stack": [{**_spot(one.spot), "arguments": one.arguments} for one in view.frames],
        "locals": _nested(view.variables),
        "watches": {one.name: one.text for one in view.watches if not one.depth},
        "watched": _nested(view.watches),
        "registers": {one.name: one.text for one in view.registers},
        "slots": [
            {"slot": one.number, "state": one.state, "task": one.task, "current": one.current}
            for one in view.slots
        ],
        "breakpoints": [
            {"what": one.what, "where": one.where, "hits": one.hits, "condition": one.condition}
            for one in view.breaks
        ],
        "unmodelled": [
            {"register": one.what, "access": one.verb, "count": one.count, "pc": one.pc or None}
            for one in view.unmodelled
        ],
    }


def as_lines(view: DebugView, around: int = 3) -> Iterator[str]:
    """For a person: why, the source around, the stack, the variables."""
    yield view.sentence
    if view.source is not None and view.spot.line:
        for number in range(
            max(1, view.spot.line - around), min(len(view.source.lines), view.spot.line + around) + 1
        ):
            mark = "▶" if number == view.spot.line else " "
            yield f"  {mark} {number:4} │ {view.source.lines[number - 1]}"
    for frame in view.frames:
        arguments = f"({frame.arguments})" if frame.arguments else ""
        yield f"  #{frame.level} {frame.spot.function}{arguments} at {frame.spot.where}, {frame.spot.owner}"
    for one in (*view.variables, *view.watches):
        yield f"  {'  ' * one.depth}{one.name} = {one.text} {one.detail}".rstrip()
    if view.unmodelled:
        count, kinds = sum(one.count for one in view.unmodelled), len(view.unmodelled)
        yield f"  {count:,} accesses of {kinds} kinds that the emulator does not model (--json lists them)"


def _nested(values: Sequence[Value], depth: int = 0) -> dict[str, Any]:
    """By name; what is open has `members`, made likewise."""
    found: dict[str, Any] = {}
    for place, one in enumerate(values):
        if one.depth < depth:
            break
        if one.depth > depth:
            continue
        told = {"value": one.text, "type": one.type, "detail": one.detail, "changed": one.changed}
        if one.opened:
            told |= {"members": _nested(values[place + 1 :], depth + 1)}
        found[one.name] = told
    return found


def _spot(spot: Spot) -> dict[str, Any]:
    return {
        "address": spot.address,
        "function": spot.function,
        "file": spot.path,
        "line": spot.line or None,
        "owner": spot.owner,
    }
