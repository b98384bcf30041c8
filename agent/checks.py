"""Checks and health checks: exports of a task's module, called while it waits.

Follows src/checks/checker.cpp, health_checker.cpp and src/launcher/executor.cpp (taskCheckUpdated,
taskHealthUpdated): when the first comes, what counts as a failure, and what is told.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from agent.kills import Kills
from agent.launch import CHECKS
from agent.proto import mesos_pb2 as mesos
from agent.records import TaskRecord
from agent.reports import Reports
from agent.verdict import Verdict
from hal import checks
from hal.errors import HalError

log = logging.getLogger(__name__)

_EXECUTOR = mesos.TaskStatus.SOURCE_EXECUTOR
_CHECKED = mesos.TaskStatus.REASON_TASK_CHECK_STATUS_UPDATED
_HEALTH_CHECKED = mesos.TaskStatus.REASON_TASK_HEALTH_CHECK_STATUS_UPDATED


@dataclass(slots=True)
class _Watch:
    """What is known of one task that is checked."""

    task: TaskRecord
    tag: int = 0
    answer: asyncio.Future[int] | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One call at a time: the newest request is the one that a guest sees."""
    works: list[asyncio.Task[None]] = field(default_factory=list)


class Checks:
    """The checks of one agent's tasks.

    What the gateway cannot know is no failure: while the link is down nothing is asked, and a call that
    it went down over is not counted.
    """

    __slots__ = ("_background", "_breaks", "_call", "_kills", "_reports", "_up", "_watches")

    def __init__(
        self,
        reports: Reports,
        kills: Kills,
        call: Callable[[str, int], Awaitable[None]],
        background: Callable[..., asyncio.Task[None]],
    ) -> None:
        """`call` is the target's; `background` runs something beside the agent."""
        self._reports = reports
        self._kills = kills
        self._call = call
        self._background = background
        self._watches: dict[str, _Watch] = {}
        self._breaks = 0
        """How often the link went down."""
        self._up = True

    def begin(self, task: TaskRecord) -> None:
        """The guest runs."""
        names = [name for name, _ in CHECKS if task.info.HasField(name)]
        if not names or task.target_key in self._watches or task.kill is not None:
            return
        watch = self._watches[task.target_key] = _Watch(task)
        for which, name in enumerate(names):
            work = self._check(watch, which) if name == "check" else self._check_health(watch, which)
            watch.works.append(self._background(work, f"{name} of {task.target_key}"))

    def end(self, task: TaskRecord) -> None:
        """The guest is to end or has ended."""
        watch = self._watches.pop(task.target_key, None)
        for work in watch.works if watch else ():
            if work is not asyncio.current_task():
                work.cancel()

    def close(self) -> None:
        """The agent stops."""
        for watch in list(self._watches.values()):
            self.end(watch.task)

    def answered(self, key: str, line: bytes) -> None:
        """A line of a guest's log that may be an answer."""
        watch, found = self._watches.get(key), checks.read(line)
        if watch is None or found is None or found.tag != watch.tag:
            return
        if watch.answer is not None and not watch.answer.done():
            watch.answer.set_result(found.status)

    def connected(self, up: bool) -> None:
        """The link to the target changed."""
        self._up = up
        self._breaks += not up

    # -- one task ---------------------------------------------------------------------------------------

    async def _check(self, watch: _Watch, which: int) -> None:
        """Tells the framework whatever the export returns, when it is something else than before."""
        task, wanted = watch.task, watch.task.info.check
        await asyncio.sleep(wanted.delay_seconds)
        while self._goes_on(watch):
            known, status = await self._ask(watch, which, wanted.timeout_seconds)
            if not self._goes_on(watch):
                return
            if known:
                found = mesos.CheckStatusInfo(type=wanted.type, command=mesos.CheckStatusInfo.Command())
                if status is not None:
                    found.command.exit_code = status
                if found != task.check_status:
                    task.check_status = found
                    words = "The check was not answered in time."
                    if status is not None:
                        words = f"The check returned {status}."
                    self._reports.tell(task, Verdict(mesos.TASK_RUNNING, _CHECKED, _EXECUTOR, words))
            await asyncio.sleep(wanted.interval_seconds)

    async def _check_health(self, watch: _Watch, which: int) -> None:
        """Tells when the task becomes healthy and each failure, and ends it after too many in a row."""
        task, wanted = watch.task, watch.task.info.health_check
        failures, begun = 0, time.monotonic()
        await asyncio.sleep(wanted.delay_seconds)
        while self._goes_on(watch):
            known, status = await self._ask(watch, which, wanted.timeout_seconds)
            if not self._goes_on(watch):
                return
            if known and status == 0:
                if task.healthy is not True:
                    self._tell_health(task, True, "The health check returned 0.")
                failures = 0
            elif known:
                in_grace = time.monotonic() - begun <= wanted.grace_period_seconds
                if task.healthy is not None or not in_grace:
                    failures += 1
                    words = "was not answered in time" if status is None else f"returned {status}"
                    self._tell_health(task, False, f"The health check {words}, {failures} times in a row.")
                    if failures >= wanted.consecutive_failures:
                        self._kills.unhealthy(task)
                        return
            await asyncio.sleep(wanted.interval_seconds)

    def _tell_health(self, task: TaskRecord, healthy: bool, words: str) -> None:
        task.healthy = healthy
        self._reports.tell(task, Verdict(mesos.TASK_RUNNING, _HEALTH_CHECKED, _EXECUTOR, words))

    def _goes_on(self, watch: _Watch) -> bool:
        task = watch.task
        return self._watches.get(task.target_key) is watch and task.kill is None and not task.terminal

    async def _ask(self, watch: _Watch, which: int, timeout: float) -> tuple[bool, int | None]:
        """Whether anything is known by it, and what the export returned; None when nothing came in `timeout`
        seconds (0: never mind how long)."""
        async with watch.turn:
            if not self._up:
                return False, None
            breaks = self._breaks
            watch.tag = checks.next_tag(watch.tag)
            watch.answer = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout or None):
                    await self._call(watch.task.target_key, checks.asked(which, watch.tag))
                    return True, await watch.answer
            except TimeoutError:
                return breaks == self._breaks, None
            except HalError as error:
                log.info("%s could not be checked: %s", watch.task.target_key, error)
                return False, None
            finally:
                watch.answer = None
