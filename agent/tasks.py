"""The tasks of one agent: launched, killed, told of, acknowledged, forgotten.

Follows src/slave/slave.cpp: run, killTask, statusUpdate, _statusUpdateAcknowledgement, shutdownFramework,
shutdownExecutor, drain, updateFramework, reregistered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Protocol

from google.protobuf.message import Message

from agent.config import AgentConfig
from agent.errors import TaskError
from agent.events import AgentEvent, TaskChanged
from agent.executors import Executors
from agent.launch import budget_of, source_of
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.records import Book, FrameworkRecord, TaskRecord
from agent.shelf import Recovered, Shelf
from agent.statuses import Extras, make_update
from agent.updates import UpdateQueues, key_of
from agent.verdict import TERMINAL, Kill, Verdict, judge
from hal.target import Cause, Ended, Usage

log = logging.getLogger(__name__)

_AGENT = mesos.TaskStatus.SOURCE_SLAVE
_EXECUTOR = mesos.TaskStatus.SOURCE_EXECUTOR
EXIT_FAILURE = 1 << 8
"""The wait status of a process that exited with 1."""


class Host(Protocol):
    """The agent around its tasks."""

    @property
    def agent_id(self) -> str: ...

    @property
    def target_name(self) -> str: ...

    @property
    def pid(self) -> str:
        """The agent's libprocess name, to which acknowledgements go."""
        ...

    @property
    def ip(self) -> str: ...

    def tell_master(self, message: Message) -> None:
        """Send to the current master; dropped when there is none."""
        ...

    def publish(self, event: AgentEvent) -> None:
        """Tell whoever watches."""
        ...

    def background(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something beside; it ends with the agent."""
        ...


class Tasks:
    """All frameworks and tasks here, with their updates. Implements executors.Owner."""

    def __init__(self, host: Host, shelf: Shelf, config: AgentConfig) -> None:
        self._host = host
        self._shelf = shelf
        self._config = config
        self.book = Book(config.completed_tasks)
        self.updates = UpdateQueues(self._forward, config.update_retry_min, config.update_retry_max)
        self.executors: Executors | None = None
        self.drain: mesos.DrainConfig | None = None
        self.ended: dict[mesos.TaskState, int] = {}
        """How many tasks came to each terminal state, for the metrics."""

    # -- launching ----------------------------------------------------------------------------------------

    def run(self, message: internal.RunTaskMessage) -> None:
        """RunTaskMessage: launch one task, or tell its framework why not."""
        info, framework_id = message.task, message.framework.id.value
        if info.slave_id.value != self._host.agent_id:
            log.warning("task %s is for agent %s: ignored", info.task_id.value, info.slave_id.value)
            return
        known = self.book.frameworks.get(framework_id)
        if known is not None and (known.terminating or info.task_id.value in known.tasks):
            log.warning("task %s of %s is ignored: shut down or running", info.task_id.value, framework_id)
            return
        framework = self.book.framework(message.framework)
        if known is None:
            self._shelf.save_framework(framework.info)
        _allocate(info, framework.info)
        task = self._record(info, framework)
        if task.custom and task.executor_id not in framework.executors:
            if message.HasField("launch_executor") and not message.launch_executor:
                self._drop_new(task, framework)
                return
            framework.executors[task.executor_id] = task.info.executor
        framework.tasks[task.id] = task
        self._launch(task, info)

    def refuse_group(self, message: internal.RunTaskGroupMessage) -> None:
        """RunTaskGroupMessage: all of it fails, in words. Groups share a container; boards have none."""
        verdict = Verdict(
            mesos.TASK_FAILED,
            mesos.TaskStatus.REASON_TASK_GROUP_INVALID,
            _AGENT,
            "This agent runs no task groups. Launch the tasks one by one (LAUNCH), under one custom "
            "executor if they belong together.",
        )
        framework = self.book.framework(message.framework)
        self._shelf.save_framework(framework.info)
        for info in message.task_group.tasks:
            if info.slave_id.value == self._host.agent_id and info.task_id.value not in framework.tasks:
                _allocate(info, framework.info)
                task = framework.tasks[info.task_id.value] = self._record(info, framework)
                self._report(task, verdict)
        if message.launch_executor:
            self._tell_exited(framework.id, message.executor.executor_id.value, EXIT_FAILURE)
        self._forget_if_idle(framework)

    def _record(self, info: mesos.TaskInfo, framework: FrameworkRecord) -> TaskRecord:
        kept = mesos.TaskInfo()
        kept.CopyFrom(info)
        kept.ClearField("data")
        if not info.HasField("executor"):
            return TaskRecord(kept, framework.id, info.task_id.value)
        kept.executor.framework_id.value = framework.id
        executor_id = info.executor.executor_id.value
        task = TaskRecord(kept, framework.id, executor_id)
        for other in framework.tasks_of(executor_id):
            if not other.terminal:
                task.container_id = other.container_id
        return task

    def _launch(self, task: TaskRecord, info: mesos.TaskInfo) -> None:
        assert self.executors is not None
        try:
            _refuse_checks(info)
            source = source_of(info)
            budget_of(info, None)
        except TaskError as error:
            self.executor_ended(task, Ended(task.target_key, Cause.LAUNCH_FAILED, message=str(error)))
            return
        starting = Verdict(mesos.TASK_STARTING, None, _EXECUTOR, "The module is fetched and prepared.")
        self._report(task, starting)
        self.executors.launch(task, source)

    def _drop_new(self, task: TaskRecord, framework: FrameworkRecord) -> None:
        """The master believes in an executor that has just exited here."""
        self._drop_unknown(framework, task.id, "The executor has terminated.", task.executor_id)
        self._forget_if_idle(framework)

    # -- ending -------------------------------------------------------------------------------------------

    def kill(self, message: internal.KillTaskMessage) -> None:
        """KillTaskMessage. A task that we do not know is told so to its framework."""
        framework = self.book.frameworks.get(message.framework_id.value)
        if framework is None or framework.terminating:
            log.warning("kill of %s is ignored: no such framework", message.task_id.value)
            return
        task = framework.tasks.get(message.task_id.value)
        if task is None:
            self._drop_unknown(framework, message.task_id.value, "Cannot find the task's executor.")
        elif not task.terminal:
            policy = message.kill_policy if message.HasField("kill_policy") else None
            self._kill(framework, task, Kill.FRAMEWORK, self._grace(task, policy))

    def shutdown_executor(self, framework_id: str, executor_id: str) -> None:
        """ShutdownExecutorMessage: end all tasks under one executor."""
        framework = self.book.frameworks.get(framework_id)
        if framework is None or framework.terminating:
            return
        for task in framework.tasks_of(executor_id):
            if not task.terminal:
                grace = task.info.executor.shutdown_grace_period.nanoseconds / 1e9
                self._kill(framework, task, Kill.SHUTDOWN, grace)

    def shutdown_framework(self, framework_id: str) -> None:
        """ShutdownFrameworkMessage: end all of it, without updates: nobody would acknowledge them."""
        framework = self.book.frameworks.get(framework_id)
        if framework is None or framework.terminating:
            return
        log.info("framework %s is shut down", framework_id)
        framework.terminating = True
        self.updates.drop(framework_id)
        for task in list(framework.tasks.values()):
            if not task.terminal:
                self._kill(framework, task, Kill.SHUTDOWN, 0.0)
        self._forget_shut_down(framework)

    def abandon_uncheckpointed(self) -> None:
        """The master held us for disconnected. It then gives up, at once, the tasks of frameworks that do
        not checkpoint (Master::exited): it has told them lost and offers their resources anew. They must
        go from the target too, without a word; a native agent leaves them running for ever."""
        for task in self.book.tasks():
            framework = self.book.frameworks.get(task.framework_id)
            if framework is None or framework.info.checkpoint or task.abandoned:
                continue
            task.abandoned = True
            waiting = [update for update in self.updates if key_of(update) == task.key]
            self._shelf.drop_task_and_updates(task, waiting)
            self.updates.drop_task(task.key)
            if task.terminal:
                self._forget_abandoned(framework, task)
            else:
                self._kill(framework, task, Kill.SHUTDOWN, 0.0)

    def _forget_abandoned(self, framework: FrameworkRecord, task: TaskRecord) -> None:
        if self.book.forget_task(task):
            self._framework_gone(framework.id)

    def begin_drain(self, drain: mesos.DrainConfig) -> None:
        """DrainSlaveMessage: end all tasks, each within the smaller of its own grace and the drain's."""
        if not self.book.frameworks:
            return
        self.drain = drain
        self._shelf.save_drain(drain)
        limit = drain.max_grace_period.nanoseconds / 1e9 if drain.HasField("max_grace_period") else None
        for task in self.book.tasks():
            framework = self.book.frameworks.get(task.framework_id)
            if framework is not None and not task.terminal and not framework.terminating:
                grace = self._grace(task, None)
                self._kill(framework, task, Kill.DRAINING, grace if limit is None else min(grace, limit))

    def _grace(self, task: TaskRecord, policy: mesos.KillPolicy | None) -> float:
        for given in (policy, task.info.kill_policy):
            if given is not None and given.HasField("grace_period"):
                return max(0.0, given.grace_period.nanoseconds / 1e9)
        return self._config.kill_grace

    def _kill(self, framework: FrameworkRecord, task: TaskRecord, why: Kill, grace: float) -> None:
        assert self.executors is not None
        tells = framework.can(mesos.FrameworkInfo.Capability.TASK_KILLING_STATE)
        tells = tells and not task.abandoned and not framework.terminating
        if task.spawned and task.kill is None and tells:
            killing = Verdict(mesos.TASK_KILLING, None, _EXECUTOR, f"Being killed: {why.value}.")
            self._report(task, killing)
        self.executors.kill(task, why, grace)

    # -- what the executors tell (executors.Owner) ----------------------------------------------------------

    def executor_started(self, task: TaskRecord) -> None:
        """The guest runs."""
        if task.info.HasField("max_completion_time") and task.deadline is None:
            limit = task.info.max_completion_time.nanoseconds / 1e9
            task.deadline = asyncio.get_running_loop().call_later(limit, self._overdue, task)
        if task.state in (mesos.TASK_STAGING, mesos.TASK_STARTING):
            self._report(task, Verdict(mesos.TASK_RUNNING, None, _EXECUTOR, "The executor runs."))

    def executor_ended(self, task: TaskRecord, ended: Ended) -> None:
        """The guest ended, or never began."""
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
            text = "Killed before delivery to the executor."
            self._end(framework, task, Verdict(mesos.TASK_KILLED, reason, _AGENT, text))

    def background(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something beside."""
        return self._host.background(work, name)

    def _overdue(self, task: TaskRecord) -> None:
        framework = self.book.frameworks.get(task.framework_id)
        if framework is not None and not task.terminal:
            self._kill(framework, task, Kill.COMPLETION_TIME, self._grace(task, None))

    def _end(
        self, framework: FrameworkRecord, task: TaskRecord, verdict: Verdict, extras: Extras | None = None
    ) -> None:
        if framework.terminating or task.abandoned:
            task.state = verdict.state
        else:
            self._report(task, verdict, extras)
        self._exit_executor(framework, task, verdict)
        if framework.terminating:
            self._forget_shut_down(framework)
        elif task.abandoned:
            self._forget_abandoned(framework, task)

    def _exit_executor(self, framework: FrameworkRecord, task: TaskRecord, verdict: Verdict) -> None:
        """A custom executor exits with the last of its tasks; the master then frees its resources."""
        living = any(not other.terminal for other in framework.tasks_of(task.executor_id))
        if not task.custom or living or framework.executors.pop(task.executor_id, None) is None:
            return
        well = verdict.state in (mesos.TASK_FINISHED, mesos.TASK_KILLED)
        self._tell_exited(framework.id, task.executor_id, 0 if well else EXIT_FAILURE)

    def _tell_exited(self, framework_id: str, executor_id: str, status: int) -> None:
        message = internal.ExitedExecutorMessage(status=status)
        message.slave_id.value = self._host.agent_id
        message.framework_id.value = framework_id
        message.executor_id.value = executor_id
        self._host.tell_master(message)

    # -- telling ------------------------------------------------------------------------------------------

    def _report(self, task: TaskRecord, verdict: Verdict, extras: Extras | None = None) -> None:
        """A task has a new state: write it down, queue the update, tell whoever watches."""
        framework = self.book.frameworks[task.framework_id]
        update = make_update(
            agent_id=self._host.agent_id,
            framework_id=task.framework_id,
            task_id=task.id,
            verdict=self._drained(framework, verdict),
            executor_id=task.executor_id,
            container_id=task.container_id,
            ip=self._host.ip,
            extras=extras,
        )
        status = mesos.TaskStatus()
        status.CopyFrom(update.status)
        status.ClearField("data")  # as the native agent: results are not kept twice
        task.statuses.append(status)
        task.state = update.status.state
        self._shelf.save_task(task)
        self._shelf.save_update(update)
        self.updates.add(update)
        self._publish(task.info.name, update)
        if task.terminal:
            self.ended[task.state] = self.ended.get(task.state, 0) + 1

    def _drained(self, framework: FrameworkRecord, verdict: Verdict) -> Verdict:
        """While draining, kills say so (Slave::statusUpdate)."""
        if self.drain is None or verdict.state not in (mesos.TASK_KILLING, mesos.TASK_KILLED):
            return verdict
        gone = self.drain.mark_gone and framework.partition_aware
        state = mesos.TASK_GONE_BY_OPERATOR if gone else verdict.state
        return Verdict(state, mesos.TaskStatus.REASON_SLAVE_DRAINING, verdict.source, verdict.message)

    def _drop_unknown(
        self, framework: FrameworkRecord, task_id: str, text: str, executor_id: str = ""
    ) -> None:
        state = mesos.TASK_DROPPED if framework.partition_aware else mesos.TASK_LOST
        verdict = Verdict(state, mesos.TaskStatus.REASON_EXECUTOR_TERMINATED, _AGENT, text)
        self._tell_unknown(framework.id, task_id, verdict, executor_id)

    def _tell_unknown(self, framework_id: str, task_id: str, verdict: Verdict, executor_id: str = "") -> None:
        """An update for a task that is not here."""
        update = make_update(
            agent_id=self._host.agent_id,
            framework_id=framework_id,
            task_id=task_id,
            verdict=verdict,
            executor_id=executor_id,
        )
        if self.updates.add(update):
            self._shelf.save_update(update)
            self._publish("", update)

    def _publish(self, name: str, update: internal.StatusUpdate) -> None:
        status = update.status
        reason = mesos.TaskStatus.Reason.Name(status.reason) if status.HasField("reason") else ""
        self._host.publish(
            TaskChanged(
                target=self._host.target_name,
                framework_id=update.framework_id.value,
                task_id=status.task_id.value,
                name=name,
                state=mesos.TaskState.Name(status.state),
                reason=reason,
                message=status.message,
                output=status.data,
                time=status.timestamp,
            )
        )

    def _forward(self, update: internal.StatusUpdate) -> None:
        """Send the head of a queue (Slave::forward): with the latest state, which may be newer."""
        message = internal.StatusUpdateMessage(update=update, pid=self._host.pid)
        task = self.book.task(key_of(update))
        if task is not None:
            task.sent_state, task.sent_uuid = update.status.state, update.uuid
            message.update.latest_state = task.state
        self._host.tell_master(message)

    # -- what the master tells ------------------------------------------------------------------------------

    def acknowledge(self, message: internal.StatusUpdateAcknowledgementMessage) -> None:
        """The framework has an update; a task whose last one it was is forgotten."""
        key = (message.framework_id.value, message.task_id.value)
        update = self.updates.acknowledge(key, message.uuid)
        if update is None:
            log.info("acknowledgement of %s is old or unknown: ignored", message.task_id.value)
            return
        self._shelf.drop_update(update.uuid)
        task = self.book.task(key)
        if task is None or update.status.state not in TERMINAL or not task.terminal:
            return
        self._shelf.drop_task(key)
        if self.book.forget_task(task):
            self._framework_gone(key[0])

    def update_framework(self, message: internal.UpdateFrameworkMessage) -> None:
        """A framework came back or changed: what it has not acknowledged goes out again at once."""
        framework = self.book.frameworks.get(message.framework_id.value)
        if framework is None or framework.terminating:
            return
        if message.HasField("framework_info"):
            framework.info.CopyFrom(message.framework_info)
            self._shelf.save_framework(framework.info)
        self.updates.resume(framework.id)

    def reconcile(self, unknown: Iterable[internal.ReconcileTasksMessage]) -> None:
        """The master believes in tasks; those that are not here are told lost."""
        aware = mesos.FrameworkInfo.Capability.PARTITION_AWARE
        for group in unknown:
            knows = any(item.type == aware for item in group.framework.capabilities)
            state = mesos.TASK_DROPPED if knows else mesos.TASK_LOST
            text = "Reconciliation: task unknown to the agent"
            verdict = Verdict(state, mesos.TaskStatus.REASON_RECONCILIATION, _AGENT, text)
            for status in group.statuses:
                key = (group.framework_id.value, status.task_id.value)
                if self.book.task(key) is None:
                    self._tell_unknown(*key, verdict)

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

    # -- forgetting -----------------------------------------------------------------------------------------

    def _forget_if_idle(self, framework: FrameworkRecord) -> None:
        if self.book.forget_if_idle(framework):
            self._framework_gone(framework.id)

    def _forget_shut_down(self, framework: FrameworkRecord) -> None:
        """A framework that is shut down goes when its last executor has ended."""
        if all(task.terminal for task in framework.tasks.values()):
            for task in list(framework.tasks.values()):
                self.book.forget_task(task)
            self._forget_if_idle(framework)

    def _framework_gone(self, framework_id: str) -> None:
        self._shelf.drop_framework(framework_id)
        if self.drain is not None and not self.book.frameworks:
            log.info("agent %s is drained", self._host.target_name)
            self.drain = None
            self._shelf.save_drain(None)

    # -- coming back ----------------------------------------------------------------------------------------

    def recover(self, recovered: Recovered) -> None:
        """Take up the records of an earlier life. Whether executors still live is found out later."""
        assert self.executors is not None
        self.drain = recovered.drain
        for info in recovered.frameworks:
            self.book.framework(info)
        for task in recovered.tasks:
            framework = self.book.frameworks[task.framework_id]
            framework.tasks[task.id] = task
            if not task.terminal:
                self.executors.adopt(task)
                if task.custom:
                    framework.executors[task.executor_id] = task.info.executor
        for update in recovered.updates:
            self.updates.add(update)
        for task in recovered.tasks:
            head = self.updates.head(task.key)
            if head is not None:
                task.sent_state, task.sent_uuid = head.status.state, head.uuid
        for framework in list(self.book.frameworks.values()):
            self._forget_if_idle(framework)

    def recovered(self, living: frozenset[str]) -> None:
        """`living`: the executors that the target still runs. The others ended while nobody looked."""
        for task in self.book.tasks():
            framework = self.book.frameworks.get(task.framework_id)
            if framework is None or task.terminal or task.preparation is not None:
                continue
            if task.target_key in living:
                task.spawned = True
                self.executor_started(task)
            else:
                reason = mesos.TaskStatus.REASON_EXECUTOR_REREGISTRATION_TIMEOUT
                text = "The executor was no longer on the target when the agent came back."
                self._end(framework, task, Verdict(mesos.TASK_FAILED, reason, _AGENT, text))


def _allocate(info: mesos.TaskInfo, framework: mesos.FrameworkInfo) -> None:
    """Old masters leave out whose share the resources are; a framework with one role leaves no doubt."""
    roles: Sequence[str] = framework.roles or [framework.role]
    if len(roles) == 1:
        for resource in (*info.resources, *info.executor.resources):
            if not resource.HasField("allocation_info"):
                resource.allocation_info.role = roles[0]


def _refuse_checks(info: mesos.TaskInfo) -> None:
    """A check that is silently never made would leave the framework waiting."""
    if info.HasField("health_check") or info.HasField("check"):
        raise TaskError(
            "The task asks for a check or health check, which this agent does not make.",
            remedy="Leave it out; a guest that fails should return non-zero or trap.",
        )


def _usage_labels(usage: Usage) -> tuple[tuple[str, str], ...]:
    """What the executor used, in its last status; zeros are left out."""
    values = {
        "mma.cpu_seconds": f"{usage.cpu_seconds:.6g}" if usage.cpu_seconds else "",
        "mma.code_bytes": str(usage.code_bytes or ""),
        "mma.stack_peak": str(usage.stack_peak or ""),
        "mma.memory_peak": str(usage.memory_peak or ""),
    }
    return tuple((key, value) for key, value in values.items() if value)
