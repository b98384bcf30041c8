"""Rows of the lists: one pass over the state for each, so a fleet of a thousand costs a thousand steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from console.cluster.mesos import Offer, Task, TaskState, format_ranges, mem_bytes
from console.debug.words import held
from console.look.spans import Tone
from console.state.model import Executor, Link, State, Target, short_id
from console.state.once import Once

LINK_MARKS = {
    Link.UP: ("●", Tone.GOOD),
    Link.STARTING: ("◐", Tone.WARN),
    Link.WAITING: ("○", Tone.DIM),
    Link.DOWN: ("●", Tone.BAD),
    Link.FAILED: ("✗", Tone.BAD),
    Link.CLOSED: ("○", Tone.DIM),
    Link.ELSEWHERE: ("◇", Tone.INFO),
}

_GRADES = ((0.001, 4, Tone.GOOD), (0.01, 3, Tone.GOOD), (0.05, 2, Tone.WARN), (1.1, 1, Tone.BAD))
"""Share of bad frames below which a link has so many bars."""


def grade(target: Target) -> tuple[int, Tone]:
    """How good a target's link is, in bars of four, by the frames of the last minute that came damaged or
    were sent again. 0 bars where nothing is known."""
    if target.quality is None:
        return 0, Tone.DIM
    if target.link is not Link.UP:
        return 0, Tone.BAD
    return next((bars, tone) for limit, bars, tone in _GRADES if target.trouble < limit)


TASK_MARKS = {
    TaskState.WAITING: ("○", Tone.DIM),
    TaskState.STAGING: ("◔", Tone.WARN),
    TaskState.STARTING: ("◑", Tone.WARN),
    TaskState.RUNNING: ("●", Tone.ACCENT),
    TaskState.KILLING: ("◕", Tone.WARN),
    TaskState.FINISHED: ("✓", Tone.GOOD),
    TaskState.KILLED: ("■", Tone.WARN),
    TaskState.UNREACHABLE: ("?", Tone.WARN),
    TaskState.UNKNOWN: ("?", Tone.WARN),
}
"""States that are not here are failures."""


def task_mark(state: TaskState) -> tuple[str, Tone]:
    """The glyph of a task's state and its tone."""
    return TASK_MARKS.get(state, ("✗", Tone.BAD))


class FleetRow(NamedTuple):
    """A target and what it carries. A tuple: thousands are made for every reading of a fleet."""

    target: Target
    mem: int
    """Bytes in all; 0 while unknown."""
    taken: int
    """Bytes of them given away."""
    tasks: int
    held: bool = False
    """By the debugger."""

    @property
    def free(self) -> int:
        """Bytes that are left."""
        return max(0, self.mem - self.taken)

    @property
    def share(self) -> float:
        """Of its memory that is given away."""
        return self.taken / self.mem if self.mem else 0.0

    @property
    def load(self) -> float:
        """The last CPU share."""
        return self.target.cpu[-1] if self.target.cpu else 0.0


def fleet_rows(state: State) -> list[FleetRow]:
    """Every target, in the order they were named."""
    ours, held_by_ours = _ours(state.tasks)
    load = dict(held_by_ours)
    for task_id, one in state.executors.items():
        if task_id not in ours and one.ended is None:
            taken, tasks = load.get(one.target, (0, 0))
            load[one.target] = (taken + one.held_bytes, tasks + 1)
    stopped = state.debug.target if held(state.debug, state.debug.target) else None
    nothing = (0, 0)
    return [
        FleetRow(target, target.mem_bytes, *load.get(name, nothing), name == stopped)
        for name, target in state.targets.items()
    ]


@Once
def _ours(tasks: Mapping[str, Task]) -> tuple[frozenset[str], Mapping[str, tuple[int, int]]]:
    """The tasks of ours that hold something, and by target the bytes and how many."""
    holding = [task for task in tasks.values() if task.state in _HOLDING]
    load: dict[str, tuple[int, int]] = {}
    for task in holding:
        taken, count = load.get(task.spec.target, (0, 0))
        load[task.spec.target] = (taken + task_mem(task), count + 1)
    return frozenset(task.id for task in holding), load


