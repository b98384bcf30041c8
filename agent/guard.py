"""The one gate that every outgoing message passes.

A master trusts its agents: some messages, well formed as protobuf, end it by a failed CHECK, and with it
the whole cluster's scheduling. Others it drops without a word, and the agent waits for ever. seal()
refuses both kinds, and the wire sends nothing that is not Sealed. The rules and where they stand in
src/master/ (Apache Mesos 1.11):

    statusUpdate        CHECK_NE(pid, UPID()), CHECK(status.has_uuid()); uuids of 16 bytes
    acknowledge         UUID::fromBytes(task.status_update_uuid()).get(): aborts unless 16 bytes; and
                        status_update_state and status_update_uuid only together
    Slave::addTask      CHECK no duplicate task, allocation_info on every resource, not TASK_UNREACHABLE
    Slave::Slave        CHECK(executor.has_framework_id())
    applyOperation      resource_version_uuid must be known when RESOURCE_PROVIDER is advertised
    updateSlave         CHECK(provider.has_info()), CHECK(provider.info().has_id())
    updateOperationStatus   slave_id; operation_uuid or framework_id
    validation.cpp      registerSlave and reregisterSlave: refused in the log only
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from google.protobuf.message import EncodeError, Message

from agent.errors import ConfigError, UnsafeMessageError
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.wire.upid import Upid

UUID_LENGTH = 16
"""Bytes of a UUID on the wire."""

_ID = re.compile(r"[^/\\\x00-\x1f\x7f]+")
_ID_LENGTH = 255
"""Bytes. What src/common/validation.cpp takes as an id: no slash, backslash or control character."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message that may go out; only seal() makes them."""

    name: str
    body: bytes


def seal(message: Message) -> Sealed:
    """Check and serialize; UnsafeMessageError for what would harm the master or be dropped by it."""
    check = _CHECKS.get(type(message))
    name = message.DESCRIPTOR.full_name
    _require(check is not None, name, "it is not a message that agents send")
    assert check is not None
    try:
        body = message.SerializeToString()
    except EncodeError as error:
        raise _refusal(name, str(error)) from error
    check(message)
    return Sealed(name, body)


def _require(condition: bool, name: str, reason: str) -> None:
    if not condition:
        raise _refusal(name, reason)


def _refusal(name: str, reason: str) -> UnsafeMessageError:
    remedy = "This is a bug of the agent; please report it."
    return UnsafeMessageError(f"{name} was not sent: {reason}.", remedy=remedy)


# -- resources ----------------------------------------------------------------------------------------


def _check_resources(name: str, resources: Iterable[mesos.Resource], *, allocated: bool = False) -> None:
    """What Resources::validate (src/common/resources.cpp) demands, and allocation roles where needed."""
    for resource in resources:
        problem = resource_problem(resource)
        _require(problem is None, name, f"its resource {resource.name!r} {problem}")
        if allocated:
            has_role = resource.HasField("allocation_info") and bool(resource.allocation_info.role)
            _require(has_role, name, f"its resource {resource.name!r} has no allocation_info.role")


def resource_problem(resource: mesos.Resource) -> str | None:
    """What a master would not take of it, or None."""
    if not resource.name:
        return "has no name"
    held = [kind for kind in ("scalar", "ranges", "set") if resource.HasField(kind)]
    if held != [mesos.Value.Type.Name(resource.type).lower()]:
        return "has a value that is not of its type"
    if resource.type == mesos.Value.SCALAR:
        value = resource.scalar.value
        if not math.isfinite(value) or (value != 0 and round(value * 1000) <= 0):
            return f"is {value}, which Mesos rounds to nothing"
    elif resource.type == mesos.Value.RANGES:
        spans = sorted((span.begin, span.end) for span in resource.ranges.range)
        if any(begin > end for begin, end in spans):
            return "has an inverted range"
        if any(after[0] <= before[1] for before, after in pairwise(spans)):
            return "has overlapping ranges"
    else:
        items = list(resource.set.item)
        if len(set(items)) != len(items):
            return "has an item twice"
    return None


# -- registration -------------------------------------------------------------------------------------


