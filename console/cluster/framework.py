"""Our Mesos framework: it watches offers, launches tasks on named targets and follows their states.

It lives through a broken stream, a restarted master and a new leader: it subscribes again with its id,
counts the old offers as rescinded and reconciles its tasks. Used by the command line and the console
alike; it draws nothing.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import getpass
import logging
import random
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from types import TracebackType
from typing import Self

import aiohttp

from console.broadcast import Broadcast
from console.cluster.leader import checked, leader_url, shown
from console.cluster.mesos import Json, Offer, OfferState, Resources, Status, Task, TaskSpec, TaskState
from console.cluster.scheduler import Subscription, Unreachable, subscribe
from console.cluster.trust import http_session
from console.errors import MasterError
from console.state.events import AgentLost, Connected, Disconnected, OfferChanged, Refused, TaskChanged
from console.state.events import FrameworkEvent as Event

log = logging.getLogger(__name__)

CAPABILITIES = ("PARTITION_AWARE", "MULTI_ROLE", "TASK_KILLING_STATE", "RESERVATION_REFINEMENT")

_CLOSED_OFFERS_KEPT = 500
_LONGEST_PAUSE = 5.0
_SILENT_HEARTBEATS = 5
_FIRST_SILENCE = 30.0


class Framework:
    """One framework at one master.

    Use as `async with Framework("127.0.0.1:5050") as framework`; leaving it tears the framework down, and
    with it its tasks. `hold` is how long an offer that nobody uses is kept before it is declined, in
    seconds; a declined offer is refused for `refuse` seconds.
    """

    def __init__(
        self,
        master: str,
        *,
        name: str = "mma",
        role: str = "*",
        hold: float = 60.0,
        refuse: float = 1.0,
        failover_timeout: float = 600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._master = checked(master)
        self._base = shown(master)
        self._name = name
        self._role = role
        self._hold = hold
        self._refuse = refuse
        self._failover_timeout = failover_timeout
        self._clock = clock
        self._id = ""
        self._open: dict[str, Offer] = {}
        self._closed: deque[Offer] = deque(maxlen=_CLOSED_OFFERS_KEPT)
        self._tasks: dict[str, Task] = {}
        self._last_uuid: dict[str, str] = {}
        self._subscription: Subscription | None = None
        self._subscribed = asyncio.Event()
        self._failure: MasterError | None = None
        self._broadcast: Broadcast[Event] = Broadcast()
        self._http: aiohttp.ClientSession | None = None
        self._workers: list[asyncio.Task[None]] = []

    # -- lifecycle

    async def __aenter__(self) -> Self:
        # No limit: the stream holds one connection for good, and calls must never queue behind it.
        self._http = http_session(self._master)
        self._workers = [
            asyncio.create_task(self._follow(self._http), name="framework stream"),
            asyncio.create_task(self._decline_old(), name="framework declines"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._subscription is not None and self._id:
            with contextlib.suppress(MasterError):
                await self._call("TEARDOWN")
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    async def ready(self, timeout: float = 15.0) -> str:
        """Wait for the first subscription; returns the framework id. MasterError when it does not come."""
        try:
            async with asyncio.timeout(timeout):
                await self._subscribed.wait()
        except TimeoutError:
            raise MasterError(
                f"No Mesos master answered at {self._base} in {timeout:.0f} s.",
                remedy="Is it running? `mma master` starts one.",
            ) from None
        if self._failure is not None:
            raise self._failure
        return self._id

    # -- what is known

    @property
    def id(self) -> str:
        """The id that the master gave; empty before the first subscription."""
        return self._id

    @property
    def url(self) -> str:
        """Base URL of the master that was asked last; before that what it is found by."""
        return self._base

    @property
    def connected(self) -> bool:
        """There is a live stream."""
        return self._subscription is not None

    @property
    def offers(self) -> Mapping[str, Offer]:
        """The open offers by id."""
        return self._open

    @property
    def closed_offers(self) -> tuple[Offer, ...]:
        """The newest closed offers, oldest first."""
        return tuple(self._closed)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Every task that was ever submitted, by id."""
        return self._tasks

    def listen(self) -> AbstractAsyncContextManager[asyncio.Queue[Event]]:
        """Every event from here on: `async with framework.listen() as queue`."""
        return self._broadcast.listen()

    # -- what one can do

    async def submit(self, spec: TaskSpec) -> str:
        """Run a task as soon as its target is offered with enough room. Returns the task's id."""
        task_id = f"{spec.name}-{uuid.uuid4().hex[:8]}"
        waits = Status(TaskState.WAITING, self._clock(), message=f"Waiting for an offer of {spec.target}.")
        self._put_task(Task(task_id, spec, (waits,)))
        await self._place()
        if self._tasks[task_id].state is TaskState.WAITING:
            # The allocator returns freed resources once a second, and a REVIVE at once.
            with contextlib.suppress(MasterError):
                await self.revive()
        return task_id

    async def wait(self, task_id: str) -> Task:
        """Wait until the task has ended."""
        async with self.listen() as queue:
            while not self._tasks[task_id].state.terminal:
                await queue.get()
        return self._tasks[task_id]

    async def wait_for_offer(self, target: str) -> Offer:
        """Wait for an open offer of `target`."""
        async with self.listen() as queue:
            while True:
                for offer in self._open.values():
                    if offer.target == target:
                        return offer
                await queue.get()

    async def kill(self, task_id: str, grace: float = 0.0) -> None:
        """Kill a task; its states follow as events. Unknown and ended ones are ignored."""
        task = self._tasks.get(task_id)
        if task is None or task.state.terminal:
            return
        if task.state is TaskState.WAITING:
            self._advance(task_id, Status(TaskState.KILLED, self._clock(), message="It had not started."))
            return
        policy = {"grace_period": {"nanoseconds": int(grace * 1e9)}}
        body = {"task_id": {"value": task_id}, "agent_id": {"value": task.agent_id}, "kill_policy": policy}
        await self._call("KILL", kill=body)

    async def decline(self, offer_id: str, refuse: float | None = None) -> None:
        """Give an offer back; it is not made again for `refuse` seconds."""
        if offer_id not in self._open:
            return
        seconds = self._refuse if refuse is None else refuse
        self._close_offer(offer_id, OfferState.DECLINED, f"refused for {seconds:g} s")
        filters = {"refuse_seconds": seconds}
        await self._call("DECLINE", decline={"offer_ids": [{"value": offer_id}], "filters": filters})

    async def revive(self) -> None:
        """Forget all refusals: the master offers again at once."""
        await self._call("REVIVE", revive={"roles": [self._role]})

    async def reconcile(self) -> None:
        """Ask the master for the states of all living tasks; they follow as events."""
        living = [task for task in self._tasks.values() if task.agent_id and not task.state.terminal]
        if living:
            asked = [{"task_id": {"value": t.id}, "agent_id": {"value": t.agent_id}} for t in living]
            await self._call("RECONCILE", reconcile={"tasks": asked})

    # -- the stream

    async def _follow(self, http: aiohttp.ClientSession) -> None:
        pause = 0.1
        while True:
            try:
                self._base = await leader_url(self._master)
                async with subscribe(http, self._base, self._subscribe_call()) as subscription:
                    async for event in self._events(subscription):
                        pause = 0.1
                        await self._handle(event)
            except Unreachable as error:
                self._disconnect(str(error))
            except MasterError as error:
                self._disconnect(str(error))
                if not self._id:  # never subscribed: this master does not want us at all
                    self._failure = error
                    self._subscribed.set()
                    return
            await asyncio.sleep(random.uniform(0.5, 1.0) * pause)
            pause = min(_LONGEST_PAUSE, pause * 2)

    async def _events(self, subscription: Subscription) -> AsyncIterator[Json]:
        async for event in subscription.events(_FIRST_SILENCE):
            if event["type"] == "SUBSCRIBED":
                self._subscription = subscription
                yield event
                beat = float(event["subscribed"].get("heartbeat_interval_seconds", 15.0))
                break
        else:
            return
        async for event in subscription.events(max(1.0, beat * _SILENT_HEARTBEATS)):
            yield event

    def _disconnect(self, message: str) -> None:
        self._subscription = None
        self._broadcast.post(Disconnected(message))
        for offer_id in list(self._open):
            self._close_offer(offer_id, OfferState.RESCINDED, "the connection to the master broke")

    def _subscribe_call(self) -> Json:
        info: Json = {
            "user": getpass.getuser(),
            "name": self._name,
            "roles": [self._role],
            "checkpoint": True,
            "failover_timeout": self._failover_timeout,
            "capabilities": [{"type": kind} for kind in CAPABILITIES],
        }
        call: Json = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
        if self._id:
            info["id"] = {"value": self._id}
            call["framework_id"] = {"value": self._id}
        return call

    async def _handle(self, event: Json) -> None:
        kind = event["type"]
        if kind == "SUBSCRIBED":
            assert self._subscription is not None
            self._id = event["subscribed"]["framework_id"]["value"]
            self._subscribed.set()
            self._broadcast.post(Connected(self._id, self._subscription.base))
            with contextlib.suppress(Unreachable):
                await self.reconcile()
        elif kind == "OFFERS":
            now = self._clock()
            for item in event["offers"]["offers"]:
                offer = Offer.from_json(item, now)
                self._open[offer.id] = offer
                self._broadcast.post(OfferChanged(offer))
            await self._place()
        elif kind == "RESCIND":
            offer_id = event["rescind"]["offer_id"]["value"]
            self._close_offer(offer_id, OfferState.RESCINDED, "the master took it back")
        elif kind == "UPDATE":
            await self._update(event["update"]["status"])
        elif kind == "FAILURE" and "executor_id" not in event["failure"]:
            self._broadcast.post(AgentLost(event["failure"]["agent_id"]["value"]))
        elif kind == "ERROR":
            message = event["error"]["message"]
            log.warning("the master says: %s", message)
            self._broadcast.post(Refused(f"The master says: {message}."))
            if "removed" in message or "completed" in message:
                self._start_over(message)

    def _start_over(self, message: str) -> None:
        """The master forgot this framework, and so its tasks: subscribe as a new one."""
        self._id = ""
        for task in list(self._tasks.values()):
            if not task.state.terminal and task.state is not TaskState.WAITING:
                self._advance(task.id, Status(TaskState.GONE, self._clock(), message=message))

    async def _update(self, item: Json) -> None:
        task_id = item["task_id"]["value"]
        identifier = item.get("uuid", "")
        known = self._tasks.get(task_id)
        again = identifier and self._last_uuid.get(task_id) == identifier
        status = status_from_json(item, self._clock())
        reconciled = not identifier and known is not None and known.state is status.state
        if known is not None and not again and not reconciled and not known.state.terminal:
            self._last_uuid[task_id] = identifier
            self._advance(task_id, status)
        if identifier:
            # Acknowledged only after it is on the books; the agent repeats it until then.
            agent_id = item["agent_id"]
            body = {"agent_id": agent_id, "task_id": item["task_id"], "uuid": identifier}
            with contextlib.suppress(Unreachable):
                await self._try("ACKNOWLEDGE", acknowledge=body)

    # -- offers and tasks

    async def _place(self) -> None:
        """Give every waiting task an offer that holds it, several to one offer where they fit."""
        waiting = [task for task in self._tasks.values() if task.state is TaskState.WAITING]
        if not waiting:
            return
        for offer in list(self._open.values()):
            left, chosen = offer.resources, list[Task]()
            for task in waiting:
                if task.spec.target == offer.target and not task.spec.resources.shortfalls(left):
                    left = left.minus(task.spec.resources)
                    chosen.append(task)
            if chosen:
                waiting = [task for task in waiting if task not in chosen]
                await self._accept(offer, chosen)

    async def _accept(self, offer: Offer, tasks: list[Task]) -> None:
        names = ", ".join(task.id for task in tasks)
        self._close_offer(offer.id, OfferState.ACCEPTED, f"for {names}")
        for task in tasks:
            self._tasks[task.id] = replace(task, agent_id=offer.agent_id, hostname=offer.hostname)
            self._advance(task.id, Status(TaskState.STAGING, self._clock()))
        infos = [task_to_json(task, offer, self._role) for task in tasks]
        body = {
            "offer_ids": [{"value": offer.id}],
            "operations": [{"type": "LAUNCH", "launch": {"task_infos": infos}}],
            "filters": {"refuse_seconds": 0.0},  # the rest of the offer may come back at once
        }
        try:
            await self._call("ACCEPT", accept=body)
        except Unreachable as error:
            log.info("%s; reconciliation will tell", error)
        except MasterError as error:
            for task in tasks:
                self._advance(task.id, Status(TaskState.ERROR, self._clock(), message=str(error)))

    async def _decline_old(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self._hold))
            now = self._clock()
            for offer in list(self._open.values()):
                if offer.age(now) >= self._hold:
                    with contextlib.suppress(Unreachable):
                        await self.decline(offer.id)

    def _close_offer(self, offer_id: str, state: OfferState, note: str) -> None:
        offer = self._open.pop(offer_id, None)
        if offer is not None:
            offer = replace(offer, state=state, closed=self._clock(), note=note)
            self._closed.append(offer)
            self._broadcast.post(OfferChanged(offer))

    def _advance(self, task_id: str, status: Status) -> None:
        task = self._tasks[task_id]
        self._put_task(replace(task, history=(*task.history, status)))

    def _put_task(self, task: Task) -> None:
        self._tasks[task.id] = task
        self._broadcast.post(TaskChanged(task))

    # -- calls

    async def _try(self, kind: str, **body: Json) -> None:
        try:
            await self._call(kind, **body)
        except Unreachable:
            raise
        except MasterError as error:
            log.warning("%s", error)
            self._broadcast.post(Refused(str(error)))

    async def _call(self, kind: str, **body: Json) -> None:
        if self._subscription is None:
            raise Unreachable("There is no connection to the master now.", remedy="It is being tried again.")
        await self._subscription.call({"framework_id": {"value": self._id}, "type": kind, **body})


