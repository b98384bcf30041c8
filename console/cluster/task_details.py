"""What becomes of tasks and what they use, over HTTP: for `mma ps --history` and `--usage`.

Sources: GET_TASKS of the master's operator API (docs/operator-http-api of Apache Mesos 1.11), and
/monitor/statistics of its agents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from console.cluster.leader import leader_url
from console.cluster.mesos import TaskState
from console.cluster.tasks import get_json, post_json, scheme_of
from console.cluster.trust import http_session
from console.errors import ConsoleError

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_APART = 1.0
"""Seconds between the two readings that a CPU share is made of."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One state of a task; `time` in seconds since the epoch."""

    state: str
    time: float
    reason: str = ""
    message: str = ""

    @property
    def terminal(self) -> bool:
        """Nothing can follow."""
        try:
            return TaskState(self.state).terminal
        except ValueError:  # one that is newer than this program
            return False


@dataclass(frozen=True, slots=True)
class Used:
    """What an executor uses: CPU seconds so far, its share of a core just now, bytes at their most and all
    that it may have."""

    cpu_seconds: float
    share: float
    bytes: int
    limit: int


async def histories(master: str) -> dict[str, list[Moment]]:
    """The states of every task that the master remembers, oldest first, by the task's id."""
    async with http_session(master, timeout=_TIMEOUT) as http:
        return _found(
            await post_json(http, f"{await leader_url(master)}/master/api/v1", {"type": "GET_TASKS"})
        )


def _found(answer: Mapping[str, Any]) -> dict[str, list[Moment]]:
    found: dict[str, list[Moment]] = {}
    groups = answer.get("get_tasks", {})
    for name in ("tasks", "completed_tasks", "unreachable_tasks"):
        for task in groups.get(name, ()):
            found[task["task_id"]["value"]] = [_moment(one) for one in task.get("statuses", ())]
    return found


async def moments_of(http: aiohttp.ClientSession, leader: str, task_id: str) -> list[Moment]:
    """The states of one task, oldest first; empty for one that the master has forgotten."""
    answer = await post_json(http, f"{leader}/master/api/v1", {"type": "GET_TASKS"})
    return _found(answer).get(task_id, [])


def _moment(status: Mapping[str, Any]) -> Moment:
    return Moment(
        status.get("state", ""),
        float(status.get("timestamp", 0.0)),
        status.get("reason", ""),
        status.get("message", ""),
    )


async def usage(master: str) -> dict[str, Used]:
    """What each living executor uses, by its id, which is its task's for a task without an executor of its
    own. Takes a second: shares are of two readings. Agents that do not answer are left out."""
    async with http_session(master, timeout=_TIMEOUT) as http:
        leader = await leader_url(master)
        state = await get_json(http, f"{leader}/master/state")
        urls = []
        for agent in state.get("slaves", ()):
            if agent.get("active"):
                actor, _, address = agent["pid"].partition("@")
                urls.append(f"{scheme_of(leader)}://{address}/{actor}/monitor/statistics")
        first = await _read(http, urls)
        await asyncio.sleep(_APART)
        second = await _read(http, urls)
    found = {}
    for name, now in second.items():
        before = first.get(name, now)
        seconds = now["timestamp"] - before["timestamp"]
        spent = now["cpus_user_time_secs"] - before["cpus_user_time_secs"]
        found[name] = Used(
            cpu_seconds=now["cpus_user_time_secs"],
            share=max(0.0, spent / seconds) if seconds > 0 else 0.0,
            bytes=int(now.get("mem_rss_bytes", 0)),
            limit=int(now.get("mem_limit_bytes", 0)),
        )
    return found


async def _read(http: aiohttp.ClientSession, urls: list[str]) -> dict[str, Mapping[str, Any]]:
    async def one(url: str) -> list[Any]:
        try:
            return await get_json(http, url, kind=list)
        except ConsoleError:  # its agent is going away, or wants credentials
            return []

    answers = await asyncio.gather(*(one(url) for url in urls))
    return {item["executor_id"]: item["statistics"] for items in answers for item in items}
