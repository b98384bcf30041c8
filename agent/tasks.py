"""The tasks of one agent: launched, followed, taken up again after a restart.

Follows src/slave/slave.cpp: run, updateFramework, doReliableRegistration, recover.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol

from agent.checks import Checks
from agent.config import AgentConfig
from agent.errors import TaskError
from agent.executors import Executors
from agent.fetcher import Fetcher
from agent.kills import Kills
from agent.launch import budget_of, exports_of, source_of
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.records import Book, FrameworkRecord, TaskRecord
from agent.reports import Host, Reports
from agent.sandbox import Sandboxes
from agent.shelf import Recovered, Shelf
from agent.statuses import Extras, recall_checks
from agent.updates import UpdateQueues
from agent.verdict import Kill, Verdict, judge
from hal.target import Cause, Ended, Target, Usage

log = logging.getLogger(__name__)

_AGENT = mesos.TaskStatus.SOURCE_SLAVE
_EXECUTOR = mesos.TaskStatus.SOURCE_EXECUTOR
EXIT_FAILURE = 1 << 8
"""The wait status of a process that exited with 1."""


class Around(Host, Protocol):
    """The agent around its tasks."""

    def background(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something beside; it ends with the agent."""
        ...


class Tasks:
    """All frameworks and tasks here. Implements executors.Owner."""

    def __init__(
        self,
        host: Around,
        target: Target,
        fetcher: Fetcher,
        shelf: Shelf,
        config: AgentConfig,
        files: Path,
    ) -> None:
        """`files`: the folder for what executors leave to be read."""
        self._host = host
        self._shelf = shelf
        self.book = Book(config.completed_tasks)
        self.reports = Reports(host, shelf, self.book, config)
        self.sandboxes = Sandboxes(files, lambda: host.agent_id, self.at_target, config.log_limit)
        self.executors = Executors(target, fetcher, config, self, self.sandboxes)
        self.kills = Kills(self.book, self.reports, self.executors, shelf, config)
        self.checks = Checks(self.reports, self.kills, target.call, host.background)

    @property
    def updates(self) -> UpdateQueues:
        """What was told and is not acknowledged yet."""
        return self.reports.updates

    @property
    def drain(self) -> mesos.DrainConfig | None:
        """Set while the agent is being drained."""
        return self.reports.drain

    @property
    def drain_began(self) -> float | None:
        """When it began, in seconds since the epoch."""
        return self.reports.drain_began

    @property
    def ended(self) -> dict[mesos.TaskState, int]:
        """How many tasks came to each terminal state."""
        return self.reports.ended

    def at_target(self, key: str) -> TaskRecord | None:
        """The task whose executor the target knows by this name."""
        framework_id, _, task_id = key.partition("/")
        return self.book.task((framework_id, task_id))

    # -- launching ----------------------------------------------------------------------------------------

    def run(self, message: internal.RunTaskMessage) -> None:
        """RunTaskMessage: launch one task, or tell its framework why not."""
        launches = message.launch_executor if message.HasField("launch_executor") else None
        self._run(message.framework, [message.task], launches)
        if framework := self.book.frameworks.get(message.framework.id.value):
            framework.pid = message.pid

    def run_group(self, message: internal.RunTaskGroupMessage) -> None:
        """RunTaskGroupMessage: launch tasks that live and die together, under one executor."""
        infos = list(message.task_group.tasks)
        for info in infos:
            info.executor.CopyFrom(message.executor)
        launches = message.launch_executor if message.HasField("launch_executor") else None
        self._run(message.framework, infos, launches, group=str(uuid.uuid4()))

    def _run(
        self,
        info: mesos.FrameworkInfo,
        tasks: Sequence[mesos.TaskInfo],
        launches: bool | None,
        group: str = "",
    ) -> None:
        """`launches` False: the master believes that their custom executor is here already."""
        known = self.book.frameworks.get(info.id.value)
        for task in tasks:
            if task.slave_id.value != self._host.agent_id:
                log.warning("task %s is for agent %s: ignored", task.task_id.value, task.slave_id.value)
                return
            if known is not None and (known.terminating or task.task_id.value in known.tasks):
                log.warning("task %s of %s is ignored: shut down or running", task.task_id.value, known.id)
                return
        framework = self.book.framework(info)
        if known is None:
            self._shelf.save_framework(framework.info)
        refused = self._refusal(framework, tasks[0], launches)
        if refused is not None:
            executor_id = tasks[0].executor.executor_id.value or tasks[0].task_id.value
            for task in tasks:
                text, reason = refused
                self.reports.tell_dropped(
                    framework, task.task_id.value, text, executor_id=executor_id, reason=reason
                )
            if launches and tasks[0].HasField("executor"):
                self.reports.tell_exited(framework.id, executor_id, EXIT_FAILURE)
            self.reports.forget_if_idle(framework)
            return
        records = []
        for task in tasks:
            _allocate(task, framework.info)
            record = _record(task, framework, group)
            records.append(record)
            framework.tasks[record.id] = record
            if record.custom:
                framework.executors[record.executor_id] = record.info.executor
        for record, task in zip(records, tasks, strict=True):
            if not record.terminal:  # in a group an earlier one may have failed for all
                self._launch(record, task)

    def _refusal(
        self, framework: FrameworkRecord, first: mesos.TaskInfo, launches: bool | None
    ) -> tuple[str, mesos.TaskStatus.Reason] | None:
        """Why tasks are not even begun (Slave::__run)."""
        if self.drain is not None:
            text = "Task was received while agent was already draining"
            return text, mesos.TaskStatus.REASON_SLAVE_DRAINING
        known = first.executor.executor_id.value in framework.executors
        if first.HasField("executor") and launches is False and not known:
            return "The executor has terminated.", mesos.TaskStatus.REASON_EXECUTOR_TERMINATED
        return None

    def _launch(self, task: TaskRecord, info: mesos.TaskInfo) -> None:
        try:
            exports_of(info)
            source = source_of(info)
            budget_of(info, None)
        except TaskError as error:
            self.executor_ended(task, Ended(task.target_key, Cause.LAUNCH_FAILED, message=str(error)))
            return
        starting = Verdict(mesos.TASK_STARTING, None, _EXECUTOR, "The module is fetched and prepared.")
        self.reports.tell(task, starting)
        self.executors.launch(task, source)

    # -- what the executors tell (executors.Owner) ----------------------------------------------------------

    async def durable(self) -> None:
        """Until all that is recorded by now is on disk."""
        await self._shelf.durable()

    def executor_started(self, task: TaskRecord) -> None:
        """The guest runs."""
        task.started = task.started or time.time()
        if task.info.HasField("max_completion_time") and task.deadline is None:
            # The wall clock tells what passed while no gateway lived; it may have been set back meanwhile.
            passed = max(0.0, time.time() - task.started)
            left = task.info.max_completion_time.nanoseconds / 1e9 - passed
            loop = asyncio.get_running_loop()
            task.deadline = loop.call_later(max(0.0, left), self.kills.overdue, task)
        if task.state in (mesos.TASK_STAGING, mesos.TASK_STARTING):
            self.reports.tell(task, Verdict(mesos.TASK_RUNNING, None, _EXECUTOR, "The executor runs."))
        self.checks.begin(task)

    def executor_ended(self, task: TaskRecord, ended: Ended) -> None:
        """The guest ended, or never began."""
        self.checks.end(task)
        framework = self.book.frameworks.get(task.framework_id)
        if framework is None or task.terminal:
            return
        verdict = judge(ended, task.kill, partition_aware=framework.partition_aware)
        limited: tuple[mesos.Resource, ...] = ()
        if ended.cause is Cause.MEMORY_LIMIT:
            limited = tuple(item for item in task.info.resources if item.name == "mem")
        extras = Extras(data=ended.output, labels=_usage_labels(ended.usage), limitation=limited)
        self._end(framework, task, verdict, extras)

    def executor_cancelled(self, task: TaskRecord) -> None:
        """Killed before the target knew of it."""
        framework = self.book.frameworks.get(task.framework_id)
        if framework is not None and not task.terminal:
            reason = mesos.TaskStatus.REASON_TASK_KILLED_DURING_LAUNCH
            which = "A task within the task group was killed" if task.group else "Killed"
            text = f"{which} before delivery to the executor"
            self._end(framework, task, Verdict(mesos.TASK_KILLED, reason, _AGENT, text))

    def executor_message(self, task: TaskRecord, data: bytes) -> None:
        """The guest has a message for its framework."""
        framework = self.book.frameworks.get(task.framework_id)
        if framework is not None and not framework.terminating and not task.abandoned:
            self.reports.tell_message(framework.id, task.executor_id, data)

    def executor_answered(self, task: TaskRecord, line: bytes) -> None:
        """The guest answers a check."""
        self.checks.answered(task.target_key, line)

    def target_connected(self, up: bool) -> None:
        """The link to the target came up or went down."""
        self.checks.connected(up)

    def background(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something beside."""
        return self._host.background(work, name)

    def _end(
        self, framework: FrameworkRecord, task: TaskRecord, verdict: Verdict, extras: Extras | None = None
    ) -> None:
        if framework.terminating or task.abandoned:
            task.state = verdict.state
        else:
            self.reports.tell(task, verdict, extras)
        if task.group and verdict.state != mesos.TASK_FINISHED and task.kill in (None, Kill.FRAMEWORK):
            self.kills.rest_of_group(framework, task)
        self._exit_executor(framework, task, verdict)
        if framework.terminating:
            self.reports.forget_shut_down(framework)
        elif task.abandoned:
            self.reports.forget(task)

    def _exit_executor(self, framework: FrameworkRecord, task: TaskRecord, verdict: Verdict) -> None:
        """A custom executor exits with the last of its tasks; the master then frees its resources."""
        living = any(not other.terminal for other in framework.tasks_of(task.executor_id))
        if not task.custom or living or framework.executors.pop(task.executor_id, None) is None:
            return
        well = verdict.state in (mesos.TASK_FINISHED, mesos.TASK_KILLED)
        self.reports.tell_exited(framework.id, task.executor_id, 0 if well else EXIT_FAILURE)

    # -- what the master tells ------------------------------------------------------------------------------

    def update_framework(self, message: internal.UpdateFrameworkMessage) -> None:
        """A framework came back or changed: what it has not acknowledged goes out again at once."""
        framework = self.book.frameworks.get(message.framework_id.value)
        if framework is None or framework.terminating:
            return
        if message.HasField("framework_info"):
            framework.info.CopyFrom(message.framework_info)
            self._shelf.save_framework(framework.info)
        framework.pid = message.pid
        self.updates.resume(framework.id)

    def message(self, message: internal.FrameworkToExecutorMessage) -> bool:
        """FrameworkToExecutorMessage: to every guest under that executor; False when there is none."""
        framework = self.book.frameworks.get(message.framework_id.value)
        tasks = framework.tasks_of(message.executor_id.value) if framework is not None else []
        living = [task for task in tasks if not task.terminal]
        for task in living:
            self.executors.send(task, message.data)
        return bool(living)

    def fill_reregistration(self, message: internal.ReregisterSlaveMessage) -> None:
        """All tasks that live or wait for an acknowledgement, with their executors and frameworks."""
        for framework in self.book.frameworks.values():
            tasks = [task for task in framework.tasks.values() if not task.abandoned]
            if framework.terminating or not tasks:
                continue  # what is only dying would stay in the master's books: no update will follow
            used = {task.executor_id for task in tasks}
            message.frameworks.add().CopyFrom(framework.info)
            message.executor_infos.extend(info for name, info in framework.executors.items() if name in used)
            message.tasks.extend(task.as_task() for task in tasks)

    # -- coming back ----------------------------------------------------------------------------------------

    def recover(self, recovered: Recovered) -> None:
        """Take up the records of an earlier life. Whether executors still live is found out later."""
        self.reports.drain = recovered.drain
        for info in recovered.frameworks:
            self.book.framework(info)
        for task in recovered.tasks:
            framework = self.book.frameworks[task.framework_id]
            framework.tasks[task.id] = task
            if not task.terminal:
                self.executors.adopt(task)
                if task.custom:
                    framework.executors[task.executor_id] = task.info.executor
        self.reports.recover(recovered.updates, recovered.tasks)
        for framework in list(self.book.frameworks.values()):
            self.reports.forget_if_idle(framework)

    def recovered(self, adopted: frozenset[str], living: frozenset[str]) -> None:
        """Of the `adopted` the target still has `living`. The others ended while nobody looked."""
        for task in self.book.tasks():
            framework = self.book.frameworks.get(task.framework_id)
            if framework is None or task.terminal or task.target_key not in adopted:
                continue
            if task.target_key in living:
                task.spawned = True
                recall_checks(task)
                self.executor_started(task)
                self.kills.again(task)
            else:
                reason = mesos.TaskStatus.REASON_EXECUTOR_REREGISTRATION_TIMEOUT
                text = "The executor was no longer on the target when the agent came back."
                self._end(framework, task, Verdict(mesos.TASK_FAILED, reason, _AGENT, text))


def _record(info: mesos.TaskInfo, framework: FrameworkRecord, group: str) -> TaskRecord:
    """A record of a task that came just now."""
    kept = mesos.TaskInfo()
    kept.CopyFrom(info)
    kept.ClearField("data")
    if not info.HasField("executor"):
        return TaskRecord(kept, framework.id, info.task_id.value)
    kept.executor.framework_id.value = framework.id
    executor_id = info.executor.executor_id.value
    task = TaskRecord(kept, framework.id, executor_id, group=group)
    sibling = next((other for other in framework.tasks_of(executor_id) if not other.terminal), None)
    if info.executor.type == mesos.ExecutorInfo.DEFAULT:  # each task has a container within its executor's
        task.parent_container = sibling.parent_container if sibling else str(uuid.uuid4())
    elif sibling is not None:
        task.container_id = sibling.container_id
    return task


def _allocate(info: mesos.TaskInfo, framework: mesos.FrameworkInfo) -> None:
    """Old masters leave out whose share the resources are; a framework with one role leaves no doubt."""
    roles: Sequence[str] = framework.roles or [framework.role]
    if len(roles) == 1:
        for resource in (*info.resources, *info.executor.resources):
            if not resource.HasField("allocation_info"):
                resource.allocation_info.role = roles[0]


def _usage_labels(usage: Usage) -> tuple[tuple[str, str], ...]:
    """What the executor used, in its last status; zeros are left out."""
    values = {
        "mma.cpu_seconds": f"{usage.cpu_seconds:.6g}" if usage.cpu_seconds else "",
        "mma.code_bytes": str(usage.code_bytes or ""),
        "mma.stack_peak": str(usage.stack_peak or ""),
        "mma.memory_peak": str(usage.memory_peak or ""),
    }
    return tuple((key, value) for key, value in values.items() if value)
