"""The detail of a target: its memory to the byte, its executors, what it offers."""

from __future__ import annotations

from collections.abc import Sequence

from console.cluster.mesos import TaskState, format_ranges
from console.debug.words import held, held_text
from console.look.figures import (
    age_text,
    bars,
    bytes_text,
    counted,
    segments,
    share_text,
    size_text,
    sparkline,
    trip_text,
)
from console.look.spans import EMPTY, Line, Span, Tone, dim, strong
from console.pages.parts import facts, heading, text, title
from console.state.model import Executor, Link, State, Target, short_id
from console.state.rows import LINK_MARKS, grade, progress_text, task_mem
from hal.target import Items, Ranges, Resource, Scalar

_COLOURS = (Tone.ACCENT, Tone.INFO, Tone.WARN, Tone.GOOD)
"""Of the executors in a memory map, in turn."""


def target_page(state: State, name: str, now: float, cells: int) -> Sequence[Line]:
    """Everything known about one target."""
    target = state.targets.get(name)
    if target is None:
        return [(dim("It is gone."),)]
    mark, tone = LINK_MARKS[target.link]
    state_text, since = f"{mark} {target.link.value}", target.since
    if held(state.debug, name):
        state_text, tone, since = "■ held", Tone.WARN, state.debug.held_since
    age = f" {age_text(now - since)}" if since else ""
    lines: list[Line] = [title([strong(name)], [Span(state_text, tone), dim(age)], cells)]
    if target.message and target.link is not Link.UP:
        lines += [EMPTY, *text(target.message, cells, tone if target.link is Link.FAILED else Tone.TEXT)]
    if held(state.debug, name):
        lines += [EMPTY, *text(held_text(state.debug, now), cells, Tone.WARN)]
    description = target.description
    if description is None:
        return lines
    lines += _memory(state, target, cells)
    lines += _cpu(target, cells)
    lines += _link(target, cells)
    lines += heading("resources", "as its agent offers them")
    lines += facts([(resource.name, _resource(resource)) for resource in description.resources], cells)
    lines += heading("attributes")
    lines += facts(sorted(description.attributes.items()), cells)
    lines += heading("agent")
    offer = state.offer_of(name)
    agent = [
        ("id", target.agent_id or "not offered by the master yet"),
        ("open offer", f"{short_id(offer.id)}, {age_text(offer.age(now))} old" if offer else "none"),
    ]
    return lines + facts(agent, cells)


def _memory(state: State, target: Target, cells: int) -> list[Line]:
    total = target.mem_bytes
    holders: list[tuple[str, int, Executor | None]] = []
    for task in state.tasks_on(target.name):
        if task.state is not TaskState.WAITING:
            holders.append((task.id, task_mem(task), state.executors.get(task.id)))
    ours = {name for name, _, _ in holders}
    holders += [
        (one.task_id, one.held_bytes, one)
        for one in state.executors_on(target.name)
        if one.task_id not in ours
    ]
    taken = sum(size for _, size, _ in holders)
    note = f"{size_text(taken)} of {bytes_text(total)}, {size_text(max(0, total - taken))} free"
    lines = heading("memory", note)
    tones = [_COLOURS[place % len(_COLOURS)] for place in range(len(holders))]
    sized = [(size, tone) for (_, size, _), tone in zip(holders, tones, strict=True)]
    lines.append((Span("  "), *segments(sized, total, cells - 4)))
    for (name, size, one), tone in zip(holders, tones, strict=True):
        share = share_text(one.cpu[-1]) if one and one.cpu else ""
        right = [Span(size_text(size)), dim(" B"), dim(f"  {share:>4}")]
        lines.append(title([Span("  ■ ", tone), Span(name)], right, cells - 1))
        lines += _parts(one, cells)
    if not holders:
        lines.append((dim("  Nothing runs here. n launches something."),))
    return lines


def _parts(one: Executor | None, cells: int) -> list[Line]:
    if one is None:
        return []
    if one.progress is not None:
        return [(dim(f"    {progress_text(one)}"),)]
    used = one.usage
    if used is None:
        return []
    parts = [f"code {used.code_bytes:,}", _peak("stack", used.stack_peak, used.stack_bytes)]
    parts.append(_peak("memory", used.memory_peak, used.memory_bytes))
    # Broken between parts, not within one.
    words = text(" · ".join(part.replace(" ", "\u00a0") for part in parts), cells, Tone.DIM, indent=4)
    return [tuple(span._replace(text=span.text.replace("\u00a0", " ")) for span in row) for row in words]


def _peak(name: str, peak: int, size: int) -> str:
    return f"{name} {peak:,}/{size:,}"


def _cpu(target: Target, cells: int) -> list[Line]:
    if not target.cpu:
        return []
    now = target.cpu[-1]
    most = max(target.cpu)
    lines = heading("cpu", f"{share_text(now)} of a core, {share_text(most)} at most")
    return [*lines, (Span("  "), *sparkline(target.cpu, min(60, cells - 4), max(most, 0.01)))]


def _link(target: Target, cells: int) -> list[Line]:
    """What the link to a board goes through: round trip, frames, and how many of them were bad."""
    quality = target.quality
    if quality is None:
        return []
    trip = f"{trip_text(quality.round_trip)} there and back" if quality.round_trip else "no answer yet"
    lines = heading("link", trip)
    if target.trips:
        most = max(target.trips)
        lines.append((Span("  "), *sparkline(target.trips, min(60, cells - 4), max(most, 0.001))))
    frames = quality.sent + quality.received
    count, tone = grade(target)
    told = f"  {target.trouble:.1%} of the last minute's frames were bad"
    if len(told) + 6 > cells:
        told = f"  {target.trouble:.1%} of frames bad, last minute"
    bad = Span(told, tone if count < 4 else Tone.DIM)
    lines.append((Span("  "), *bars(count, tone), bad))
    pairs = [
        ("frames", f"{quality.sent:,} sent, {quality.received:,} received"),
        ("bytes", f"{quality.bytes_sent:,} sent, {quality.bytes_received:,} received"),
        ("sent again", _of(quality.again, quality.sent)),
        ("came damaged", _of(quality.damaged, frames)),
        ("not sent", f"{quality.lost:,}: there was no line" if quality.lost else ""),
        ("connected", counted(quality.connections, "time")),
    ]
    return lines + facts(pairs, cells)


def _of(part: int, whole: int) -> str:
    return f"{part:,}  ({part / whole:.2%})" if part and whole else f"{part:,}"


def _resource(resource: Resource) -> str:
    match resource:
        case Scalar("mem", value):
            return f"{value:g} MB"
        case Scalar(_, value):
            return f"{value:g}"
        case Ranges(_, ranges):
            return format_ranges(ranges)
        case Items(_, items):
            return ", ".join(sorted(items))
