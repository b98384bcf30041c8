"""ATTACH_CONTAINER_OUTPUT: an executor's log as a stream of ProcessIO records, from its beginning and on
while it runs. (A native agent tells only what comes after the call.)

What is not yet sent waits on the disk: a caller who does not read costs one open file and one chunk.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import hdrs, web

from agent.http.answers import refuse
from agent.http.ask import Action, Ask
from agent.http.calls import container_name
from agent.http.container_calls import find
from agent.http.media import MESSAGE_CONTENT_TYPE, MediaTypes, encode, record
from agent.http.view import view
from agent.proto import agent_pb2 as api
from agent.sandbox import STDERR, STDOUT

HEARTBEAT = 30.0
"""Seconds between heartbeats (--http_heartbeat_interval)."""
STREAMS = 64
"""Callers that may be attached to the executors of one agent at a time."""
_CHUNK = 1 << 15
_POLL = 1.0


class Tail:
    """What is appended to a log, also over the moment when it is turned over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def read(self) -> bytes:
        """The next piece; empty when there is no more for now. Blocks for as long as the disk does."""
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        data = os.read(self._descriptor, _CHUNK)
        if not data and os.fstat(self._descriptor).st_ino != os.stat(self._path).st_ino:
            self.close()
            return self.read()
        return data

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


async def attach_output(ask: Ask, call: api.Call, types: MediaTypes) -> web.StreamResponse:
    """The stream; it ends with the executor."""
    container_id = call.attach_container_output.container_id
    found = find(ask, container_id)
    if found is None or not found.living:
        return refuse(404, f"Container {container_name(container_id)} cannot be found")
    if not ask.approves(Action.ATTACH_CONTAINER_OUTPUT, found.framework, found.info):
        return refuse(403)
    if ask.agent.attached >= STREAMS:
        return refuse(503, f"There are {STREAMS} callers attached already.\n")
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: types.accept.value})
    if types.message_accept is not None:
        response.headers[MESSAGE_CONTENT_TYPE] = types.message_accept.value
    changed = asyncio.Event()
    end_watch = ask.agent.sandboxes.watch(lambda name: changed.set() if name == container_id.value else None)
    folder = Path(found.directory)
    tails = [
        (api.ProcessIO.Data.STDOUT, Tail(folder / STDOUT)),
        (api.ProcessIO.Data.STDERR, Tail(folder / STDERR)),
    ]

    def lives() -> bool:
        now = view(ask.agent).container(container_id.value)
        return now is not None and bool(now.living)

    ask.agent.attached += 1
    try:
        await response.prepare(ask.request)
        await _follow(response, types, tails, changed, lives)
        await response.write_eof()
    except FileNotFoundError:
        response.force_close()  # somebody removed the sandbox
    finally:
        ask.agent.attached -= 1
        end_watch()
        for _, tail in tails:
            tail.close()
    return response


async def _follow(
    response: web.StreamResponse,
    types: MediaTypes,
    tails: list[tuple[api.ProcessIO.Data.Type, Tail]],
    changed: asyncio.Event,
    lives: Callable[[], bool],
) -> None:
    async def send(message: api.ProcessIO) -> None:
        await response.write(record(encode(message, types.outgoing)))

    beat = time.monotonic()
    while True:
        living = lives()  # before reading: what came until then is told
        changed.clear()
        for kind, tail in tails:
            while data := await asyncio.to_thread(tail.read):
                message = api.ProcessIO(type=api.ProcessIO.DATA)
                message.data.type, message.data.data = kind, data
                await send(message)
        if not living:
            return
        if time.monotonic() - beat >= HEARTBEAT:
            beat = time.monotonic()
            message = api.ProcessIO(type=api.ProcessIO.CONTROL)
            message.control.type = api.ProcessIO.Control.HEARTBEAT
            message.control.heartbeat.interval.nanoseconds = int(HEARTBEAT * 1e9)
            await send(message)
        try:
            async with asyncio.timeout(_POLL):
                await changed.wait()
        except TimeoutError:
            continue
