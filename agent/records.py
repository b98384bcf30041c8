"""What an agent knows of the frameworks, executors and tasks on it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.proto import mesos_pb2 as mesos
from agent.updates import TaskKey
from agent.verdict import TERMINAL, Kill


@dataclass(slots=True)
class TaskRecord:
    """One task, from RunTask to the acknowledgement of its last update.

    `info` is without the module (TaskInfo.data): the target has it, nobody else needs it.
    """

    info: mesos.TaskInfo
    framework_id: str
    executor_id: str
    """The custom executor's; a command task has one of its own that is called like the task."""
    container_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    parent_container: str = ""
    """The container of its default executor, within which the task's own is."""
    group: str = ""
    """Shared by the tasks of one group, which live and die together."""
    state: mesos.TaskState = mesos.TASK_STAGING
    statuses: list[mesos.TaskStatus] = field(default_factory=list)
    sent_state: mesos.TaskState | None = None
    sent_uuid: bytes = b""
    preparation: asyncio.Task[None] | None = None
    """Fetches the module and hands it to the target."""
    spawned: bool = False
    """The target knows of it; an Ended will come."""
    started: float = 0.0
    """Seconds since the epoch when its executor was first seen to run."""
    kill: Kill | None = None
    """Why we end it, once we do."""
    abandoned: bool = False
    """The master gave it up and told its framework: nobody waits for more of it."""
    deadline: asyncio.TimerHandle | None = None
    """max_completion_time."""
    healthy: bool | None = None
    """What its health check found last."""
    check_status: mesos.CheckStatusInfo | None = None
    """What its check found last."""
    created: float = field(default_factory=time.time)

    @property
    def id(self) -> str:
        return self.info.task_id.value

    @property
    def key(self) -> TaskKey:
        return (self.framework_id, self.id)

    @property
    def target_key(self) -> str:
        """Its name at the target."""
        return target_key(self.key)

    @property
    def custom(self) -> bool:
        """Under an executor that the framework described."""
        return self.info.HasField("executor")

    @property
    def terminal(self) -> bool:
        return self.state in TERMINAL

    def as_task(self) -> mesos.Task:
        """As re-registration tells it (protobuf::createTask): a command task names no executor, and the
        latest state sent goes with its uuid or not at all."""
        task = mesos.Task(
            name=self.info.name,
            task_id=self.info.task_id,
            framework_id=mesos.FrameworkID(value=self.framework_id),
            slave_id=self.info.slave_id,
            state=self.state,
            resources=self.info.resources,
            statuses=self.statuses,
        )
        if self.custom:
            task.executor_id.value = self.executor_id
        if self.sent_state is not None and self.sent_uuid:
            task.status_update_state = self.sent_state
            task.status_update_uuid = self.sent_uuid
        for name in ("labels", "discovery", "container", "kill_policy", "health_check"):
            if self.info.HasField(name):
                getattr(task, name).CopyFrom(getattr(self.info, name))
        for name, limit in self.info.limits.items():
            task.limits[name].CopyFrom(limit)
        return task


def target_key(key: TaskKey) -> str:
    """A task's name at the target: framework id, a slash (which no id contains), task id."""
    return f"{key[0]}/{key[1]}"


@dataclass(slots=True)
class FrameworkRecord:
    """A framework with tasks here, or with updates that it has not acknowledged."""

    info: mesos.FrameworkInfo
    tasks: dict[str, TaskRecord] = field(default_factory=dict)
    executors: dict[str, mesos.ExecutorInfo] = field(default_factory=dict)
    """Custom executors with living tasks."""
    terminating: bool = False
    """Being shut down: no updates any more."""
    pid: str = ""
    """Its driver's process, as the master told: frameworks on Mesos's own driver have one."""

    @property
    def id(self) -> str:
        return self.info.id.value

    def can(self, capability: mesos.FrameworkInfo.Capability.Type) -> bool:
        """Whether the framework has a capability."""
        return any(item.type == capability for item in self.info.capabilities)

    @property
    def partition_aware(self) -> bool:
        return self.can(mesos.FrameworkInfo.Capability.PARTITION_AWARE)

    def tasks_of(self, executor_id: str) -> list[TaskRecord]:
        """The tasks under an executor, ended ones included."""
        return [task for task in self.tasks.values() if task.executor_id == executor_id]


class Book:
    """All frameworks and tasks of one agent, and the last ones that are over."""

    def __init__(self, completed: int) -> None:
        self.frameworks: dict[str, FrameworkRecord] = {}
        self.completed: list[tuple[mesos.FrameworkInfo, TaskRecord]] = []
        """The oldest first; a list, since an empty deque weighs 760 bytes an agent."""
        self._most = completed

    def framework(self, info: mesos.FrameworkInfo) -> FrameworkRecord:
        """The record of this framework, made when it is new here."""
        record = self.frameworks.get(info.id.value)
        if record is None:
            record = self.frameworks[info.id.value] = FrameworkRecord(info)
        return record

    def task(self, key: TaskKey) -> TaskRecord | None:
        """One task, ended but unacknowledged ones included."""
        framework = self.frameworks.get(key[0])
        return framework.tasks.get(key[1]) if framework else None

    def tasks(self) -> Iterator[TaskRecord]:
        """All tasks, ended but unacknowledged ones included."""
        for framework in list(self.frameworks.values()):
            yield from list(framework.tasks.values())

    def forget_task(self, task: TaskRecord) -> bool:
        """The task is over and the framework knows; True when its framework went with it."""
        framework = self.frameworks[task.framework_id]
        del framework.tasks[task.id]
        self.completed.append((framework.info, task))
        del self.completed[: max(0, len(self.completed) - self._most)]
        return self.forget_if_idle(framework)

    def forget_if_idle(self, framework: FrameworkRecord) -> bool:
        """Drop a framework that has nothing here any more."""
        if framework.tasks:
            return False
        self.frameworks.pop(framework.id, None)
        return True
