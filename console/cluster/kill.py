"""Ends any framework's task through its agent, by KILL_CONTAINER of Mesos's operator HTTP API."""

from __future__ import annotations

import asyncio
import posixpath
from dataclasses import dataclass

import aiohttp

from console.cluster.mesos import TaskState
from console.cluster.tasks import TaskRow, place_of, post_json, tasks
from console.cluster.trust import http_session
from console.errors import ConsoleError, UsageError

_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
_POLL = 0.2
_TERM, _KILL = 15, 9


@dataclass(frozen=True, slots=True)
class Ended:
    """How a task came to its end."""

    id: str
    state: str
    message: str


async def kill(master: str, task_id: str, *, at_once: bool, together: bool, timeout: float) -> Ended:
    """Have a task's executor ended, and wait until the master knows of it.

    `at_once`: without the seconds that a guest is given otherwise. `together`: also where other tasks share
    its executor. UsageError for a task that nobody has, ConsoleError where it cannot be killed or stays.
    """
    task = await _task(master, task_id)
    if _ended(task):
        raise ConsoleError(f"{task_id} has ended as {task.state} already.")
    async with http_session(master, timeout=_TIMEOUT) as http:
        place = await place_of(http, master, task_id)
        sharers = [one for one in place.tasks if one != task_id]
        if sharers and not together:
            raise UsageError(
                f"{task_id} shares its executor with {', '.join(sharers)}: they would end with it.",
                remedy="Add --together to end them all.",
            )
        container = {"value": posixpath.basename(place.directory)}
        wanted = {"container_id": container, "signal": _KILL if at_once else _TERM}
        call = {"type": "KILL_CONTAINER", "kill_container": wanted}
        await post_json(http, f"{place.url}/{place.actor}/api/v1", call)
    try:
        async with asyncio.timeout(timeout):
            while not _ended(task):
                await asyncio.sleep(_POLL)
                task = await _task(master, task_id)
    except TimeoutError:
        raise ConsoleError(
            f"{task_id} is still {task.state} after {timeout:g} s.",
            remedy="Is its board there? `mma ps` tells.",
        ) from None
    return Ended(task.id, task.state, task.message)


async def _task(master: str, task_id: str) -> TaskRow:
    rows = [row for row in await tasks(master, ended=True) if row.id == task_id]
    if not rows:
        raise UsageError(f"The master has no task {task_id}.", remedy="`mma ps --all` lists them.")
    return next((row for row in rows if not _ended(row)), rows[0])


def _ended(task: TaskRow) -> bool:
    return TaskState(task.state).terminal
