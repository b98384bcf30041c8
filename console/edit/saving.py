"""After a save: build, check, judge what it takes, and only then end what runs and start it anew.

A build that fails, or a module that does not fit, never touches a running task. An executor is started with
the arguments, grants and budgets that it had; its memory grows where the module needs more. What has ended by
itself is started once more. Firmware is built for the boards that have it; they are restarted, with their
executors.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from console.cluster.mesos import Task, TaskSpec, TaskState, mem_bytes, mem_scalar
from console.edit.view import Build, Phase, Step
from console.errors import ConsoleError
from console.fit.sizing import size_on
from console.guests import modules
from console.look.figures import counted
from console.state.events import FromTarget
from console.trouble import words
from hal import firmware
from hal.boards import Board, board_names, load_board
from hal.budget import Parts
from hal.errors import BudgetError, HalError
from hal.target import Budget, Connection

if TYPE_CHECKING:
    from console.fleet.opening import Member
    from console.fleet.session import Session

Tell = Callable[[Build], None]
LetGo = Callable[[str], Awaitable[None]]
"""Takes the debugger off a target, if it is there."""

_PATIENCE = 30.0
"""Seconds that a task has to end, and another one to run."""


class Save:
    """One save of one file; `tell` hears of each step."""

    def __init__(self, session: Session, path: Path, tell: Tell, let_go: LetGo) -> None:
        self._session = session
        self._path = path
        self._tell = tell
        self._let_go = let_go
        self._began = time.perf_counter()
        self._build = Build(str(path), Phase.BUILDING)

    async def run(self) -> None:
        """All of it. What goes wrong is told, not raised."""
        self._now()
        try:
            if firmware.holds(self._path):
                await self._kernels()
            elif self._path.suffix in modules.SOURCES:
                await self._executors()
            else:
                self._end("Saved. Nothing is built from it alone.")
        except Exception as error:
            problems = error.problems if isinstance(error, HalError) else ()
            self._now(phase=Phase.FAILED, problems=problems, message=" ".join(words(error)).strip())

    def _now(self, **changes: object) -> None:
        self._build = replace(self._build, **changes)  # type: ignore[arg-type]
        self._tell(self._build)

    def _end(self, message: str, *, tasks: Sequence[str] = (), timed: bool = False) -> None:
        seconds = time.perf_counter() - self._began if timed else 0.0
        self._now(phase=Phase.DONE, message=message, tasks=tuple(tasks), seconds=seconds)

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._now(steps=(*self._build.steps, Step(name, time.perf_counter() - began)))

    # -- executors

    async def _executors(self) -> None:
        with self._step("build"):
            built = await asyncio.to_thread(modules.build, self._path)
            await asyncio.to_thread(modules.check, built.module)
        self._now(problems=built.warnings, size=len(built.module))
        runs = self._runs()
        if not runs:
            self._end("Built. Nothing of it was launched yet.")
            return
        if all(task.spec.module == built.module and not task.state.terminal for task in runs):
            self._end("The module is the same as before: it runs on.")
            return
        with self._step("fit"):
            specs = [await self._fitted(task, built.module) for task in runs]
        self._now(phase=Phase.DEPLOYING)
        await self._anew(runs, specs)

    def _runs(self) -> list[Task]:
        """The living tasks of this source, else the last one that there was."""
        ours = [task for task in self._session.framework.tasks.values() if task.spec.source == self._path]
        return [task for task in ours if not task.state.terminal] or ours[-1:]

    async def _fitted(self, task: Task, module: bytes) -> TaskSpec:
        """What to run in its place. BudgetError where the target has no room for it."""
        spec, target = task.spec, task.spec.target
        member = self._session.members.get(target)
        if member is None:  # another process has it: its agent judges
            return replace(spec, module=module)
        held = mem_bytes(spec.resources.scalars.get("mem", 0.0))
        try:
            await _size(member, spec, module, held)
            return replace(spec, module=module)
        except BudgetError:
            need = mem_scalar((await _size(member, spec, module, None)).total)
        scalars = {**spec.resources.scalars, "mem": need}
        offers = [one for one in self._session.framework.offers.values() if one.target == target]
        free = sum(mem_bytes(one.resources.scalars.get("mem", 0.0)) for one in offers)
        free += 0 if task.state.terminal else held
        if not offers:  # none is open at this moment: more than the target has in all never will be
            free = member.target.describe().mem_bytes
        short = mem_bytes(need) - free
        if short > 0:
            raise BudgetError(
                f"{target} is {short:,} bytes short of what {spec.name} takes: {mem_bytes(need):,}.",
                missing=short,
                where="mem",
                remedy="" if task.state.terminal else f"{task.id} runs on as it was.",
            )
        return replace(spec, module=module, resources=replace(spec.resources, scalars=scalars))

    async def _anew(self, runs: Sequence[Task], specs: Iterable[TaskSpec]) -> None:
        """End what lives, and start all of it."""
        framework = self._session.framework
        living = [task for task in runs if not framework.tasks[task.id].state.terminal]
        if living:
            with self._step("kill"):
                for task in living:
                    await framework.kill(task.id)
                for task in living:
                    await self._until(task.id, lambda one: one.state.terminal, "end")
        with self._step("offer"):
            fresh = [await self._submit(spec) for spec in specs]
            for task_id in fresh:
                await self._until(task_id, lambda one: one.state is not TaskState.WAITING, "be placed")
        with self._step("start"):
            started = [await self._until(task_id, _has_run, "run") for task_id in fresh]
        failed = next((task for task in started if task.state.terminal and not _ran(task)), None)
        if failed is not None:
            why = failed.status.message or failed.state.value
            raise ConsoleError(f"{failed.id} did not run: {why}")
        places = ", ".join(dict.fromkeys(task.spec.target for task in started))
        self._end(f"{counted(len(fresh), 'task')} anew on {places}.", tasks=fresh, timed=True)

    async def _submit(self, spec: TaskSpec) -> str:
        """Offers of the target that are too small are given back, so that the next one has all of it."""
        framework = self._session.framework
        offers = [one for one in framework.offers.values() if one.target == spec.target]
        if not any(not spec.resources.shortfalls(one.resources) for one in offers):
            for one in offers:
                await framework.decline(one.id, 0.0)
        return await framework.submit(spec)

    async def _until(self, task_id: str, done: Callable[[Task], bool], what: str) -> Task:
        framework = self._session.framework
        try:
            async with asyncio.timeout(_PATIENCE), framework.listen() as queue:
                while not done(framework.tasks[task_id]):
                    await queue.get()
        except TimeoutError:
            message = framework.tasks[task_id].status.message
            why = f"{task_id} did not {what} within {_PATIENCE:g} s. {message}".strip()
            raise ConsoleError(why, remedy="The Tasks view has its history.") from None
        return framework.tasks[task_id]

    # -- firmware

    async def _kernels(self) -> None:
        members = [
            member
            for member in self._session.members.values()
            if member.machine and member.name.board and firmware.holds(self._path, member.name.board)
        ]
        boards = {member.name.board.name: member.name.board for member in members if member.name.board}
        images: dict[str, Path] = {}
        with self._step("build"):
            for board in boards.values() or _any_board(self._path):
                images[board.name] = (await asyncio.to_thread(firmware.build, board)).elf
        if not members:
            self._end("Built. No emulated board of this session has it.")
            return
        stale = [one for one in members if one.name.board and one.firmware != images[one.name.board.name]]
        if not stale:
            self._end("The kernel is the same as before: it runs on.")
            return
        self._now(phase=Phase.DEPLOYING)
        names = {member.name.text for member in stale}
        tasks = self._session.framework.tasks.values()
        runs = [task for task in tasks if task.spec.target in names and not task.state.terminal]
        with self._step("restart"):
            for member in stale:
                assert member.name.board is not None
                await self._restart(member, images[member.name.board.name])
        if runs:
            await self._anew(runs, [task.spec for task in runs])
        else:
            self._end(f"{', '.join(sorted(names))} runs the new kernel.", timed=True)

    async def _restart(self, member: Member, image: Path) -> None:
        """Until the kernel answers again."""
        await self._let_go(member.name.text)
        async with self._session.listen() as queue:
            await member.restart(image)
            try:
                async with asyncio.timeout(_PATIENCE):
                    while not _answers(await queue.get(), member.name.text):
                        pass
            except TimeoutError:
                raise ConsoleError(
                    f"The new kernel of {member.name.text} does not answer.",
                    remedy="The debugger shows where it is; its log what it said.",
                ) from None


async def _size(member: Member, spec: TaskSpec, module: bytes, total: int | None) -> Parts:
    """What the module takes there; what its compiler makes is kept, and the launch finds it made."""
    parts = {name: spec.labels.get(f"mma.{name}") for name in ("stack", "memory", "log")}
    given = {name: int(size) for name, size in parts.items() if size is not None}
    budget = Budget(total=total, cpus=spec.resources.scalars.get("cpus", 0.1), **given)
    return await size_on(member.target, module, spec.arguments, budget)


def _ran(task: Task) -> bool:
    return any(status.state is TaskState.RUNNING for status in task.history)


def _has_run(task: Task) -> bool:
    return task.state.terminal or _ran(task)


def _answers(event: object, target: str) -> bool:
    """The target is back."""
    if not isinstance(event, FromTarget) or event.target != target:
        return False
    return isinstance(event.event, Connection) and event.event.up


def _any_board(path: Path) -> list[Board]:
    """A board that has this source, to see whether it compiles."""
    return [board for board in map(load_board, board_names()) if firmware.holds(path, board)][:1]
