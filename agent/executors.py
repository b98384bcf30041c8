"""The executors of one agent on its target: prepared, spawned, watched, killed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

from agent.config import AgentConfig
from agent.errors import TaskError
from agent.fetcher import Fetcher
from agent.launch import Source, launch_of
from agent.once import Once
from agent.records import TaskRecord
from agent.sandbox import Sandboxes
from agent.verdict import Kill
from hal import checks
from hal.errors import HalError
from hal.target import Cause, Connection, Diagnostic, Ended, Event, Output, Started, Target

log = logging.getLogger(__name__)

MESSAGE_LIMIT = 64 << 10
"""Bytes of a message from a guest."""


MESSAGE = b"\x02"
"""How a log line begins that is a message to the framework (mma_sendf of firmware/sdk/mma.h)."""


class Lines:
    """Finds messages, and answers to checks, in what a guest logs."""

    def __init__(self) -> None:
        self._rest = b""

    def of(self, output: Output) -> list[bytes]:
        """The lines that this output completes and that begin as such; one that was lost in part is none."""
        if output.dropped:
            self._rest = b"?"
        *lines, self._rest = (self._rest + output.data).split(b"\n")
        self._rest = self._rest[: MESSAGE_LIMIT + 1]
        starts = (MESSAGE, checks.PREFIX)
        return [line for line in lines if line.startswith(starts) and len(line) <= MESSAGE_LIMIT]


class Owner(Protocol):
    """The agent, as its executors need it."""

    def executor_started(self, task: TaskRecord) -> None:
        """The guest runs."""
        ...

    def executor_ended(self, task: TaskRecord, ended: Ended) -> None:
        """The guest ended, or never began; the last call for a task."""
        ...

    def executor_cancelled(self, task: TaskRecord) -> None:
        """Killed before the target knew of it; the last call for a task."""
        ...

    def executor_message(self, task: TaskRecord, data: bytes) -> None:
        """The guest has a message for its framework."""
        ...

    def executor_answered(self, task: TaskRecord, line: bytes) -> None:
        """The guest answers a check."""
        ...

    def target_connected(self, up: bool) -> None:
        """The link to the target came up or went down."""
        ...

    async def durable(self) -> None:
        """Until all that is recorded by now is on disk."""
        ...

    def background(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something beside; it ends with the agent."""
        ...


