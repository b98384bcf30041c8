"""One agent's part of the store: its id, frameworks, tasks, unacknowledged updates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.records import TaskRecord
from agent.store import Store
from agent.updates import TaskKey
from agent.verdict import Kill


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
    updates: tuple[internal.StatusUpdate, ...] = field(default=())
    """In the order in which they were made."""


class Shelf:
    """Reads and writes the records of the agent called `name` (its target's name)."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name

    async def durable(self) -> None:
        """Until all that was written so far is on disk."""
        await self._store.durable()

    async def load(self) -> Recovered:
        """All that is kept of this agent."""
        rows = await self._store.read(
            "SELECT agent_id, hostname, drain, resources FROM agents WHERE name = ?", self._name
        )
        if not rows:
            return Recovered()
        agent_id, hostname, drain, resources = rows[0]
        kept = internal.CheckpointResourcesMessage.FromString(resources or b"")
        infos = await self._store.read("SELECT info FROM frameworks WHERE agent = ?", self._name)
        tasks = await self._store.read(
            f"SELECT {_TASK_COLUMNS} FROM tasks WHERE agent = ?",
            self._name,
        )
        updates = await self._store.read(
            "SELECT body FROM updates WHERE agent = ? ORDER BY position", self._name
        )
        return Recovered(
            agent_id=agent_id,
            hostname=hostname,
            drain=None if drain is None else mesos.DrainConfig.FromString(drain),
            resources=tuple(kept.resources),
            frameworks=tuple(mesos.FrameworkInfo.FromString(info) for (info,) in infos),
            tasks=tuple(_task(*row) for row in tasks),
            updates=tuple(internal.StatusUpdate.FromString(body) for (body,) in updates),
        )

    def save_agent(self, agent_id: str, hostname: str) -> None:
        """The master gave the agent an id."""
        self._store.write(
            "INSERT INTO agents (name, agent_id, hostname) VALUES (?, ?, ?) ON CONFLICT (name) "
            "DO UPDATE SET agent_id = excluded.agent_id, hostname = excluded.hostname",
            *(self._name, agent_id, hostname),
        )

    def forget_agent(self) -> None:
        """The agent is no more: the next start is a new one."""
        self._store.write("DELETE FROM agents WHERE name = ?", self._name)
        for table in ("frameworks", "tasks", "updates"):
            self._store.write(f"DELETE FROM {table} WHERE agent = ?", self._name)

    def save_drain(self, drain: mesos.DrainConfig | None) -> None:
        """The agent is being drained, or no longer."""
        body = None if drain is None else drain.SerializeToString()
        self._store.write("UPDATE agents SET drain = ? WHERE name = ?", body, self._name)

    def save_resources(self, resources: Sequence[mesos.Resource]) -> None:
        """The dynamic reservations."""
        body = internal.CheckpointResourcesMessage(resources=resources).SerializeToString()
        self._store.write("UPDATE agents SET resources = ? WHERE name = ?", body, self._name)

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
        )

    def drop_task(self, key: TaskKey) -> None:
        """A task is over and its framework knows."""
        self._store.write(
            "DELETE FROM tasks WHERE agent = ? AND framework = ? AND task = ?", self._name, *key
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
        info=mesos.TaskInfo.FromString(info),
        framework_id=framework,
        executor_id=executor,
        container_id=container,
        parent_container=parent,
        group=group,
        state=cast(mesos.TaskState, state),
        statuses=[] if status is None else [mesos.TaskStatus.FromString(status)],
        started=started,
        kill=Kill[kill] if kill else None,
    )
