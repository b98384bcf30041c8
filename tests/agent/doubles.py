"""A master and a target that do what a test tells them, for what the real ones do only when they like.

The master is at the other end of real sockets and speaks real libprocess; only its decisions are the test's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Any, TypeVar

from aiohttp import web
from google.protobuf.message import Message

from agent.guard import Sealed
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.tls import Tls
from agent.wire.framing import Message as Framed
from agent.wire.port import Port
from agent.wire.upid import Peer, Upid
from hal import checks
from hal.errors import LinkError
from hal.target import (
    Cause,
    Description,
    Ended,
    Event,
    Launch,
    Output,
    Ranges,
    Resource,
    Scalar,
    Started,
    Usage,
)

MODULE = b"\0asm\1\0\0\0"
M = TypeVar("M", bound=Message)


async def _no_http(request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(status=404)


class MasterDouble:
    """`auto` answers registrations, `acknowledging` every update; all that agents sent is in `got`."""

    id = "master"

    def __init__(
        self, port: int = 0, auto: bool = True, ping_timeout: float = 75.0, tls: Tls | None = None
    ) -> None:
        self.auto = auto
        self.acknowledging = False
        self.ping_timeout = ping_timeout
        self.got: list[tuple[Upid, Message]] = []
        self.port = Port("127.0.0.1", port, _no_http, tls=tls)
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids: dict[str, str] = {}

    @property
    def address(self) -> str:
        return f"{self.port.address[0]}:{self.port.address[1]}"

    async def __aenter__(self) -> MasterDouble:
        await self.port.open()
        self.port.add(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.port.close()

    def receive(self, message: Framed) -> None:
        kind = getattr(internal, message.name.removeprefix("mesos.internal."))
        content = kind.FromString(message.body)
        self.got.append((message.sender, content))
        if self.auto and isinstance(content, internal.RegisterSlaveMessage):
            agent_id = self._ids.setdefault(str(message.sender), f"S{len(self._ids)}")
            self.registered(message.sender, agent_id)
        elif self.auto and isinstance(content, internal.ReregisterSlaveMessage):
            self.reregistered(message.sender, content.slave.id.value)
        elif self.acknowledging and isinstance(content, internal.StatusUpdateMessage):
            self.acknowledge(message.sender, content.update.status, content.update.framework_id.value)
        notify = asyncio.create_task(self._notify())
        self._tasks.add(notify)
        notify.add_done_callback(self._tasks.discard)

    def link_lost(self, peer: Peer) -> None:
        """Nothing: the double links nobody."""

    def peer_left(self, peer: Peer) -> None:
        """Nothing."""

    def all(self, kind: type[M]) -> list[M]:
        """What came of one kind, oldest first."""
        return [message for _, message in self.got if isinstance(message, kind)]

    async def until(self, condition: Callable[[], Any], timeout: float = 60.0) -> Any:
        """Wait until `condition` gives something true."""
        async with asyncio.timeout(timeout), self._changed:
            while not (found := condition()):
                await self._changed.wait()
            return found

    async def take(self, kind: type[M], count: int = 1, timeout: float = 60.0) -> M:
        """The `count`-th message of one kind, once it came."""
        await self.until(lambda: len(self.all(kind)) >= count, timeout)
        return self.all(kind)[count - 1]

    def send(self, to: Upid | str, message: Message, sender: str = "master") -> None:
        """As the master, or as a process beside it."""
        target = to if isinstance(to, Upid) else Upid.parse(to)
        self.port.send(sender, target, Sealed(message.DESCRIPTOR.full_name, message.SerializeToString()))

    def registered(self, to: Upid, agent_id: str) -> None:
        message = internal.SlaveRegisteredMessage()
        message.slave_id.value = agent_id
        message.connection.total_ping_timeout_seconds = self.ping_timeout
        self.send(to, message)

    def reregistered(self, to: Upid, agent_id: str, *reconcile: internal.ReconcileTasksMessage) -> None:
        message = internal.SlaveReregisteredMessage(reconciliations=reconcile)
        message.slave_id.value = agent_id
        message.connection.total_ping_timeout_seconds = self.ping_timeout
        self.send(to, message)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # -- the framework behind it --------------------------------------------------------------------------

    async def status(self, task_id: str, state: int, count: int = 1) -> mesos.TaskStatus:
        """The `count`-th update that tells this state of the task."""

        def find() -> mesos.TaskStatus | None:
            found = [
                message.update.status
                for message in self.all(internal.StatusUpdateMessage)
                if message.update.status.task_id.value == task_id and message.update.status.state == state
            ]
            return found[count - 1] if len(found) >= count else None

        status: mesos.TaskStatus = await self.until(find)
        return status

    def acknowledge(self, to: Upid | str, status: mesos.TaskStatus, framework: str = "F0") -> None:
        message = internal.StatusUpdateAcknowledgementMessage(uuid=status.uuid)
        message.slave_id.value = status.slave_id.value
        message.framework_id.value = framework
        message.task_id.value = status.task_id.value
        self.send(to, message)

    async def acknowledged(self, to: Upid | str, task_id: str, *states: int) -> list[mesos.TaskStatus]:
        """Wait for these states one after the other and acknowledge each."""
        found = []
        for state in states:
            status = await self.status(task_id, state)
            self.acknowledge(to, status)
            found.append(status)
        return found


def framework_info(*capabilities: int, framework: str = "F0") -> mesos.FrameworkInfo:
    info = mesos.FrameworkInfo(name="test", user="root", checkpoint=True, roles=["*"])
    info.id.value = framework
    for capability in (mesos.FrameworkInfo.Capability.PARTITION_AWARE, *capabilities):
        info.capabilities.add(type=capability)  # type: ignore[arg-type]
    return info


def run_task(
    task_id: str = "T0",
    agent_id: str = "S0",
    framework: mesos.FrameworkInfo | None = None,
    data: bytes = MODULE,
) -> internal.RunTaskMessage:
    """What a master sends for an accepted offer."""
    message = internal.RunTaskMessage(framework=framework or framework_info(), pid="@0.0.0.0:0")
    message.task.name = "task"
    message.task.task_id.value = task_id
    message.task.slave_id.value = agent_id
    message.task.data = data
    message.task.command.value = "module.wasm"
    cpus = message.task.resources.add(name="cpus", type=mesos.Value.SCALAR)
    cpus.scalar.value = 0.1
    cpus.allocation_info.role = "*"
    return message


def kill_task(task_id: str = "T0", grace: float | None = None) -> internal.KillTaskMessage:
    message = internal.KillTaskMessage()
    message.framework_id.value, message.task_id.value = "F0", task_id
    if grace is not None:
        message.kill_policy.grace_period.nanoseconds = int(grace * 1e9)
    return message


class TargetDouble:
    """Records launches and kills; starts at once unless told otherwise. `end` says how executors end."""

    def __init__(self, name: str = "board", resources: tuple[Resource, ...] = ()) -> None:
        self.name = name
        self.resources = resources or (Scalar("cpus", 1.0), Scalar("mem", 0.064), Ranges("gpio", ((0, 15),)))
        self.launched: dict[str, Launch] = {}
        self.living: dict[str, Usage] = {}
        self.kept: dict[str, Ended] = {}
        """Ends that were not released yet."""
        self.sent: list[tuple[str, bytes]] = []
        self.kills: list[tuple[str, float]] = []
        self.calls: list[tuple[str, int]] = []
        self.health: int | None = 0
        """What exports return that are called; None: they do not answer."""
        self.autostart = True
        self.autokill = True
        self.reachable = True
        self.offsets: dict[str, int] = {}
        """How much of each log recover() was told to be known."""
        self._queues: list[asyncio.Queue[Event]] = []

    async def open(self) -> None:
        """Nothing to reach."""

    async def close(self) -> None:
        """Nothing to let go."""

    def describe(self) -> Description:
        return Description(self.name, self.resources, {"board": "double"}, 65536)

    async def recover(
        self, keys: Collection[str], offsets: Mapping[str, int] | None = None
    ) -> frozenset[str]:
        if not self.reachable:
            raise LinkError("The double does not answer.", remedy="Make it reachable.")
        self.offsets = dict(offsets or {})
        for key in self.living.keys() - set(keys):
            await self.kill(key)
        for key in self.kept.keys() - set(keys):
            del self.kept[key]
        for key in self.kept:
            self.post(self.kept[key])
        return frozenset((self.living.keys() | self.kept.keys()) & set(keys))

    async def release(self, key: str) -> None:
        self.kept.pop(key, None)

    async def spawn(self, launch: Launch) -> None:
        if not self.reachable:
            raise LinkError("The double does not answer.", remedy="Make it reachable.")
        self.launched[launch.key] = launch
        self.living[launch.key] = Usage()
        if self.autostart:
            self.post(Started(launch.key))

    async def spawn_alone(self, key: str) -> None:
        """As another gateway did."""
        self.living[key] = Usage()

    async def kill(self, key: str, grace: float = 0.0) -> None:
        self.kills.append((key, grace))
        if self.autokill and key in self.living:
            self.end(key, Cause.KILLED)

    async def send(self, key: str, data: bytes) -> None:
        if key not in self.living:
            raise LinkError("The double runs no such executor.")
        self.sent.append((key, data))

    async def call(self, key: str, request: int) -> None:
        if key not in self.living:
            raise LinkError("The double runs no such executor.")
        self.calls.append((key, checks.which(request)))
        if self.health is not None:
            self.post(Output(key, checks.line(request, self.health) + b"\n"))

    async def usage(self) -> Mapping[str, Usage]:
        return dict(self.living)

    def events(self) -> AsyncIterator[Event]:
        queue: asyncio.Queue[Event] = asyncio.Queue()
        self._queues.append(queue)

        async def stream() -> AsyncIterator[Event]:
            while True:
                yield await queue.get()

        return stream()

    def post(self, event: Event) -> None:
        for queue in self._queues:
            queue.put_nowait(event)

    def end(self, key: str, cause: Cause, status: int = 0, **more: Any) -> None:
        self.living.pop(key, None)
        self.kept[key] = Ended(key, cause, status, **more)
        self.post(self.kept[key])
