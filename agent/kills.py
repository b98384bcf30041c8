"""Why and how executors are ended before their time.

Follows src/slave/slave.cpp: killTask, shutdownExecutor, shutdownFramework, drain.
"""

from __future__ import annotations

import logging
import time

from agent.config import AgentConfig
from agent.executors import Executors
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.records import Book, FrameworkRecord, TaskRecord
from agent.reports import Reports
from agent.shelf import Shelf
from agent.updates import key_of
from agent.verdict import Kill, Verdict

log = logging.getLogger(__name__)

_EXECUTOR = mesos.TaskStatus.SOURCE_EXECUTOR


class Kills:
    """Ends tasks on request of frameworks, operators, masters and clocks."""

    def __init__(
        self, book: Book, reports: Reports, executors: Executors, shelf: Shelf, config: AgentConfig
    ) -> None:
        self._book = book
        self._reports = reports
        self._executors = executors
        self._shelf = shelf
        self._config = config

    def kill(self, message: internal.KillTaskMessage) -> None:
        """KillTaskMessage. A task that we do not know is told so to its framework."""
        framework = self._book.frameworks.get(message.framework_id.value)
        if framework is None or framework.terminating:
            log.warning("kill of %s is ignored: no such framework", message.task_id.value)
            return
        task = framework.tasks.get(message.task_id.value)
        if task is None:
            self._reports.tell_dropped(framework, message.task_id.value, "Cannot find the task's executor.")
        elif not task.terminal:
            policy = message.kill_policy if message.HasField("kill_policy") else None
            self.end(task, Kill.FRAMEWORK, self._grace(task, policy))

    def shutdown_executor(self, framework_id: str, executor_id: str) -> None:
        """ShutdownExecutorMessage: end all tasks under one executor."""
        framework = self._book.frameworks.get(framework_id)
        if framework is None or framework.terminating:
            return
        for task in framework.tasks_of(executor_id):
            if not task.terminal:
                grace = task.info.executor.shutdown_grace_period.nanoseconds / 1e9
                self.end(task, Kill.SHUTDOWN, grace)

    def shutdown_framework(self, framework_id: str) -> None:
        """ShutdownFrameworkMessage: end all of it, without updates: nobody would acknowledge them."""
        framework = self._book.frameworks.get(framework_id)
        if framework is None or framework.terminating:
            return
        log.info("framework %s is shut down", framework_id)
        framework.terminating = True
        self._reports.updates.drop(framework_id)
        for task in list(framework.tasks.values()):
            if not task.terminal:
                self.end(task, Kill.SHUTDOWN, 0.0)
        self._reports.forget_shut_down(framework)

    def abandon_uncheckpointed(self) -> None:
        """The master held us for disconnected. It then gives up, at once, the tasks of frameworks that do
        not checkpoint (Master::exited): it has told them lost and offers their resources anew. They must
        go from the target too, without a word; a native agent leaves them running for ever."""
        for task in self._book.tasks():
            framework = self._book.frameworks.get(task.framework_id)
            if framework is None or framework.info.checkpoint or task.abandoned:
                continue
            task.abandoned = True
            waiting = [update for update in self._reports.updates if key_of(update) == task.key]
            self._shelf.drop_task_and_updates(task, waiting)
            self._reports.updates.drop_task(task.key)
            if task.terminal:
                self._reports.forget(task)
            else:
                self.end(task, Kill.SHUTDOWN, 0.0)

    def drain(self, drain: mesos.DrainConfig) -> None:
        """DrainSlaveMessage: end all tasks, each within the smaller of its own grace and the drain's."""
        if not self._book.frameworks and not self._reports.busy():
            return
        self._reports.drain, self._reports.drain_began = drain, time.time()
        self._shelf.save_drain(drain)
        limit = drain.max_grace_period.nanoseconds / 1e9 if drain.HasField("max_grace_period") else None
        for task in self._book.tasks():
            framework = self._book.frameworks.get(task.framework_id)
            if framework is not None and not task.terminal and not framework.terminating:
                grace = self._grace(task, None)
                self.end(task, Kill.DRAINING, grace if limit is None else min(grace, limit))

    def container(self, container_id: str, grace: float) -> None:
        """KILL_CONTAINER of the operator API: end all tasks in a container."""
        for task in self._book.tasks():
            if task.container_id == container_id and not task.terminal:
                self.end(task, Kill.OPERATOR, grace)

    def overdue(self, task: TaskRecord) -> None:
        """Its max_completion_time is over."""
        if not task.terminal:
            self.end(task, Kill.COMPLETION_TIME, self._grace(task, None))

    def unhealthy(self, task: TaskRecord) -> None:
        """Its health check failed as often as its framework allows."""
        if not task.terminal:
            self.end(task, Kill.UNHEALTHY, self._grace(task, None))

    def rest_of_group(self, framework: FrameworkRecord, ended: TaskRecord) -> None:
        """A task of a group failed or was killed: the others go too (DefaultExecutor::waited)."""
        for task in list(framework.tasks.values()):
            if task.group == ended.group and not task.terminal and task.kill is None:
                self.end(task, Kill.GROUP, self._grace(task, None))

    def again(self, task: TaskRecord) -> None:
        """The gateway was restarted while this task was being ended."""
        if task.kill is not None:
            self._executors.kill(task, task.kill, self._grace(task, None))

    def end(self, task: TaskRecord, why: Kill, grace: float) -> None:
        """End one task; what follows comes from its executor. A second call may shorten the grace."""
        framework = self._book.frameworks[task.framework_id]
        tells = framework.can(mesos.FrameworkInfo.Capability.TASK_KILLING_STATE)
        # The native executor does not tell TASK_KILLING when it is time that ends a task.
        tells = tells and not task.abandoned and not framework.terminating and why is not Kill.COMPLETION_TIME
        first, task.kill = task.kill is None, task.kill or why
        if first and task.spawned:
            if tells:
                self._reports.tell(
                    task, Verdict(mesos.TASK_KILLING, None, _EXECUTOR, f"Being killed: {why.value}.")
                )
            elif not task.abandoned:
                self._shelf.save_task(task)
        self._executors.kill(task, why, grace)

    def _grace(self, task: TaskRecord, policy: mesos.KillPolicy | None) -> float:
        for given in (policy, task.info.kill_policy):
            if given is not None and given.HasField("grace_period"):
                return max(0.0, given.grace_period.nanoseconds / 1e9)
        return self._config.kill_grace
