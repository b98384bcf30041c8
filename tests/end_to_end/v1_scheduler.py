"""A Mesos framework for tests: the v1 scheduler API by hand, every acknowledgement under control."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self

import aiohttp

from console.cluster.recordio import Decoder

Json = dict[str, Any]

CAPABILITIES = ("PARTITION_AWARE", "MULTI_ROLE", "TASK_KILLING_STATE", "RESERVATION_REFINEMENT")


def label_json(labels: dict[str, str]) -> Json:
    """Labels as the v1 API writes them."""
    return {"labels": [{"key": key, "value": value} for key, value in labels.items()]}


class Scheduler(AbstractAsyncContextManager["Scheduler"]):
    """Subscribes to `master` (host:port); offers and updates wait in queues.

    `acknowledge` False leaves every update unacknowledged until acknowledge() is called.
    """

    def __init__(
        self,
        master: str,
        *,
        capabilities: Sequence[str] = CAPABILITIES,
        checkpoint: bool = True,
        acknowledge: bool = True,
        roles: Sequence[str] = ("*",),
        failover_timeout: float = 600.0,
    ) -> None:
        self._url = f"http://{master}/master/api/v1/scheduler"
        self._acknowledge = acknowledge
        self._info: Json = {
            "user": "root",
            "name": "test",
            "roles": list(roles),
            "checkpoint": checkpoint,
            "failover_timeout": failover_timeout,
            "capabilities": [{"type": name} for name in capabilities],
        }
        self.id = ""
        self.offers: dict[str, Json] = {}
        self.updates: list[Json] = []
        self.operations: list[Json] = []
        """Statuses of operations; to be acknowledged by hand."""
        self.messages: list[Json] = []
        """From executors."""
        self.failures: list[Json] = []
        self.errors: list[str] = []
        self.inverse_offers: list[Json] = []
        """The master wants an agent back: for maintenance."""
        self.changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        self._reader = asyncio.create_task(self._subscribe())
        await self.until(lambda: bool(self.id))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reader.cancel()
        await asyncio.wait([self._reader])
        await self._session.close()

    def take_over(self, other: Scheduler) -> None:
        """Be another instance of the same framework, before it begins."""
        self._info["id"] = {"value": other.id}

    async def resubscribe(self, master: str = "") -> None:
        """With the same id, there or at another address: the master was restarted, or another one leads."""
        self._reader.cancel()
        await asyncio.wait([self._reader])
        self.offers.clear()
        if master:
            self._url = f"http://{master}/master/api/v1/scheduler"
        self._info["id"] = {"value": self.id}
        self.id = ""
        self._reader = asyncio.create_task(self._subscribe())
        await self.until(lambda: bool(self.id))

    async def until(self, condition: Callable[[], Any], timeout: float = 60.0) -> Any:
        """Wait until `condition` is true; returns what it gave."""
        async with asyncio.timeout(timeout):
            async with self.changed:
                while not (found := condition()):
                    await self.changed.wait()
                return found

    async def offer(self, agent_id: str = "", timeout: float = 60.0) -> Json:
        """The next offer, of one agent or of any."""

        def find() -> Json | None:
            for key, offer in self.offers.items():
                if agent_id in ("", offer["agent_id"]["value"]):
                    return self.offers.pop(key)
            return None

        found: Json = await self.until(find, timeout)
        return found

    def states(self, task_id: str) -> list[str]:
        """The states that a task was told to be in, repetitions left out."""
        found: list[str] = []
        for update in self.updates:
            if update["task_id"]["value"] == task_id and update["state"] not in found[-1:]:
                found.append(update["state"])
        return found

    async def status(self, task_id: str, state: str, timeout: float = 60.0) -> Json:
        """The first update that tells this state of the task."""

        def find() -> Json | None:
            for update in self.updates:
                if update["task_id"]["value"] == task_id and update["state"] == state:
                    return update
            return None

        found: Json = await self.until(find, timeout)
        return found

    async def launch(self, offer: Json, *tasks: Json, group: Json | None = None) -> None:
        """Accept an offer for some tasks; missing fields of the tasks are filled in."""
        filled = []
        for task in tasks:
            resources = task.get("resources") or [scalar("cpus", 0.01), scalar("mem", 1)]
            task = {"name": "t", "agent_id": offer["agent_id"], **task, "resources": resources}
            if isinstance(task["task_id"], str):
                task["task_id"] = {"value": task["task_id"]}
            if isinstance(task.get("data"), bytes):
                task["data"] = base64.b64encode(task["data"]).decode()
            if "command" not in task and "executor" not in task:
                task["command"] = {"shell": False, "value": "module.wasm"}
            filled.append(task)
        operation: Json = {"type": "LAUNCH", "launch": {"task_infos": filled}}
        if group is not None:
            operation = {
                "type": "LAUNCH_GROUP",
                "launch_group": {"executor": group, "task_group": {"tasks": filled}},
            }
        accept = {"offer_ids": [offer["id"]], "operations": [operation], "filters": {"refuse_seconds": 0.0}}
        await self.call("ACCEPT", accept=accept)

    async def run(self, data: bytes, task_id: str, agent_id: str = "", **more: Any) -> None:
        """Wait for an offer and launch one module on it."""
        await self.launch(await self.offer(agent_id), {"task_id": task_id, "data": data, **more})

    async def kill(self, task_id: str, grace: float | None = None) -> None:
        """Ask for the end of a task."""
        body: Json = {"task_id": {"value": task_id}}
        if grace is not None:
            body["kill_policy"] = {"grace_period": {"nanoseconds": int(grace * 1e9)}}
        await self.call("KILL", kill=body)

    async def acknowledge(self, update: Json) -> None:
        """Acknowledge one update; those without a uuid need none."""
        if "uuid" in update:
            body = {key: update[key] for key in ("agent_id", "task_id", "uuid")}
            await self.call("ACKNOWLEDGE", acknowledge=body)

    async def call(self, kind: str, **body: Any) -> None:
        """One call of the v1 API."""
        content = {"framework_id": {"value": self.id}, "type": kind, **body}
        headers = {"Mesos-Stream-Id": self._stream_id}
        async with self._session.post(self._url, json=content, headers=headers) as response:
            assert response.status == 202, await response.text()

    async def _subscribe(self) -> None:
        body: Json = {"type": "SUBSCRIBE", "subscribe": {"framework_info": self._info}}
        if "id" in self._info:
            body["framework_id"] = self._info["id"]
        decoder = Decoder()
        async with self._session.post(self._url, json=body) as response:
            assert response.status == 200, await response.text()
            self._stream_id = response.headers["Mesos-Stream-Id"]
            async for part in response.content.iter_any():
                for record in decoder.feed(part):
                    await self._event(json.loads(record))

    async def _event(self, event: Json) -> None:
        handlers: dict[str, Callable[[Json], Awaitable[None] | None]] = {
            "UPDATE": self._update,
            "OFFERS": self._offers,
            "RESCIND": lambda event: self._rescind(event["rescind"]["offer_id"]["value"]),
            "UPDATE_OPERATION_STATUS": lambda event: self.operations.append(
                event["update_operation_status"]["status"]
            ),
            "MESSAGE": lambda event: self.messages.append(event["message"]),
            "FAILURE": lambda event: self.failures.append(event["failure"]),
            "ERROR": lambda event: self.errors.append(event["error"]["message"]),
            "INVERSE_OFFERS": lambda event: self.inverse_offers.extend(
                event["inverse_offers"]["inverse_offers"]
            ),
            "SUBSCRIBED": self._subscribed,
        }
        handler = handlers.get(event["type"])
        if handler is not None:
            waiting = handler(event)
            if waiting is not None:
                await waiting
            async with self.changed:
                self.changed.notify_all()

    def _subscribed(self, event: Json) -> None:
        self.id = event["subscribed"]["framework_id"]["value"]

    def _offers(self, event: Json) -> None:
        self.offers.update((offer["id"]["value"], offer) for offer in event["offers"]["offers"])

    def _rescind(self, offer_id: str) -> None:
        self.offers.pop(offer_id, None)

    async def _update(self, event: Json) -> None:
        update = event["update"]["status"]
        self.updates.append(update)
        if self._acknowledge:
            await self.acknowledge(update)


def scalar(name: str, value: float, role: str = "*") -> Json:
    """A scalar resource of a task."""
    return {
        "name": name,
        "type": "SCALAR",
        "scalar": {"value": value},
        "allocation_info": {"role": role},
    }
