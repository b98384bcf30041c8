"""The demo: what every newcomer should see work, as data, and how it is played without a screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from console.cluster.framework import Framework
from console.cluster.mesos import Task, TaskState
from console.commands.shared.output import Reporter
from console.fit.budgets import Ask
from console.fleet.opening import parse_name
from console.fleet.session import Plan, Session, SessionEvent, open_session
from console.guests.modules import find
from console.runs.runner import complete, follow, prepare, session_reporter, task_spec
from console.state.events import FromTarget, TaskChanged
from console.state.loglines import LogLine, LogLines
from emulation.machine import Capability

TARGETS = ("stm32f4@qemu", "stm32f4@qemu-2", "host")
"""The demo fleet: two emulated boards and this computer."""

_ACT_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Act:
    """One task of the demo and how it must end."""

    title: str
    example: str
    target: str
    arguments: tuple[str, ...] = ()
    ask: Ask = field(default_factory=Ask)
    expect: TaskState = TaskState.FINISHED
    output: str | None = None
    """The result that it must publish; None when the act is not about a result."""
    beside: str = ""
    """An example that runs on the same board meanwhile, and is killed afterwards."""
    sensor: tuple[str, float] | None = None
    """What a sensor reads from a moment after the start on, where the emulator can set it."""
    says: str = ""
    """A line of its log that must have come."""


ACTS = (
    Act("A first executor", "hello", "stm32f4@qemu", output="hello"),
    Act("Arguments in, a result out", "fib", "stm32f4@qemu", ("20",), output="6765"),
    Act("The same module on this computer", "fib", "host", ("20",), output="6765"),
    Act(
        "A sensor and a pin, granted as Mesos resources",
        "filter",
        "stm32f4@qemu-2",
        ("30000", "0", "30", "20"),
        Ask(gpio=((0, 0),), sensors=frozenset({"temp0"})),
        sensor=("temp0", 41.5),
        says="alarm on at",
        output="41500",
    ),
    Act("A trap ends its executor and nobody else", "trap", "stm32f4@qemu", expect=TaskState.FAILED),
    Act("Memory that is not its own", "oob", "stm32f4@qemu", expect=TaskState.FAILED),
    Act(
        "Beside an endless loop, on the board that just saw both",
        "crc32",
        "stm32f4@qemu",
        ("123456789",),
        output="cbf43926",
        beside="spin",
    ),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an act: `failure` is empty when it went as it must."""

    act: Act
    task: Task | None
    seconds: float
    failure: str


@dataclass(frozen=True, slots=True)
class Played:
    """The whole demo: seconds to the first offer and in all."""

    outcomes: tuple[Outcome, ...]
    first_offer: float
    seconds: float

    @property
    def met(self) -> bool:
        """Every act went as it must."""
        return not any(outcome.failure for outcome in self.outcomes)


async def play(reporter: Reporter, stage: Stage) -> Played:
    """Start the demo fleet and play every act in turn. Errors of set-up are raised."""
    begin = time.monotonic()
    targets = [parse_name(name) for name in TARGETS]
    tell = session_reporter(reporter)
    async with open_session(targets, plan=Plan(framework="mma demo"), on_event=tell) as session:
        offers = [session.framework.wait_for_offer(name) for name in TARGETS]
        first_offer = 0.0
        for arrival in asyncio.as_completed(offers):
            offer = await arrival
            first_offer = first_offer or time.monotonic() - begin
            reporter.offer(offer)
        outcomes = []
        for number, act in enumerate(ACTS, 1):
            stage.begins(number, act)
            outcome = await _play_act(session, act, reporter)
            stage.ended(number, outcome)
            outcomes.append(outcome)
    return Played(tuple(outcomes), first_offer, time.monotonic() - begin)


class Stage:
    """Hears when an act begins and ends."""

    def begins(self, number: int, act: Act) -> None:
        """Before it."""

    def ended(self, number: int, outcome: Outcome) -> None:
        """After it."""


async def _play_act(session: Session, act: Act, reporter: Reporter) -> Outcome:
    begin = time.monotonic()
    neighbour = await _start_neighbour(session, act) if act.beside else ""
    path = find(act.example)
    module = await prepare(path)
    ask = await complete(session, act.target, module, act.arguments, act.ask)
    spec = task_spec(path, module, act.target, act.arguments, ask)
    async with session.listen() as queue:
        async with asyncio.TaskGroup() as group:
            warming = group.create_task(_set_sensor(session, act)) if act.sensor else None
            task = await follow(session, spec, reporter, _ACT_TIMEOUT)
            if warming:
                warming.cancel()
        said = [line.text for line in _lines(queue) if line.subject == task.id]
    failure = _judge(act, task, said)
    if neighbour:
        failure = await _end_neighbour(session.framework, neighbour, reporter) or failure
    return Outcome(act, task, time.monotonic() - begin, failure)


def _lines(queue: asyncio.Queue[SessionEvent]) -> Iterator[LogLine]:
    """What targets said since the queue was opened."""
    lines = LogLines()
    while not queue.empty():
        event = queue.get_nowait()
        if isinstance(event, FromTarget):
            yield from lines.of(event.target, event.event)


async def _set_sensor(session: Session, act: Act) -> None:
    """Once the act's task runs, change what its sensor reads."""
    machine = session.members[act.target].machine
    if machine is None or act.sensor is None or Capability.SENSORS not in machine.capabilities:
        return
    async with session.framework.listen() as queue:
        while True:
            event = await queue.get()
            if not isinstance(event, TaskChanged) or event.task.spec.name != act.example:
                continue
            if event.task.state is TaskState.RUNNING:
                break
    await asyncio.sleep(0.1)  # some readings of before
    session.tell(act.target, f"{act.sensor[0]} now reads {act.sensor[1]:g}")
    await machine.set_sensor(*act.sensor)


async def _start_neighbour(session: Session, act: Act) -> str:
    """Launch the neighbour and wait until it runs; returns its task id."""
    path = find(act.beside)
    module = await prepare(path)
    spec = task_spec(path, module, act.target, (), await complete(session, act.target, module, (), Ask()))
    framework = session.framework
    async with framework.listen() as queue, asyncio.timeout(_ACT_TIMEOUT):
        task_id = await framework.submit(spec)
        while framework.tasks[task_id].state is not TaskState.RUNNING:
            if framework.tasks[task_id].state.terminal:
                break
            await queue.get()
    return task_id


async def _end_neighbour(framework: Framework, task_id: str, reporter: Reporter) -> str:
    """Kill the neighbour, which must still run. Returns what went wrong, or nothing."""
    before = framework.tasks[task_id]
    await framework.kill(task_id)
    async with asyncio.timeout(_ACT_TIMEOUT):
        task = await framework.wait(task_id)
    reporter.status(task, task.status)
    if before.state is not TaskState.RUNNING or task.state is not TaskState.KILLED:
        return f"Its neighbour {task.spec.name} was {before.state.value}, then {task.state.value}."
    return ""


def _judge(act: Act, task: Task, said: list[str]) -> str:
    if task.state is not act.expect:
        return f"It ended as {task.state.value}, not as {act.expect.value}: {task.status.message}"
    result = task.status.data.decode("utf-8", "backslashreplace")
    if act.output is not None and result != act.output:
        return f"Its result is {result!r}, not {act.output!r}."
    if act.says and not any(act.says in line for line in said):
        return f"It did not say {act.says!r}."
    return ""
