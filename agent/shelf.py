"""One agent's part of the store: its id, frameworks, tasks, unacknowledged updates."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

from google.protobuf.message import DecodeError, Message

from agent.errors import DamagedError
from agent.guard import resource_problem
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.records import TaskRecord
from agent.store import Store
from agent.updates import TaskKey
from agent.verdict import Kill

_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What an agent was before it stopped; empty for a new one."""

    agent_id: str = ""
    hostname: str = ""
    drain: mesos.DrainConfig | None = None
    resources: tuple[mesos.Resource, ...] = ()
    """Dynamic reservations that the master asked us to keep (CheckpointResourcesMessage)."""
    frameworks: tuple[mesos.FrameworkInfo, ...] = ()
    tasks: tuple[TaskRecord, ...] = ()
    operations: tuple[mesos.Operation, ...] = ()
    """Those whose end the master has not acknowledged."""
    info: mesos.SlaveInfo | None = None
    """As the master was told last."""
    updates: tuple[internal.StatusUpdate, ...] = field(default=())
    """In the order in which they were made."""


class Shelf:
    """Reads and writes the records under `name` (see identity.py) of a device whose id is `identity`."""

    def __init__(self, store: Store, name: str, identity: str = "") -> None:
        self._store = store
        self._name = name
        self._identity = identity

    @property
    def name(self) -> str:
        return self._name

    async def durable(self) -> None:
        """Until all that was written so far is on disk."""
        await self._store.durable()

    async def load(self) -> Recovered:
        """All that is kept of this agent. DamagedError when it cannot be read."""
        try:
            return await self._load()
        except (DecodeError, ValueError, TypeError, KeyError, sqlite3.DatabaseError) as error:
            raise DamagedError(
                f"The records of agent {self._name} cannot be read: {error}.",
                remedy="Begin anew with --recover=cleanup, which ends what it runs.",
            ) from error

    async def _load(self) -> Recovered:
        rows = await self._store.read(
            "SELECT agent_id, hostname, drain, resources, info FROM agents WHERE name = ?", self._name
        )
        if not rows:
            return Recovered()
        agent_id, hostname, drain, resources, info = rows[0]
        kept = _parse(internal.CheckpointResourcesMessage, resources or b"")
        infos = await self._store.read("SELECT info FROM frameworks WHERE agent = ?", self._name)
        tasks = await self._store.read(
            f"SELECT {_TASK_COLUMNS} FROM tasks WHERE agent = ?",
            self._name,
        )
        updates = await self._store.read(
            "SELECT body FROM updates WHERE agent = ? ORDER BY position", self._name
        )
        operations = await self._store.read("SELECT body FROM operations WHERE agent = ?", self._name)
        found = Recovered(
            agent_id=agent_id,
            hostname=hostname,
            drain=None if drain is None else _parse(mesos.DrainConfig, drain),
            resources=tuple(kept.resources),
            frameworks=tuple(_parse(mesos.FrameworkInfo, info) for (info,) in infos),
            tasks=tuple(_task(*row) for row in tasks),
            operations=tuple(_parse(mesos.Operation, body) for (body,) in operations),
            info=None if info is None else _parse(mesos.SlaveInfo, info),
            updates=tuple(_parse(internal.StatusUpdate, body) for (body,) in updates),
        )
        _require_sound(found)
        return found

    def save_agent(self, info: mesos.SlaveInfo) -> None:
        """The master knows the agent, by its id, as `info`."""
        self._store.write(
            "INSERT INTO agents (name, agent_id, hostname, info, identity) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET agent_id = excluded.agent_id, hostname = excluded.hostname, "
            "info = excluded.info, identity = excluded.identity",
            *(self._name, info.id.value, info.hostname, info.SerializeToString(), self._identity),
        )

    def forget_agent(self) -> None:
        """The agent is no more: the next start is a new one."""
        self._store.write("DELETE FROM agents WHERE name = ?", self._name)
        for table in ("frameworks", "tasks", "updates", "operations"):
            self._store.write(f"DELETE FROM {table} WHERE agent = ?", self._name)

    def save_drain(self, drain: mesos.DrainConfig | None) -> None:
        """The agent is being drained, or no longer."""
        body = None if drain is None else drain.SerializeToString()
        self._store.write("UPDATE agents SET drain = ? WHERE name = ?", body, self._name)

    def save_resources(self, resources: Sequence[mesos.Resource]) -> None:
        """The dynamic reservations."""
        body = internal.CheckpointResourcesMessage(resources=resources).SerializeToString()
        self._store.write("UPDATE agents SET resources = ? WHERE name = ?", body, self._name)

    def save_operation(self, operation: mesos.Operation) -> None:
        """An operation whose end is to be acknowledged."""
        self._store.write(
            "INSERT OR REPLACE INTO operations VALUES (?, ?, ?)",
            *(self._name, operation.uuid.value, operation.SerializeToString()),
        )

    def drop_operation(self, uuid: bytes) -> None:
        """Its end was acknowledged."""
        self._store.write("DELETE FROM operations WHERE agent = ? AND uuid = ?", self._name, uuid)

    def save_framework(self, info: mesos.FrameworkInfo) -> None:
        """A framework that is new here or has changed."""
        self._store.write(
            "INSERT OR REPLACE INTO frameworks VALUES (?, ?, ?)",
            *(self._name, info.id.value, info.SerializeToString()),
        )

    def drop_framework(self, framework_id: str) -> None:
        """Nothing of a framework is here any more."""
        for table in ("frameworks", "tasks", "updates"):
            self._store.write(
                f"DELETE FROM {table} WHERE agent = ? AND framework = ?", self._name, framework_id
            )

    def save_task(self, task: TaskRecord) -> None:
        """A task that is new or has changed."""
        status = task.statuses[-1].SerializeToString() if task.statuses else None
        self._store.write(
            f"INSERT OR REPLACE INTO tasks (agent, task, {_TASK_COLUMNS}) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(self._name, task.id, task.framework_id, task.executor_id),
            *(task.container_id, task.parent_container, task.group, task.info.SerializeToString()),
            *(int(task.state), status, task.started, task.kill.name if task.kill else None),
            row=("tasks", self._name, *task.key),
        )

    def drop_task(self, key: TaskKey) -> None:
        """A task is over and its framework knows."""
        self._store.write(
            "DELETE FROM tasks WHERE agent = ? AND framework = ? AND task = ?",
            *(self._name, *key),
            row=("tasks", self._name, *key),
        )

    def drop_task_and_updates(self, task: TaskRecord, updates: Iterable[internal.StatusUpdate]) -> None:
        """A task of which nobody wants to hear any more."""
        for update in updates:
            self.drop_update(update.uuid)
        self.drop_task(task.key)

    def save_update(self, update: internal.StatusUpdate) -> None:
        """An update that is to be acknowledged."""
        self._store.write(
            "INSERT INTO updates (agent, framework, uuid, body) VALUES (?, ?, ?, ?)",
            *(self._name, update.framework_id.value, update.uuid, update.SerializeToString()),
        )

    def drop_update(self, uuid: bytes) -> None:
        """It was acknowledged."""
        self._store.write("DELETE FROM updates WHERE agent = ? AND uuid = ?", self._name, uuid)


