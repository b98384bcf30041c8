"""What an agent tells of its tasks: status updates made, written down, sent until they are acknowledged.

Follows src/slave/slave.cpp: statusUpdate, forward, _statusUpdateAcknowledgement, reregistered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from google.protobuf.message import Message

from agent.config import AgentConfig
from agent.events import AgentEvent, TaskChanged
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.records import Book, FrameworkRecord, TaskRecord
from agent.shelf import Shelf
from agent.statuses import Extras, fill_checks, make_update
from agent.updates import UpdateQueues, key_of
from agent.verdict import TERMINAL, Verdict

log = logging.getLogger(__name__)

_AGENT = mesos.TaskStatus.SOURCE_SLAVE


class Host(Protocol):
    """The agent, as its reports need it."""

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


class Reports:
    """All status updates of one agent."""

    def __init__(self, host: Host, shelf: Shelf, book: Book, config: AgentConfig) -> None:
        self._host = host
        self._shelf = shelf
        self._book = book
        self.updates = UpdateQueues(self._forward, config.update_retry_min, config.update_retry_max)
        self.drain: mesos.DrainConfig | None = None
        """The agent is being drained: kills say so."""
        self.drain_began: float | None = None
        """Seconds since the epoch. Not kept over a restart: the master tells of the drain again then."""
        self.ended: dict[mesos.TaskState, int] = {}
        """How many tasks came to each terminal state, for the metrics."""
        self.busy: Callable[[], bool] = lambda: False
        """What else must be over before the agent is drained."""

    # -- making updates --------------------------------------------------------------------------------

    def tell(self, task: TaskRecord, verdict: Verdict, extras: Extras | None = None) -> None:
        """A task has a new state: write it down, queue the update, tell whoever watches."""
        framework = self._book.frameworks[task.framework_id]
        # A task that never came as far as TASK_STARTING had no container.
        unborn = task.state == mesos.TASK_STAGING and verdict.state in TERMINAL
        update = make_update(
            agent_id=self._host.agent_id,
            framework_id=task.framework_id,
            task_id=task.id,
            verdict=self._drained(framework, verdict),
            executor_id=task.executor_id,
            container_id="" if unborn else task.container_id,
            parent_container=task.parent_container,
            ip=self._host.ip,
            extras=extras,
        )
        fill_checks(update.status, task)
        status = mesos.TaskStatus()
        status.CopyFrom(update.status)
        status.ClearField("data")  # as the native agent: results are not kept twice
        if task.statuses and task.statuses[-1].state == status.state:
            task.statuses.pop()  # Executor::updateTaskState: one of a state
        task.statuses.append(status)
        task.state = update.status.state
        self._shelf.save_task(task)
        self._shelf.save_update(update)
        self.updates.add(update)
        self._publish(task.info.name, update)
        if task.terminal:
            self.ended[task.state] = self.ended.get(task.state, 0) + 1

    def tell_dropped(
        self,
        framework: FrameworkRecord,
        task_id: str,
        text: str,
        *,
        executor_id: str = "",
        reason: mesos.TaskStatus.Reason = mesos.TaskStatus.REASON_EXECUTOR_TERMINATED,
    ) -> None:
        """A task that never was here, or that is not taken."""
        state = mesos.TASK_DROPPED if framework.partition_aware else mesos.TASK_LOST
        self._tell_unknown(framework.id, task_id, Verdict(state, reason, _AGENT, text), executor_id)

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
                if self._book.task(key) is None:
                    self._tell_unknown(*key, verdict)

    def tell_exited(self, framework_id: str, executor_id: str, status: int) -> None:
        """A custom executor is no more; `status` is as of wait(2)."""
        message = internal.ExitedExecutorMessage(status=status)
        message.slave_id.value = self._host.agent_id
        message.framework_id.value = framework_id
        message.executor_id.value = executor_id
        self._host.tell_master(message)

    def tell_message(self, framework_id: str, executor_id: str, data: bytes) -> None:
        """A message of an executor; Mesos promises no delivery."""
        message = internal.ExecutorToFrameworkMessage(data=data)
        message.slave_id.value = self._host.agent_id
        message.framework_id.value = framework_id
        message.executor_id.value = executor_id
        self._host.tell_master(message)

    def _drained(self, framework: FrameworkRecord, verdict: Verdict) -> Verdict:
        """While draining, kills say so (Slave::statusUpdate)."""
        if self.drain is None or verdict.state not in (mesos.TASK_KILLING, mesos.TASK_KILLED):
            return verdict
        gone = self.drain.mark_gone and framework.partition_aware
        state = mesos.TASK_GONE_BY_OPERATOR if gone else verdict.state
        return Verdict(state, mesos.TaskStatus.REASON_SLAVE_DRAINING, verdict.source, verdict.message)

    def _tell_unknown(self, framework_id: str, task_id: str, verdict: Verdict, executor_id: str = "") -> None:
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

    # -- until they are acknowledged -------------------------------------------------------------------

    def _forward(self, update: internal.StatusUpdate) -> None:
        """Send the head of a queue (Slave::forward): with the latest state, which may be newer."""
        message = internal.StatusUpdateMessage(update=update, pid=self._host.pid)
        task = self._book.task(key_of(update))
        if task is not None:
            task.sent_state, task.sent_uuid = update.status.state, update.uuid
            message.update.latest_state = task.state
        self._host.tell_master(message)

    def acknowledge(self, message: internal.StatusUpdateAcknowledgementMessage) -> None:
        """The framework has an update; a task whose last one it was is forgotten."""
        key = (message.framework_id.value, message.task_id.value)
        update = self.updates.acknowledge(key, message.uuid)
        if update is None:
            log.info("acknowledgement of %s is old or unknown: ignored", message.task_id.value)
            return
        self._shelf.drop_update(update.uuid)
        task = self._book.task(key)
        if task is not None and update.status.state in TERMINAL and task.terminal:
            self._shelf.drop_task(key)
            self.forget(task)

    def recover(self, updates: Iterable[internal.StatusUpdate], tasks: Iterable[TaskRecord]) -> None:
        """Queue again what an earlier life of this agent could not see acknowledged."""
        for update in updates:
            self.updates.add(update)
        for task in tasks:
            head = self.updates.head(task.key)
            if head is not None:
                task.sent_state, task.sent_uuid = head.status.state, head.uuid

    # -- forgetting ------------------------------------------------------------------------------------

    def forget(self, task: TaskRecord) -> None:
        """A task is over and its framework knows, or is not to hear of it."""
        if self._book.forget_task(task):
            self._framework_gone(task.framework_id)

    def forget_if_idle(self, framework: FrameworkRecord) -> None:
        """A framework that has nothing here any more goes."""
        if self._book.forget_if_idle(framework):
            self._framework_gone(framework.id)

    def forget_shut_down(self, framework: FrameworkRecord) -> None:
        """A framework that is shut down goes when its last executor has ended."""
        if all(task.terminal for task in framework.tasks.values()):
            for task in list(framework.tasks.values()):
                self._book.forget_task(task)
            self.forget_if_idle(framework)

    def look_if_drained(self) -> None:
        """Draining is over when nothing is left (Slave::updateDrainStatus)."""
        if self.drain is not None and not self._book.frameworks and not self.busy():
            log.info("agent %s is drained", self._host.target_name)
            self.drain = self.drain_began = None
            self._shelf.save_drain(None)

    def _framework_gone(self, framework_id: str) -> None:
        self._shelf.drop_framework(framework_id)
        self.look_if_drained()
