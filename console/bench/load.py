"""A framework that launches as many tasks as fit at once, and acknowledges what comes: load for a fleet.

Its calls go down one connection without waiting for answers (HTTP/1.1 pipelining, RFC 9112 section 9.3.2):
the peer under load is to be the bottleneck, not this.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from console.bench.report import BenchError
from console.cluster.framework import CAPABILITIES
from console.cluster.mesos import Json, Offer, Resources
from console.cluster.scheduler import Subscription, master_url, subscribe

ROLE = "load"
SILENCE = 60.0
"""Seconds without any event after which the master is taken to hang."""


@dataclass(frozen=True, slots=True)
class Load:
    """What it came to: `tasks` finished within `seconds` from the first ACCEPT to the last TASK_FINISHED."""

    tasks: int
    seconds: float
    doubled: int
    """Tasks that ended twice: a fault of the agents. An update told again, for want of an acknowledgement, is
    none: it has the uuid of the first."""


def subscription_of(name: str, role: str, *, suppressed: bool = False) -> Json:
    """The SUBSCRIBE call of a framework with one role, which gets no offers while it is `suppressed`."""
    info: Json = {"user": "root", "name": name, "roles": [role]}
    info["capabilities"] = [{"type": kind} for kind in CAPABILITIES]
    body: Json = {"framework_info": info}
    if suppressed:
        body["suppressed_roles"] = [role]
    return {"type": "SUBSCRIBE", "subscribe": body}


async def load(master: str, tasks: int, each: Resources, module: bytes) -> Load:
    """Launch `tasks` tasks with the resources `each` on whatever is offered to the role `load`."""
    async with (
        aiohttp.ClientSession() as http,
        subscribe(http, master_url(master), subscription_of("load", ROLE)) as subscription,
        pipelined(subscription) as calls,
    ):
        events = subscription.events(SILENCE)
        return await _run(events, calls, tasks, each, base64.b64encode(module).decode("ascii"))


async def _run(events: AsyncIterator[Json], calls: _Calls, tasks: int, each: Resources, module: str) -> Load:
    start, launched, doubled, ended = 0.0, 0, 0, dict[str, str]()
    async for event in events:
        match event["type"]:
            case "SUBSCRIBED":
                calls.framework = event["subscribed"]["framework_id"]["value"]
            case "OFFERS":
                start = start or time.monotonic()
                for item in event["offers"]["offers"]:
                    offer = Offer.from_json(item, 0.0)
                    infos, left = [], offer.resources
                    while launched < tasks and not each.shortfalls(left):
                        left = left.minus(each)
                        infos.append(_task(launched, item["agent_id"], each, module))
                        launched += 1
                    calls.accept(item["id"], infos)
            case "UPDATE":
                status = event["update"]["status"]
                name, state = status["task_id"]["value"], status["state"]
                if status.get("uuid"):
                    calls.acknowledge(status)
                if state in ("TASK_STARTING", "TASK_RUNNING"):
                    continue
                if state != "TASK_FINISHED":
                    raise BenchError(f"{name} is {state}: {status.get('message', 'no reason given')}")
                uuid = status.get("uuid", "")
                doubled += ended.setdefault(name, uuid) != uuid
                if len(ended) == tasks:
                    return Load(tasks, time.monotonic() - start, doubled)
            case "ERROR":
                raise BenchError(f"The master says: {event['error']['message']}.")
    raise BenchError("The master ended the stream.")


def _task(number: int, agent_id: Json, each: Resources, module: str) -> Json:
    return {
        "name": "load",
        "task_id": {"value": f"load-{number}"},
        "agent_id": agent_id,
        "resources": each.to_json(ROLE),
        "command": {"shell": False, "value": "load"},
        "data": module,
    }


class _Calls:
    """Calls of one subscription, written without waiting."""

    def __init__(self, writer: asyncio.StreamWriter, head: bytes) -> None:
        self.framework = ""
        self._writer = writer
        self._head = head

    def accept(self, offer_id: Json, infos: list[Json]) -> None:
        """ACCEPT with a LAUNCH of these tasks; with none the offer is declined for long."""
        if infos:
            launch = [{"type": "LAUNCH", "launch": {"task_infos": infos}}]
            body: Json = {"offer_ids": [offer_id], "operations": launch, "filters": {"refuse_seconds": 0.0}}
            self._write("ACCEPT", accept=body)
        else:
            self._write("DECLINE", decline={"offer_ids": [offer_id], "filters": {"refuse_seconds": 3600.0}})

    def acknowledge(self, status: Json) -> None:
        """ACKNOWLEDGE one update."""
        body = {name: status[name] for name in ("agent_id", "task_id", "uuid")}
        self._write("ACKNOWLEDGE", acknowledge=body)

    def _write(self, kind: str, **body: Json) -> None:
        call = {"type": kind, "framework_id": {"value": self.framework}, **body}
        data = json.dumps(call).encode()
        self._writer.write(self._head % len(data) + data)


@asynccontextmanager
async def pipelined(subscription: Subscription) -> AsyncIterator[_Calls]:
    """Calls for a subscription. Answers are read and thrown away: a refused call shows in what follows."""
    parts = urlsplit(subscription.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"Mesos-Stream-Id: {subscription.stream_id}\r\nContent-Length: %d\r\n\r\n"
    )

    async def drain() -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(1 << 16):
                pass

    draining = asyncio.create_task(drain(), name="answers to the load")
    try:
        yield _Calls(writer, head.encode("ascii"))
    finally:
        draining.cancel()
        writer.close()
