"""One target behind a master of its own, with its link's faults at hand and everything recorded.

What a case of a scenario and a test of the pytest plugin run on. Each rig is apart from every other: a
master, a gateway, a framework and a board.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from console.ci.recording import Recording
from console.ci.scenario import HERE, Other
from console.cluster.framework import Framework
from console.cluster.mesos import Task, TaskState
from console.errors import ConsoleError, NoOffer
from console.fit.budgets import Ask
from console.fleet.opening import Member, Setup, TargetName
from console.fleet.session import Plan, Session, open_session
from console.runs.runner import complete, prepare, task_spec
from console.state.events import FromTarget
from console.state.loglines import LogLine, LogLines, Origin, task_of
from emulation.errors import EmulationError
from emulation.faults import LinkFaults
from emulation.machine import Capability, Machine
from emulation.pins import PinTrace
from emulation.wires import Harness, Wire
from hal.boards import load_board
from hal.target import Ended, Usage

_END_GRACE = 5.0
"""Seconds that a killed task has to end."""


class Rig:
    """Made by open_rig()."""

    def __init__(
        self,
        session: Session,
        name: TargetName,
        faults: Mapping[str, LinkFaults],
        recording: Recording,
    ) -> None:
        """`faults` are those of each board's link, by its name; "" is the target's own."""
        self._session = session
        self._name = name
        self._faults = faults
        self.recording = recording

    @property
    def target(self) -> str:
        """The target's name."""
        return self._name.text

    @property
    def master(self) -> str:
        """The master's HOST:PORT."""
        return self._session.address

    @property
    def framework(self) -> Framework:
        """The framework that launches here."""
        return self._session.framework

    @property
    def member(self) -> Member:
        """The target, with its machine."""
        return self._session.members[self.target]

    @property
    def faults(self) -> LinkFaults:
        """Those of the target's link."""
        return self._faults[""]

    def faults_on(self, board: str) -> LinkFaults:
        """Those of the link of a board that is wired to it; "" for the target's own."""
        return self._faults["" if board == HERE else board]

    def member_on(self, board: str) -> Member:
        """A board that is wired to the target, by its name; "" for the target."""
        return self._session.members[board] if board not in ("", HERE) else self.member

    def machine_on(self, board: str = "") -> Machine:
        """The emulated board. ConsoleError where there is none."""
        machine = self.member_on(board).machine
        if machine is None:
            raise ConsoleError(f"{self.target} is not emulated: this cannot be done to it.")
        return machine

    async def submit(
        self, module: Path, arguments: Iterable[str] = (), ask: Ask | None = None, *, on: str = ""
    ) -> str:
        """Launch a module, on a board that is wired to the target if one is named; returns the task's id.
        NoOffer, BudgetError, ModuleError."""
        words = tuple(arguments)
        target = on or self.target
        data = await prepare(module)
        full = await complete(self._session, target, data, words, ask or Ask())
        return await self.framework.submit(task_spec(module, data, target, words, full))

    async def until_running(self, task_id: str) -> Task:
        """Until it runs or has ended."""
        return await self._until(task_id, lambda task: task.state is TaskState.RUNNING or task.state.terminal)

    async def until_ended(self, task_id: str) -> Task:
        """Until its last state."""
        return await self._until(task_id, lambda task: task.state.terminal)

    async def _until(self, task_id: str, done: Callable[[Task], bool]) -> Task:
        async with self.framework.listen() as queue:
            while not done(task := self.framework.tasks[task_id]):
                await queue.get()
        return task

    async def until_said(self, task_id: str, text: str) -> str:
        """The first line of its executor's log that holds `text`."""
        async with self._session.listen() as queue:
            while True:
                for line in self.log_of(task_id):
                    if text in line:
                        return line
                await queue.get()

    async def end(self, task_id: str, grace: float = 0.0) -> Task:
        """Kill a task and wait a while for its end; ended ones are left as they are."""
        await self.framework.kill(task_id, grace)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_GRACE + grace):
                return await self.until_ended(task_id)
        return self.framework.tasks[task_id]

    def log_of(self, task_id: str) -> list[str]:
        """Every whole line that the executor of a task logged so far."""
        mine = (line for line in self._lines() if line.subject == task_id)
        return [line.text for line in mine if line.origin is Origin.EXECUTOR]

    def _lines(self) -> Iterator[LogLine]:
        lines = LogLines()
        for _, event in self.recording.events:
            if isinstance(event, FromTarget):
                yield from lines.of(event.target, event.event)

    def usage_of(self, task_id: str) -> Usage | None:
        """What the executor of an ended task had used; None when it never ran."""
        for _, event in reversed(self.recording.events):
            ended = event.event if isinstance(event, FromTarget) else None
            if isinstance(ended, Ended) and task_of(ended.key) == task_id:
                return ended.usage
        return None

    def require(self, capability: Capability, board: str = "") -> Machine:
        """The machine, if it can do that. ConsoleError or Unsupported says why not."""
        machine = self.machine_on(board)
        machine.capabilities.require(capability)
        return machine


