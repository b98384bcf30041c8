"""The detail of a task: its result, every state with reason and message, what it uses, its last words."""

from __future__ import annotations

from collections.abc import Sequence

from console.cluster.mesos import Task, TaskState, format_ranges
from console.debug.words import held, held_text
from console.look.figures import (
    age_text,
    bar,
    bytes_text,
    clock_text,
    counted,
    duration_text,
    share_text,
    sparkline,
)
from console.look.spans import EMPTY, Line, Span, Tone, dim, strong, width
from console.pages.parts import data, facts, heading, text, title
from console.state.model import Executor, State, short_id
from console.state.rows import progress_text, task_mark, task_mem

_LAST_LINES = 12


def task_page(state: State, task_id: str, now: float, cells: int, *, log: bool = True) -> Sequence[Line]:
    """Everything known about one task; with `log` the last lines that it logged, too."""
    task = state.tasks.get(task_id)
    if task is None:
        return [(dim("It is gone."),)]
    one = state.executors.get(task_id)
    mark, tone = task_mark(task.state)
    age = dim(f" {age_text(now - task.started)}")
    lines: list[Line] = [
        title([strong(task.id)], [Span(f"{mark} {task.state.short.lower()}", tone), age], cells)
    ]
    lines += _outcome(task, cells)
    if held(state.debug, task.spec.target) and not task.state.terminal:
        lines += [EMPTY, *text(held_text(state.debug, now), cells, Tone.WARN)]
    if one is not None and one.progress is not None:
        lines += [EMPTY, (Span(f"  {progress_text(one)}", Tone.WARN),)]
    lines += _asked(task, now, cells)
    lines += heading("states")
    lines += _states(task, cells)
    if one is not None:
        lines += _used(one, cells)
    return lines + _log(state, task) if log else lines


def _outcome(task: Task, cells: int) -> list[Line]:
    if not task.state.terminal:
        return []
    status = task.status
    lines: list[Line] = []
    if task.state is not TaskState.FINISHED and status.message:
        lines += [EMPTY, *text(status.message, cells, task_mark(task.state)[1])]
    if status.data:
        lines += heading("result", f"{len(status.data):,} bytes")
        lines += data(status.data, cells)
    return lines


def _asked(task: Task, now: float, cells: int) -> list[Line]:
    spec = task.spec
    held = spec.resources
    memory = task_mem(task)
    labels = [
        f"{name.removeprefix('mma.')} {int(value):,}"
        for name, value in spec.labels.items()
        if value.isdecimal()
    ]
    pairs: list[tuple[str, str | Line]] = [
        ("target", spec.target),
        ("module", f"{spec.name}, {len(spec.module):,} bytes of WebAssembly"),
        ("arguments", " ".join(spec.arguments)),
        ("cpus", f"{held.scalars.get('cpus', 0.0):g} at least; more while others idle"),
        ("memory", bytes_text(memory) if memory else ""),
        ("of it", " · ".join(labels)),
        *((name, format_ranges(ranges)) for name, ranges in held.ranges.items()),
        *((name, ", ".join(sorted(items))) for name, items in held.sets.items()),
        ("agent", short_id(task.agent_id)),
    ]
    ran = task.running_seconds(now)
    if ran:
        pairs.append(("ran", duration_text(ran)))
    return [EMPTY, *facts(pairs, cells)]


def _states(task: Task, cells: int) -> list[Line]:
    lines: list[Line] = []
    for place, status in enumerate(task.history):
        mark, tone = task_mark(status.state)
        took = f"+{duration_text(max(0.0, status.time - task.history[place - 1].time))}" if place else ""
        reason = status.reason.removeprefix("REASON_").lower().replace("_", " ")
        first: Line = (
            dim(f"  {clock_text(status.time, millis=True)}  "),
            Span(f"{mark} {status.state.short.lower():<12}", tone),
            dim(f"{took:>9}"),
        )
        roomy = width(first) + 2 + len(reason) <= cells
        lines.append((*first, dim(f"  {reason}")) if reason and roomy else first)
        if reason and not roomy:
            lines += text(reason, cells, Tone.DIM, indent=18)
        if status.message and not (place == len(task.history) - 1 and status.state.terminal):
            lines += text(status.message, cells, Tone.DIM, indent=18)
    return lines


def _used(one: Executor, cells: int) -> list[Line]:
    used = one.usage
    if used is None:
        return []
    note = f"{used.cpu_seconds:.3f} s of CPU in {counted(used.switches, 'turn')}; bars show the most so far"
    lines = heading("use", note)
    room = 40 if cells >= 76 else 20 if cells >= 50 else 10
    if one.cpu:
        last = share_text(one.cpu[-1]) if one.ended is None else "ended"
        top = max(0.01, *one.cpu)
        lines.append((dim("  cpu      "), *sparkline(one.cpu, room, top), Span(f"  {last}"), dim(_most(one))))
    if one.peaks:
        held = max(1, used.code_bytes + used.stack_bytes + used.memory_bytes)
        size = (Span(f"  {one.peaks[-1]:,}"), dim(f" of {held:,} bytes held"))
        lines.append((dim("  used     "), *sparkline(one.peaks, room, held), *size))
    lines.append((dim("  code     "), Span(f"{used.code_bytes:,} bytes")))
    lines.append(_peak("stack", used.stack_peak, used.stack_bytes, cells))
    lines.append(_peak("memory", used.memory_peak, used.memory_bytes, cells))
    return lines


def _most(one: Executor) -> str:
    """How much of a core it had at most, where that is more than now."""
    most = max(one.cpu)
    return f", {share_text(most)} at most" if most > one.cpu[-1] or one.ended is not None else ""


def _peak(name: str, peak: int, size: int, cells: int) -> Line:
    return (
        dim(f"  {name:<9}"),
        *bar(peak / size if size else 0.0, 20 if cells >= 50 else 10),
        Span(f"  {peak:,}"),
        dim(f" of {size:,} bytes"),
    )


def _log(state: State, task: Task) -> list[Line]:
    ring = state.logs.ring(task.id)
    if not len(ring):
        return []
    lines = heading("log", "the last lines; o shows all")
    for entry in ring.since(ring.total - _LAST_LINES):
        lines.append((dim(f"  {clock_text(entry.time)}  "), Span(entry.text)))
    return lines
