"""What tests hold: a target with its board, launches, and how they ended. All calls block."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from console.ci.loop import Loop
from console.ci.rig import Rig
from console.cluster.mesos import Task, TaskState
from console.fit.budgets import parse_ask
from console.guests.modules import find
from emulation.machine import Capability
from hal.target import Usage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Result:
    """How a task ended. `state` is Mesos's word, `result` what the guest published, as text."""

    state: str
    reason: str
    message: str
    result: str
    data: bytes
    log: tuple[str, ...]
    usage: Usage | None


class Launched:
    """A task that was launched."""

    def __init__(self, loop: Loop, rig: Rig, task_id: str) -> None:
        self._loop = loop
        self._rig = rig
        self.id = task_id

    @property
    def state(self) -> str:
        """Its newest state: TASK_RUNNING, say."""
        return self._rig.framework.tasks[self.id].state.value

    @property
    def log(self) -> tuple[str, ...]:
        """The lines that it logged so far."""
        return tuple(self._rig.log_of(self.id))

    def wait(self, timeout: float = 60.0) -> Result:
        """Until it has ended. TimeoutError after so many seconds."""
        return self._result(self._loop.run(_within(timeout, self._rig.until_ended(self.id))))

    def wait_running(self, timeout: float = 60.0) -> None:
        """Until it runs. AssertionError if it ended instead, TimeoutError after so many seconds."""
        task = self._loop.run(_within(timeout, self._rig.until_running(self.id)))
        assert task.state is TaskState.RUNNING, f"{self.id} is {task.state.value}: {task.status.message}"

    def wait_log(self, text: str, timeout: float = 10.0) -> str:
        """Until a line of its log holds `text`; that line. TimeoutError after so many seconds."""
        return self._loop.run(_within(timeout, self._rig.until_said(self.id, text)))

    def kill(self, grace: float = 0.0) -> Result:
        """End it."""
        return self._result(self._loop.run(self._rig.end(self.id, grace)))

    def _result(self, task: Task) -> Result:
        status = task.status
        return Result(
            status.state.value,
            status.reason,
            status.message,
            status.data.decode("utf-8", "backslashreplace"),
            status.data,
            self.log,
            self._rig.usage_of(self.id),
        )


class Launcher:
    """Call it to launch."""

    def __init__(self, loop: Loop, rig: Rig) -> None:
        self._loop = loop
        self._rig = rig

    def __call__(
        self,
        module: str | Path,
        *arguments: str,
        mem: str | None = None,
        cpus: float = 0.1,
        stack: str | None = None,
        memory: str | None = None,
        log: str | None = None,
        gpio: str | None = None,
        sensors: Iterable[str] = (),
    ) -> Launched:
        """Launch a .wasm, .wat, .c or .zig file, or an example by its name. Errors say why not."""
        ask = parse_ask(mem=mem, cpus=cpus, stack=stack, memory=memory, log=log, gpio=gpio, sensors=sensors)
        work = self._rig.submit(find(str(module)), arguments, ask)
        return Launched(self._loop, self._rig, self._loop.run(work))


class Board:
    """An emulated board from outside. What it cannot do raises an error that says so."""

    def __init__(self, loop: Loop, rig: Rig) -> None:
        self._loop = loop
        self._rig = rig
        self.faults = rig.faults
        """The link's faults; change them at any time: `board.faults.cut = True`."""

    def set_sensor(self, name: str, value: float) -> None:
        """What a sensor reads from now on, in its unit."""
        self._loop.run(self._rig.require(Capability.SENSORS).set_sensor(name, value))

    def drive_pin(self, pin: int, level: bool) -> None:
        """Hold an input at a level."""
        self._loop.run(self._rig.require(Capability.DRIVE_PINS).drive_pin(pin, level))

    def read_pin(self, pin: int) -> bool:
        """The level of an output."""
        return self._loop.run(self._rig.require(Capability.READ_PINS).read_pin(pin))

    def reset(self) -> None:
        """Pull the reset line: RAM stays."""
        self._loop.run(self._rig.require(Capability.RESET).reset())

    def power_cut(self, seconds: float = 0.0) -> None:
        """Cut the power for that long: RAM is lost."""
        self._loop.run(self._rig.require(Capability.POWER_CUT).power_cut(seconds))


class Gateway:
    """One target behind a master."""

    def __init__(self, loop: Loop, rig: Rig) -> None:
        self._rig = rig
        self.target = rig.target
        self.master = rig.master
        self.launch = Launcher(loop, rig)
        self.board = Board(loop, rig)

    def log(self) -> list[str]:
        """Everything that happened so far, a line each."""
        return self._rig.recording.log()


async def _within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    async with asyncio.timeout(seconds):
        return await work