class Executors:
    """Launches and kills on `target`; what happens goes to `owner`."""

    def __init__(
        self, target: Target, fetcher: Fetcher, config: AgentConfig, owner: Owner, sandboxes: Sandboxes
    ) -> None:
        self._target = target
        self._fetcher = fetcher
        self._config = config
        self._owner = owner
        self._sandboxes = sandboxes
        self._tasks: dict[str, TaskRecord] = {}
        self._lines: dict[str, Lines] = {}
        description = target.describe()
        self._mem_limit, self._bursts = description.mem_bytes or None, description.bursts
        self._settled = Once()
        """What an earlier life left on the target is known: before that nothing may be spawned."""

    def launch(self, task: TaskRecord, source: Source) -> None:
        """Begin: fetch the module, hand it to the target."""
        self._tasks[task.target_key] = task
        work = self._prepare(task, source)
        task.preparation = self._owner.background(work, f"launch {task.target_key}")

    def adopt(self, task: TaskRecord) -> None:
        """A task of an earlier life of this agent whose executor may still run."""
        self._tasks[task.target_key] = task

    def kill(self, task: TaskRecord, why: Kill, grace: float) -> None:
        """End a task; a second kill may shorten the first one's grace (seconds)."""
        if task.kill is None:
            task.kill = why
        if not task.spawned:
            if task.preparation is not None:
                task.preparation.cancel()
            self._forget(task)
            self._owner.executor_cancelled(task)
            return
        self._owner.background(self._kill(task, grace), f"kill {task.target_key}")

    def send(self, task: TaskRecord, data: bytes) -> None:
        """A message of the framework; Mesos promises no delivery."""
        self._owner.background(self._send(task, data), f"message to {task.target_key}")

    async def _send(self, task: TaskRecord, data: bytes) -> None:
        try:
            await self._target.send(task.target_key, data)
        except HalError as error:
            log.info("%s: a message to %s is dropped: %s", self._target.name, task.target_key, error)

    async def kill_all(self, timeout: float) -> None:
        """End everything at once and without words: the agent shuts down. Waits `timeout` s at most."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            if task.preparation is not None:
                task.preparation.cancel()
        try:
            async with asyncio.timeout(timeout):
                await asyncio.gather(*(self._kill(task, 0.0) for task in tasks if task.spawned))
        except TimeoutError:
            log.warning("%s did not end all executors within %g s", self._target.name, timeout)

    async def recover(self) -> tuple[frozenset[str], frozenset[str]]:
        """Find the adopted tasks on the target, which ends all else. Gives the keys of the adopted and
        those of them that are there, running or ended; their ends follow as events."""
        adopted = frozenset(key for key, task in self._tasks.items() if task.preparation is None)
        seen = {key: self._sandboxes.seen(self._tasks[key]) for key in adopted}
        living = await self._target.recover(adopted, seen)
        self._settled.set()
        return adopted, living

    def on_event(self, event: Event) -> None:
        """Take one event of the target."""
        if isinstance(event, Diagnostic):
            log.debug("%s: %s", self._target.name, event.text)
        elif isinstance(event, Connection):
            log.info("%s: link %s %s", self._target.name, "up" if event.up else "down", event.message)
            self._owner.target_connected(event.up)
        elif (task := self._tasks.get(event.key)) is None:
            if isinstance(event, Ended):
                self._release(event.key)
        elif isinstance(event, Output):
            for line in self._lines.setdefault(event.key, Lines()).of(event):
                if line.startswith(MESSAGE):
                    self._owner.executor_message(task, line[1:])
                else:
                    self._owner.executor_answered(task, line)
        elif isinstance(event, Started):
            self._owner.executor_started(task)
        elif isinstance(event, Ended):
            self._forget(task)
            self._owner.executor_ended(task, event)
            self._release(event.key)

    # -- inside -----------------------------------------------------------------------------------------

    def _release(self, key: str) -> None:
        self._owner.background(self._release_when_durable(key), f"release {key}")

    async def _release_when_durable(self, key: str) -> None:
        """The target forgets an end only when we cannot any more."""
        await self._owner.durable()
        try:
            await self._target.release(key)
        except HalError as error:
            log.warning("%s could not release %s: %s", self._target.name, key, error)

    def _forget(self, task: TaskRecord) -> None:
        self._tasks.pop(task.target_key, None)
        self._lines.pop(task.target_key, None)
        if task.deadline is not None:
            task.deadline.cancel()
            task.deadline = None

    def _fail(self, task: TaskRecord, message: str) -> None:
        if self._tasks.get(task.target_key) is task:
            self._forget(task)
            self._owner.executor_ended(task, Ended(task.target_key, Cause.LAUNCH_FAILED, message=message))

    async def _prepare(self, task: TaskRecord, source: Source) -> None:
        try:
            module = await self._fetcher.module(source)
            limit, bursts = self._mem_limit, self._bursts
            launch = launch_of(task.info, task.target_key, module, limit, bursts=bursts)
            await self._settled.wait()
            await self._owner.durable()  # or a restarted gateway would take it for a stray
            self._sandboxes.begin(task, module)
            task.spawned = True
            await self._target.spawn(launch)
        except (TaskError, HalError) as error:
            self._fail(task, str(error))
        except Exception as error:
            log.exception("%s could not launch %s", self._target.name, task.target_key)
            self._fail(task, f"The agent failed to launch the task: {error}.")

    async def _kill(self, task: TaskRecord, grace: float) -> None:
        if task.preparation is not None:
            # Its spawn() has begun and returns at once; a kill must not overtake it.
            await asyncio.wait([task.preparation])
        await self._owner.durable()  # that we wanted it, or its end would look like somebody else's doing
        try:
            await self._target.kill(task.target_key, grace)
        except HalError as error:
            # The target tells by Ended what became of it once it can be reached again.
            log.warning("%s could not kill %s: %s", self._target.name, task.target_key, error)