def _check_capabilities(
    name: str, message: internal.RegisterSlaveMessage | internal.ReregisterSlaveMessage
) -> None:
    version = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)([-+].*)?", message.version)
    _require(
        version is not None and int(version[1]) >= 1, name, f"{message.version!r} is no version >= 1.0.0"
    )
    offered = {capability.type for capability in message.agent_capabilities}
    if mesos.SlaveInfo.Capability.RESOURCE_PROVIDER in offered:
        known = message.HasField("resource_version_uuid")
        _require(known, name, "RESOURCE_PROVIDER is advertised without a resource_version_uuid")
    if message.HasField("resource_version_uuid"):
        _require_uuid(name, "resource_version_uuid", message.resource_version_uuid.value)
    _require(bool(message.slave.hostname), name, "the agent has no hostname")
    _check_resources(name, message.slave.resources)
    _check_resources(name, message.checkpointed_resources)
    if message.checkpointed_resources:
        _require(message.slave.checkpoint, name, "resources are checkpointed but slave.checkpoint is false")


def _check_register(message: internal.RegisterSlaveMessage) -> None:
    name = message.DESCRIPTOR.full_name
    _require(not message.slave.HasField("id"), name, "an agent that has an id must re-register")
    _check_capabilities(name, message)


def _check_reregister(message: internal.ReregisterSlaveMessage) -> None:
    name = message.DESCRIPTOR.full_name
    _check_capabilities(name, message)
    _require_id(name, "slave.id", message.slave.id.value)
    frameworks: set[str] = set()
    for framework in message.frameworks:
        _require_id(name, "framework id", framework.id.value)
        _require(framework.id.value not in frameworks, name, f"framework {framework.id.value} comes twice")
        frameworks.add(framework.id.value)
    executors: set[tuple[str, str]] = set()
    for executor in message.executor_infos:
        key = (executor.framework_id.value, executor.executor_id.value)
        _require_id(name, "executor id", key[1])
        _require(
            key[0] in frameworks, name, f"executor {key[1]} names framework {key[0]!r}, which is not there"
        )
        _require(key not in executors, name, f"executor {key[1]} comes twice")
        _check_resources(name, executor.resources, allocated=True)
        executors.add(key)
    tasks: set[tuple[str, str]] = set()
    for task in message.tasks:
        _check_task(name, message.slave.id.value, task, frameworks, executors)
        key = (task.framework_id.value, task.task_id.value)
        _require(key not in tasks, name, f"task {key[1]} comes twice")
        tasks.add(key)


def _check_task(
    name: str, agent_id: str, task: mesos.Task, frameworks: set[str], executors: set[tuple[str, str]]
) -> None:
    what = f"task {task.task_id.value}"
    framework = task.framework_id.value
    _require_id(name, "task id", task.task_id.value)
    _require(task.slave_id.value == agent_id, name, f"{what} belongs to agent {task.slave_id.value}")
    _require(framework in frameworks, name, f"{what} names framework {framework!r}, which is not there")
    if task.HasField("executor_id") and task.state == mesos.TASK_RUNNING:
        key = (framework, task.executor_id.value)
        _require(key in executors, name, f"{what} runs under executor {key[1]!r}, which is not there")
    _require(
        task.state != mesos.TASK_UNREACHABLE, name, f"{what} is TASK_UNREACHABLE, which only a master says"
    )
    _check_resources(name, task.resources, allocated=True)
    paired = task.HasField("status_update_state") == task.HasField("status_update_uuid")
    _require(paired, name, f"{what} has only one of status_update_state and status_update_uuid")
    if task.HasField("status_update_uuid"):
        _require_uuid(name, f"status_update_uuid of {what}", task.status_update_uuid)


# -- the rest -------------------------------------------------------------------------------------------


def _require_id(name: str, field: str, value: str) -> None:
    well_formed = _ID.fullmatch(value) is not None and value not in (".", "..")
    well_formed = well_formed and len(value.encode()) <= _ID_LENGTH
    _require(well_formed, name, f"{value!r} is no {field}")


def _require_uuid(name: str, field: str, value: bytes) -> None:
    _require(len(value) == UUID_LENGTH, name, f"{field} has {len(value)} bytes, not {UUID_LENGTH}")