def _require_sound(found: Recovered) -> None:
    """ValueError for resources with which no master would take us back: they were written otherwise."""
    parts = [
        (f"task {task.id}", (*task.info.resources, *task.info.executor.resources)) for task in found.tasks
    ]
    for what, resources in (("the reservations", found.resources), *parts):
        for resource in resources:
            problem = resource_problem(resource)
            if problem is not None:
                raise ValueError(f"of {what} the resource {resource.name!r} {problem}")


def _parse(kind: type[_M], body: bytes) -> _M:
    """ValueError also for a message that could not be written again."""
    message = kind.FromString(body)
    if not message.IsInitialized():
        raise ValueError(f"a {kind.__name__} lacks required fields")
    return message


_TASK_COLUMNS = "framework, executor, container, parent, task_group, info, state, status, started, kill"


def _task(
    framework: str,
    executor: str,
    container: str,
    parent: str,
    group: str,
    info: bytes,
    state: int,
    status: bytes | None,
    started: float,
    kill: str | None,
) -> TaskRecord:
    return TaskRecord(
        info=_parse(mesos.TaskInfo, info),
        framework_id=framework,
        executor_id=executor,
        container_id=container,
        parent_container=parent,
        group=group,
        state=cast(mesos.TaskState, state),
        statuses=[] if status is None else [_parse(mesos.TaskStatus, status)],
        started=started,
        kill=Kill[kill] if kill else None,
    )
