"""What the editor says of a file and of its newest save, as lines. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from console.edit.view import Build, Phase
from console.look.figures import counted, size_text
from console.look.spans import EMPTY, Line, Span, Tone, dim, width


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file that is open, for its line: `place` is where it lies, the cursor is counted from 1."""

    name: str
    place: str
    cursor: tuple[int, int]
    dirty: bool = False
    readonly: bool = False
    outdated: bool = False
    """It was changed on disk, and there are edits."""


def head(sheet: Sheet | None, cells: int) -> Line:
    """Name, marks, where it lies; the cursor at the right."""
    if sheet is None:
        return (dim("  enter opens a file, ^n begins an executor"),)
    spans = [Span(f"  {sheet.name}", Tone.STRONG)]
    if sheet.outdated:
        spans.append(Span("  ● unsaved, and changed on disk", Tone.BAD))
    elif sheet.dirty:
        spans.append(Span("  ● unsaved", Tone.WARN))
    if sheet.readonly:
        spans.append(Span("  read-only", Tone.WARN))
    place = Span(f"{sheet.cursor[0]}:{sheet.cursor[1]} ", Tone.DIM)
    room = cells - width(spans) - width((place,))
    where = f"  {sheet.place}"
    if room - len(where) >= 2:
        spans.append(dim(where))
        room -= len(where)
    return (*spans, Span(" " * max(1, room)), place)


def verdict(build: Build | None, cells: int) -> Line:
    """How the newest save went, with what took the time."""
    if build is None:
        return EMPTY
    took = " · ".join(f"{step.name} {step.seconds * 1000:.0f}" for step in build.steps)
    steps = dim(f"  {took} ms" if took else "")
    if build.phase in (Phase.BUILDING, Phase.DEPLOYING):
        return (Span(f"  ◐ {build.phase.value} …", Tone.WARN), steps)
    if build.failed:
        count = build.errors
        said = counted(count, "error") if count else build.message.splitlines()[0]
        rest = "  what runs was not touched · F8 goes to it" if count else ""
        return (Span(f"  ✗ {said}", Tone.BAD), dim(rest))
    size = dim(f"  {size_text(build.size)} bytes") if build.size and not build.seconds else dim("")
    if not build.seconds:
        return (Span("  ✓ ", Tone.GOOD), Span(build.message), size, steps)
    state = "TASK_RUNNING" if build.tasks else "up"
    head, more = Span(f"  ✓ {state} {build.seconds:.2f} s", Tone.GOOD), dim(" after the save")
    last = (dim("  "), Span(build.message))
    room = cells - width((head, steps))
    if room < width((more,)):
        return (head, steps)
    return (head, more, steps, *last) if room >= width((more, *last)) else (head, more, steps)
