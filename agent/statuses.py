"""Makes status updates as src/common/protobuf_utils.cpp (createStatusUpdate) does."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field

from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.records import TaskRecord
from agent.verdict import TERMINAL, Kill, Verdict


@dataclass(frozen=True, slots=True)
class Extras:
    """What else a status may carry."""

    data: bytes = b""
    labels: tuple[tuple[str, str], ...] = ()
    limitation: tuple[mesos.Resource, ...] = field(default=())
    """The resources whose limit ended the task."""


def make_update(
    *,
    agent_id: str,
    framework_id: str,
    task_id: str,
    verdict: Verdict,
    executor_id: str = "",
    container_id: str = "",
    parent_container: str = "",
    ip: str = "",
    extras: Extras | None = None,
) -> internal.StatusUpdate:
    """An update with a fresh uuid, in both of the places where a master looks for it."""
    now, fresh = time.time(), uuid.uuid4().bytes
    extras = extras or Extras()
    status = mesos.TaskStatus(
        task_id=mesos.TaskID(value=task_id),
        state=verdict.state,
        message=verdict.message,
        source=verdict.source,
        slave_id=mesos.SlaveID(value=agent_id),
        timestamp=now,
        uuid=fresh,
    )
    if verdict.reason is not None:
        status.reason = verdict.reason
    if extras.data:
        status.data = extras.data
    for key, value in extras.labels:
        status.labels.labels.add(key=key, value=value)
    if extras.limitation:
        status.limitation.resources.extend(extras.limitation)
    if container_id:
        status.container_status.container_id.value = container_id
        if parent_container:
            status.container_status.container_id.parent.value = parent_container
        if ip:
            address = status.container_status.network_infos.add().ip_addresses.add()
            address.ip_address = ip
    update = internal.StatusUpdate(
        framework_id=mesos.FrameworkID(value=framework_id),
        slave_id=mesos.SlaveID(value=agent_id),
        timestamp=now,
        uuid=fresh,
    )
    if executor_id:
        status.executor_id.value = executor_id
        update.executor_id.value = executor_id
    update.status.CopyFrom(status)
    return update


def fill_checks(status: mesos.TaskStatus, task: TaskRecord) -> None:
    """What checks found, as the native executor adds it (CommandExecutor::createTaskStatus): check_status to
    all that it says of a task with a check, healthy while the task runs, and where it died of that."""
    if status.source != mesos.TaskStatus.SOURCE_EXECUTOR:
        return
    if task.info.HasField("check"):
        found = task.check_status or mesos.CheckStatusInfo(
            type=task.info.check.type, command=mesos.CheckStatusInfo.Command()
        )
        status.check_status.CopyFrom(found)
    died = status.state in TERMINAL and task.kill is Kill.UNHEALTHY
    if task.healthy is not None and (status.state == mesos.TASK_RUNNING or died):
        status.healthy = task.healthy


def recall_checks(task: TaskRecord) -> None:
    """What checks had found, of a task of an earlier life of this agent."""
    for status in task.statuses:
        if status.HasField("healthy"):
            task.healthy = status.healthy
        if status.HasField("check_status"):
            task.check_status = status.check_status