_HOLDING = frozenset(state for state in TaskState if not state.terminal) - {TaskState.WAITING}


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task, what its target tells of its executor, and its result on one line."""

    task: Task
    executor: Executor | None
    now: float
    said: str = ""
    """The last line of its log, while it lives and where it failed."""
    held: bool = False
    """With its target, by the debugger."""
    masterless: bool = False
    """No master answers, so nothing is offered to it."""

    @property
    def age(self) -> float:
        """Seconds since it was submitted."""
        return max(0.0, self.now - self.task.started)

    @property
    def mem(self) -> int:
        """Bytes that it asks of the master."""
        return task_mem(self.task)

    @property
    def load(self) -> float | None:
        """The last CPU share; None when it does not run."""
        if self.executor is None or self.executor.ended is not None or not self.executor.cpu:
            return None
        return self.executor.cpu[-1]

    @property
    def outcome(self) -> str:
        """Its result, or why there is none."""
        status = self.task.status
        if self.held and not self.task.state.terminal:
            return "held by the debugger"
        if self.masterless and self.task.state is TaskState.WAITING:
            return "Waiting for the master, which does not answer."
        if status.data and status.state is TaskState.FINISHED:
            return data_text(status.data)
        if self.task.state is TaskState.STAGING and self.executor and self.executor.progress:
            return progress_text(self.executor)
        message = status.message.partition("\n")[0]
        if self.task.state is TaskState.FAILED and message:  # its own words say more than its exit status
            return " · ".join(part for part in (message, self.said) if part)
        return self.said or message


def task_rows(state: State, now: float, *, ended: bool = True) -> list[TaskRow]:
    """The newest first."""
    return [
        TaskRow(
            task,
            state.executors.get(task.id),
            now,
            _last_line(state, task),
            held(state.debug, task.spec.target),
            not state.master.connected,
        )
        for task in reversed(list(state.tasks.values()))
        if ended or not task.state.terminal
    ]


def _last_line(state: State, task: Task) -> str:
    ring = state.logs.ring(task.id)
    shown = not task.state.terminal or task.state is TaskState.FAILED
    return ring.last.text if len(ring) and shown else ""


def offer_rows(state: State, *, closed: bool = True) -> list[Offer]:
    """Open ones first, then those that other frameworks hold, then the closed ones, each the newest first."""
    newest = list(reversed(list(state.offers.values())))
    shown = [offer for offer in newest if offer.closed is None]
    shown += reversed(list(state.held.values()))
    if closed:
        shown += sorted((o for o in newest if o.closed is not None), key=lambda o: -(o.closed or 0.0))
    return shown


# -- their words ------------------------------------------------------------------------------------


def task_mem(task: Task) -> int:
    """Bytes that a task asks of the master."""
    return mem_bytes(task.spec.resources.scalars.get("mem", 0.0))


def progress_text(executor: Executor) -> str:
    """How far a launch is: `upload 2,048 of 6,144 bytes`."""
    step = executor.progress
    if step is None:
        return ""
    if step.total > 1:
        return f"{step.stage.value} {step.done:,} of {step.total:,} bytes"
    return f"{step.stage.value} …"


def data_text(data: bytes) -> str:
    """A result on one line: its text, or else its bytes in hex."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    text = text.strip()
    if text and all(char.isprintable() or char in "\n\t" for char in text):
        return text.replace("\n", " ⏎ ").replace("\t", " ")
    return data[:64].hex(" ") + (" …" if len(data) > 64 else "")


def more_resources(offer: Offer) -> str:
    """What is offered beside cpus and mem, as Mesos writes it."""
    held = offer.resources
    parts = [f"{name} {value:g}" for name, value in held.scalars.items() if name not in ("cpus", "mem")]
    parts += [f"{name} {format_ranges(pairs)}" for name, pairs in held.ranges.items()]
    parts += [f"{name} {', '.join(sorted(items))}" for name, items in held.sets.items()]
    return " · ".join(parts)


def offer_search(offer: Offer) -> str:
    """Where a filter of offers looks."""
    attributes = " ".join(f"{name}:{value}" for name, value in offer.attributes.items())
    words = (
        short_id(offer.id),
        offer.target,
        offer.state.value,
        offer.note,
        more_resources(offer),
        attributes,
    )
    return " ".join(words)
