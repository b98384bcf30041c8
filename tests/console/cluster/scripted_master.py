"""A scheduler endpoint that follows a test's script: for what a genuine master does only when it breaks.

The genuine one is in tests/end_to_end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from console.cluster.recordio import encode

Json = dict[str, Any]


class ScriptedMaster:
    """Keeps the calls that came; `send` streams events to the newest subscription."""

    def __init__(self) -> None:
        self.calls: list[Json] = []
        self.subscriptions = 0
        self.refuse: dict[str, tuple[int, str]] = {}
        """Answer a kind of call with a status and words."""
        self.in_one_piece: list[Json] = []
        """Events that come in one piece with SUBSCRIBED."""
        self.url = ""
        self._called = asyncio.Condition()
        self._stream: web.StreamResponse | None = None
        self._end: asyncio.Event | None = None

    async def send(self, event: Json) -> None:
        """One event."""
        assert self._stream is not None
        await self._stream.write(encode(json.dumps(event).encode()))

    def break_stream(self) -> None:
        """Close the connection that carries the events."""
        assert self._end is not None
        self._end.set()

    async def call(self, kind: str, count: int = 1) -> Json:
        """Wait for the `count`th call of a kind."""
        async with asyncio.timeout(60), self._called:
            await self._called.wait_for(lambda: len(self._of(kind)) >= count)
        return self._of(kind)[count - 1]

    def _of(self, kind: str) -> list[Json]:
        return [call for call in self.calls if call["type"] == kind]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        call = await request.json()
        async with self._called:
            self.calls.append(call)
            self._called.notify_all()
        kind = call["type"]
        if kind in self.refuse:
            status, words = self.refuse[kind]
            return web.Response(status=status, text=words)
        if kind != "SUBSCRIBE":
            good = request.headers.get("Mesos-Stream-Id") == f"stream-{self.subscriptions}"
            return web.Response(status=202 if good else 400, text="" if good else "wrong stream id")
        self.subscriptions += 1
        headers = {"Mesos-Stream-Id": f"stream-{self.subscriptions}", "Content-Type": "application/json"}
        self._stream, end = web.StreamResponse(headers=headers), asyncio.Event()
        self._end = end
        await self._stream.prepare(request)
        identifier = call.get("framework_id", {"value": f"F{self.subscriptions}"})
        subscribed = {"framework_id": identifier, "heartbeat_interval_seconds": 15}
        events = [{"type": "SUBSCRIBED", "subscribed": subscribed}, *self.in_one_piece]
        await self._stream.write(b"".join(encode(json.dumps(event).encode()) for event in events))
        await end.wait()
        assert request.transport is not None
        request.transport.abort()
        return self._stream


@asynccontextmanager
async def scripted_master() -> AsyncIterator[ScriptedMaster]:
    """One that listens on loopback."""
    master = ScriptedMaster()
    app = web.Application()
    app.router.add_post("/master/api/v1/scheduler", master.handle)
    server = TestServer(app, handler_cancellation=True)
    async with server:
        master.url = f"http://{server.host}:{server.port}"
        yield master


def offer(identifier: str, *, target: str = "host", cpus: float = 1.0, mem: float = 1.0) -> Json:
    """An OFFERS event of one offer."""
    resources = [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": cpus}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": mem}},
    ]
    return {
        "type": "OFFERS",
        "offers": {
            "offers": [
                {
                    "id": {"value": identifier},
                    "agent_id": {"value": f"agent of {target}"},
                    "hostname": "127.0.0.1",
                    "allocation_info": {"role": "*"},
                    "resources": resources,
                    "attributes": [{"name": "target", "type": "TEXT", "text": {"value": target}}],
                }
            ]
        },
    }


def update(task_id: str, state: str, uuid: str = "", **more: Any) -> Json:
    """An UPDATE event."""
    status: Json = {
        "task_id": {"value": task_id},
        "agent_id": {"value": "agent of host"},
        "state": state,
        "timestamp": 1.5,
        **more,
    }
    if uuid:
        status["uuid"] = uuid
    return {"type": "UPDATE", "update": {"status": status}}