# -- JSON -------------------------------------------------------------------------------------------


def status_from_json(item: Json, now: float) -> Status:
    """A v1 TaskStatus. A state that is newer than this program counts as UNKNOWN."""
    try:
        state = TaskState(item["state"])
    except ValueError:
        state = TaskState.UNKNOWN
    return Status(
        state=state,
        time=float(item.get("timestamp", now)),
        reason=item.get("reason", ""),
        message=item.get("message", ""),
        source=item.get("source", ""),
        data=base64.b64decode(item.get("data", "")),
    )


def task_to_json(task: Task, offer: Offer, role: str) -> Json:
    """A v1 TaskInfo: a command task whose `data` is the module (docs/tasks.md)."""
    spec = task.spec
    command = {"shell": False, "value": spec.name, "arguments": list(spec.arguments)}
    return {
        "name": spec.name,
        "task_id": {"value": task.id},
        "agent_id": {"value": offer.agent_id},
        "resources": spec.resources.to_json(role),
        "command": command,
        "data": base64.b64encode(spec.module).decode("ascii"),
        "labels": {"labels": [{"key": key, "value": value} for key, value in spec.labels.items()]},
    }


__all__ = [
    "AgentLost",
    "Connected",
    "Disconnected",
    "Event",
    "Framework",
    "OfferChanged",
    "Refused",
    "Resources",
    "TaskChanged",
]