@asynccontextmanager
async def open_rig(
    name: TargetName,
    *,
    master: str | None = None,
    seed: int = 0,
    icount: int | None = None,
    framework: str = "mma ci",
    others: Sequence[Other] = (),
    wires: Sequence[Wire] = (),
    counts: bool = False,
    vcd: bool = False,
) -> AsyncIterator[Rig]:
    """Start a master unless one is given, the target, the boards that are wired to it, and a framework; all
    of it ends with the block. Errors of set-up are raised. `vcd`: what happens at the pins is recorded.

    NoOffer when the master does not offer the target.
    """
    recording = Recording()
    if vcd and name.board is not None and name.emulator is not None:
        recording.pins = PinTrace.of(name.board)
    faults = LinkFaults(seed=seed, tap=recording.on_bytes)
    harness = _harness(name, others, wires) if others or wires else None
    setup = Setup(
        faults=faults,
        icount=icount,
        on_trace=recording.on_message,
        harness=(harness, HERE) if harness is not None else None,
        counts=counts,
        pins=recording.pins,
    )
    links = {"": faults} | {other.name: LinkFaults(seed=seed) for other in others}
    plan = Plan(framework=framework)
    async with open_session((), master=master, plan=plan, on_event=recording.on_event) as session:
        async with session.framework.listen() as queue:
            listening = asyncio.create_task(recording.follow(queue), name="record framework")
            try:
                member = await session.add(name, setup)
                recording.firmware = member.firmware
                for other in others:
                    assert harness is not None
                    beside = Setup(links[other.name], icount, harness=(harness, other.name))
                    await session.add(_name_of(other, name), beside)
                for text in (name.text, *(other.name for other in others)):
                    try:
                        async with asyncio.timeout(30):
                            await session.framework.wait_for_offer(text)
                    except TimeoutError:
                        raise NoOffer(f"The master did not offer {text} within 30 s.") from None
                yield Rig(session, name, links, recording)
            finally:
                await _end_trace(recording, session.members.get(name.text))
                listening.cancel()
                await asyncio.wait([listening])
                while not queue.empty():
                    recording.on_event(queue.get_nowait())


async def _end_trace(recording: Recording, member: Member | None) -> None:
    machine = member.machine if member is not None else None
    if recording.pins is not None and machine is not None:
        with contextlib.suppress(EmulationError):
            recording.pins.ended((await machine.counters()).virtual_time or 0.0)


def _name_of(other: Other, target: TargetName) -> TargetName:
    """Another board beside a target, as a target of its own."""
    board = load_board(other.board) if other.board is not None else target.board
    return TargetName(other.name, board, emulator=target.emulator)


def _harness(target: TargetName, others: Sequence[Other], wires: Sequence[Wire]) -> Harness:
    if target.board is None or target.emulator is None:
        raise ConsoleError(f"{target.text} is not emulated: no wire of ours can be at it.")
    boards = {HERE: f"{target.board.name}@{target.emulator}"}
    for other in others:
        boards[other.name] = f"{other.board or target.board.name}@{target.emulator}"
    return Harness(boards, wires)
