"""Cells of a list of targets on which a task is judged: room, need, verdict."""

from __future__ import annotations

from console.fit.planner import Fit
from console.look.figures import size_text
from console.look.spans import EMPTY, Line, Span, Tone, dim
from console.state.rows import LINK_MARKS, FleetRow


def label_cell(row: FleetRow) -> Line:
    """The target's name behind the mark of its link."""
    mark, tone = LINK_MARKS[row.target.link]
    return (Span(f"{mark} ", tone), Span(row.target.name))


def free_cell(row: FleetRow) -> Line:
    """What is free, of a target that has a memory of its own."""
    return (Span(size_text(row.free)),) if row.target.mem_bytes else EMPTY


def needs_cell(fit: Fit | None) -> Line:
    """What the task takes there."""
    return (Span(size_text(fit.mem)),) if fit and fit.mem else (dim("–"),)  # noqa: RUF001


def verdict_cell(fit: Fit) -> Line:
    """Whether it can run there, and why not."""
    if fit.never:
        return (Span(f"✗ {fit.never[0]}", Tone.BAD),)
    if fit.waits:
        return (Span(f"◔ {fit.waits[0]}", Tone.WARN),)
    return (Span("✓ fits", Tone.GOOD), dim(f", {size_text(fit.left)} left"))