def _check_status_update(message: internal.StatusUpdateMessage) -> None:
    name = message.DESCRIPTOR.full_name
    update, status = message.update, message.update.status
    try:
        Upid.parse(message.pid)
    except ConfigError:
        _require(False, name, f"its pid is {message.pid!r}")
    _require_uuid(name, "update.uuid", update.uuid)
    _require(status.uuid == update.uuid, name, "status.uuid is not update.uuid")
    _require_id(name, "framework id", update.framework_id.value)
    _require_id(name, "task id", status.task_id.value)
    _require_id(name, "slave id", update.slave_id.value)
    _require(status.slave_id.value == update.slave_id.value, name, "status.slave_id is not update.slave_id")
    states = {status.state, update.latest_state if update.HasField("latest_state") else status.state}
    _require(mesos.TASK_UNREACHABLE not in states, name, "only a master says TASK_UNREACHABLE")


def _check_update_slave(message: internal.UpdateSlaveMessage) -> None:
    name = message.DESCRIPTOR.full_name
    _require_id(name, "slave id", message.slave_id.value)
    _check_resources(name, message.oversubscribed_resources)
    for provider in message.resource_providers.providers:
        named = provider.HasField("info") and provider.info.HasField("id")
        _require(named, name, "a resource provider has no info.id")
    if message.HasField("resource_version_uuid"):
        _require_uuid(name, "resource_version_uuid", message.resource_version_uuid.value)


def _check_operation_status(message: internal.UpdateOperationStatusMessage) -> None:
    name = message.DESCRIPTOR.full_name
    _require_id(name, "slave id", message.slave_id.value)
    known = message.HasField("operation_uuid") or message.HasField("framework_id")
    _require(known, name, "it has neither operation_uuid nor framework_id")
    holders = (("operation_uuid", message), ("uuid", message.status), ("uuid", message.latest_status))
    for field, holder in holders:
        if holder.HasField(field):
            _require_uuid(name, field, getattr(holder, field).value)
    # Master::updateOperation takes any other state for a bug of its own, and ends (LOG(FATAL)).
    states = {
        message.status.state,
        message.latest_status.state if message.HasField("latest_status") else message.status.state,
    }
    _require(states <= _OPERATION_STATES, name, "only masters tell of an operation in such a state")


_OPERATION_STATES = {
    mesos.OPERATION_FINISHED,
    mesos.OPERATION_FAILED,
    mesos.OPERATION_DROPPED,
    mesos.OPERATION_ERROR,
    mesos.OPERATION_UNKNOWN,
}


def _check_slave_id(message: internal.UnregisterSlaveMessage) -> None:
    _require_id(message.DESCRIPTOR.full_name, "slave id", message.slave_id.value)


def _check_executor(message: internal.ExitedExecutorMessage | internal.ExecutorToFrameworkMessage) -> None:
    name = message.DESCRIPTOR.full_name
    _require_id(name, "slave id", message.slave_id.value)
    _require_id(name, "framework id", message.framework_id.value)
    _require_id(name, "executor id", message.executor_id.value)


def _check_authenticate(message: internal.AuthenticateMessage) -> None:
    name = message.DESCRIPTOR.full_name
    try:
        Upid.parse(message.pid)
    except ConfigError:
        _require(False, name, f"its pid is {message.pid!r}")


def _check_nothing(message: Message) -> None:
    """A pong is empty; the steps of an authentication are the master's SASL library to judge."""


_CHECKS: dict[type[Message], Callable[[Any], None]] = {
    internal.RegisterSlaveMessage: _check_register,
    internal.ReregisterSlaveMessage: _check_reregister,
    internal.UnregisterSlaveMessage: _check_slave_id,
    internal.PongSlaveMessage: _check_nothing,
    internal.StatusUpdateMessage: _check_status_update,
    internal.UpdateSlaveMessage: _check_update_slave,
    internal.UpdateOperationStatusMessage: _check_operation_status,
    internal.ExitedExecutorMessage: _check_executor,
    internal.ExecutorToFrameworkMessage: _check_executor,
    internal.AuthenticateMessage: _check_authenticate,
    internal.AuthenticationStartMessage: _check_nothing,
    internal.AuthenticationStepMessage: _check_nothing,
}
