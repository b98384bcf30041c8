"""A task's log with what Mesos says of it and the decoded messages of its board's link between the lines.

For `mma logs --trace`: the log comes from the agent's sandbox, the states from the master's GET_TASKS, the
messages from the agent's /trace.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from console.cluster.leader import leader_url
from console.cluster.task_details import moments_of
from console.cluster.tasks import get_json, place_of
from console.cluster.trust import http_session
from console.state.loglines import Origin, task_of

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_PIECE = 1 << 16
_POLL = 0.3


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `time` is since the epoch; of what an executor logged, when it was read."""

    time: float
    origin: Origin
    text: str


async def traced_log(master: str, task_id: str, *, follow: bool = False) -> AsyncIterator[Entry]:
    """Everything so far; with `follow` on until the task has ended. UsageError for a task that nobody has,
    ConsoleError where its agent has no trace."""
    async with http_session(master, timeout=_TIMEOUT) as http:
        place = await place_of(http, master, task_id)
        reader = _Reader(http, master, task_id, place.url, place.directory)
        trace = f"{place.url}/{place.actor}/trace"
        after = 0
        while True:
            states = await reader.states()
            over = not follow or reader.ended
            found = await get_json(http, trace, {"after": str(after)})
            after = found["next"]
            coap = [
                Entry(line["time"], Origin.COAP, line["text"])
                for line in found["lines"]
                if not line["key"] or task_of(line["key"]) == task_id
            ]
            lines = await reader.lines(last=over)
            for entry in sorted([*states, *coap, *lines], key=lambda one: one.time):
                yield entry
            if over:
                return
            await asyncio.sleep(_POLL)


class _Reader:
    """What is new of a task since the last time."""

    def __init__(
        self, http: aiohttp.ClientSession, master: str, task_id: str, url: str, directory: str
    ) -> None:
        self._http = http
        self._master = master
        self._task = task_id
        self._read = f"{url}/files/read"
        self._path = f"{directory}/stdout"
        self._told = 0
        self._offset = 0
        self._rest = b""
        self.ended = False

    async def states(self) -> list[Entry]:
        """States that it was not in before."""
        moments = await moments_of(self._http, await leader_url(self._master), self._task)
        new, self._told = moments[self._told :], len(moments)
        self.ended = bool(moments) and moments[-1].terminal
        return [Entry(one.time, Origin.MESOS, f"{one.state} {one.message}".rstrip()) for one in new]

    async def lines(self, *, last: bool) -> list[Entry]:
        """Lines that are whole by now; the `last` one need not be."""
        while True:
            asked = {"path": self._path, "offset": str(self._offset), "length": str(_PIECE)}
            found: dict[str, Any] = await get_json(self._http, self._read, asked)
            data = str(found.get("data", "")).encode("utf-8", "surrogateescape")
            if not data:
                break
            self._offset += len(data)
            self._rest += data
        *whole, self._rest = self._rest.split(b"\n")
        if last and self._rest:
            whole, self._rest = [*whole, self._rest], b""
        now = time.time()
        return [Entry(now, Origin.EXECUTOR, line.decode("utf-8", "backslashreplace")) for line in whole]
