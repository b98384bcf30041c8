"""Operations on the agent's resources: reservations made and undone, told until that is acknowledged.

Follows src/slave/slave.cpp: applyOperation, operationStatusAcknowledgement, reconcileOperations,
_recoverOperations. A master takes such an operation for done when it sends it, so that one that fails here
leaves the two apart; the agent then re-registers, which tells the master what there really is.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterable
from typing import Protocol

from google.protobuf.message import Message

from agent.config import AgentConfig
from agent.errors import ResourceError
from agent.pool import Pool, is_dynamic, without_reservation
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.shelf import Shelf

log = logging.getLogger(__name__)

_Operation = mesos.Offer.Operation
NO_VOLUMES = "This agent keeps no files: persistent volumes make no sense on its targets."


class Host(Protocol):
    """The agent, as its operations need it."""

    @property
    def agent_id(self) -> str: ...

    def tell_master(self, message: Message) -> None:
        """Send to the current master; dropped when there is none."""
        ...

    def resources_differ(self, reason: str) -> None:
        """The master believes in other resources than there are: register again."""
        ...


class Operations:
    """All operations of one agent that the master has not acknowledged, and the resources they made."""

    def __init__(
        self,
        host: Host,
        shelf: Shelf,
        base: Iterable[mesos.Resource],
        config: AgentConfig,
        on_done: Callable[[], None],
    ) -> None:
        """`base` is what the target has; `on_done` is called when an operation is over."""
        self._host = host
        self._shelf = shelf
        self._base = list(base)
        self._config = config
        self._on_done = on_done
        self._pool: Pool | None = None
        """What the base has become by operations; None while it is as it was: most stay so."""
        self._known: dict[bytes, mesos.Operation] = {}
        self._timers: dict[bytes, asyncio.TimerHandle] = {}
        self._connected = False
        self.version = mesos.UUID(value=uuid.uuid4().bytes)
        """Of the resources; masters send it along with each operation."""

    @property
    def total(self) -> list[mesos.Resource]:
        """What the agent has, with its reservations."""
        return list(self._base) if self._pool is None else self._pool.resources()

    @property
    def reserved(self) -> list[mesos.Resource]:
        """The dynamic reservations: what masters are told apart from the base."""
        return [item for item in self.total if is_dynamic(item)]

    @property
    def all(self) -> list[mesos.Operation]:
        """Those whose end is not acknowledged."""
        return list(self._known.values())

    def recover(self, reserved: Iterable[mesos.Resource], operations: Iterable[mesos.Operation]) -> None:
        """Take up the records of an earlier life. ResourceError when the target has not any more what was
        reserved of it."""
        pool = None
        for item in reserved:
            pool = pool or Pool(self._base)
            pool.convert([without_reservation(item, all_dynamic=True)], [item])
        self._pool = pool
        self._known = {operation.uuid.value: operation for operation in operations}

    # -- what the master tells ------------------------------------------------------------------------------

    def checkpoint(self, message: internal.CheckpointResourcesMessage) -> None:
        """CheckpointResourcesMessage: all reservations that there are to be."""
        self.recover(message.resources, self.all)
        self._shelf.save_resources(self.reserved)

    def apply(self, message: internal.ApplyOperationMessage) -> None:
        """ApplyOperationMessage: do it, write it down, tell how it went."""
        key = message.operation_uuid.value
        if key in self._known:
            return self._send(key)
        status = mesos.OperationStatus(state=mesos.OPERATION_FINISHED)
        try:
            pool = self._pool or Pool(self._base)
            pool.convert(*_conversion(message.operation_info))
            self._pool = pool
        except ResourceError as error:
            status.state = mesos.OPERATION_FAILED
            status.message = str(error)
            log.warning("operation %s failed: %s", _Operation.Type.Name(message.operation_info.type), error)
        status.uuid.value = uuid.uuid4().bytes
        status.slave_id.value = self._host.agent_id
        if message.operation_info.HasField("id"):
            status.operation_id.CopyFrom(message.operation_info.id)
        operation = mesos.Operation(info=message.operation_info, latest_status=status, statuses=[status])
        operation.uuid.value = key
        operation.slave_id.value = self._host.agent_id
        if message.HasField("framework_id"):
            operation.framework_id.CopyFrom(message.framework_id)
        self._known[key] = operation
        self._shelf.save_resources(self.reserved)
        self._shelf.save_operation(operation)
        self._send(key)
        if status.state != mesos.OPERATION_FINISHED:
            self._host.resources_differ("an operation failed")

    def acknowledge(self, message: internal.AcknowledgeOperationStatusMessage) -> None:
        """AcknowledgeOperationStatusMessage: the framework, or the master for an operator, has the status."""
        key = message.operation_uuid.value
        operation = self._known.get(key)
        if operation is None or operation.latest_status.uuid != message.status_uuid:
            log.info("acknowledgement of an operation is old or unknown: ignored")
            return
        del self._known[key]
        self._stop_timer(key)
        self._shelf.drop_operation(key)
        self._on_done()

    def reconcile(self, message: internal.ReconcileOperationsMessage) -> None:
        """ReconcileOperationsMessage. A framework that asks is told what is known, without need for an
        acknowledgement; a master that asks, only what never came here."""
        asked = message.HasField("framework_id")
        for each in message.operations:
            operation = self._find(each, message.framework_id.value)
            if operation is not None and not asked:
                continue
            update = internal.UpdateOperationStatusMessage()
            update.slave_id.value = self._host.agent_id
            if each.HasField("operation_uuid"):
                update.operation_uuid.CopyFrom(each.operation_uuid)
            if asked:
                update.framework_id.CopyFrom(message.framework_id)
            if operation is not None:
                update.operation_uuid.CopyFrom(operation.uuid)
                update.status.CopyFrom(operation.latest_status)
                update.status.ClearField("uuid")
            else:
                update.status.state = mesos.OPERATION_UNKNOWN if asked else mesos.OPERATION_DROPPED
                update.status.slave_id.value = self._host.agent_id
                if each.HasField("operation_id"):
                    update.status.operation_id.CopyFrom(each.operation_id)
            self._host.tell_master(update)

    def _find(
        self, asked: internal.ReconcileOperationsMessage.Operation, framework_id: str
    ) -> mesos.Operation | None:
        if asked.HasField("operation_uuid"):
            return self._known.get(asked.operation_uuid.value)
        for operation in self._known.values():
            same = operation.framework_id.value == framework_id
            if same and operation.info.id.value == asked.operation_id.value:
                return operation
        return None

    # -- until they are acknowledged ----------------------------------------------------------------------

    def pause(self) -> None:
        """Send nothing until resume()."""
        self._connected = False
        for key in list(self._timers):
            self._stop_timer(key)

    def resume(self) -> None:
        """Registered: tell every end again."""
        self._connected = True
        for key in self._known:
            self._send(key)

    def fill_update(self, message: internal.UpdateSlaveMessage) -> None:
        """What an agent with RESOURCE_PROVIDER tells after each registration."""
        message.resource_version_uuid.CopyFrom(self.version)
        message.operations.operations.extend(self._known.values())
        message.resource_providers.SetInParent()

    def _send(self, key: bytes, delay: float | None = None) -> None:
        self._stop_timer(key)
        operation = self._known.get(key)
        if operation is None or not self._connected:
            return
        update = internal.UpdateOperationStatusMessage(status=operation.latest_status)
        update.latest_status.CopyFrom(operation.latest_status)
        update.slave_id.value = self._host.agent_id
        update.operation_uuid.value = key
        if operation.HasField("framework_id"):
            update.framework_id.CopyFrom(operation.framework_id)
        self._host.tell_master(update)
        wait = delay or self._config.update_retry_min
        again = min(wait * 2, self._config.update_retry_max)
        self._timers[key] = asyncio.get_running_loop().call_later(wait, self._send, key, again)

    def _stop_timer(self, key: bytes) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()


def _conversion(info: mesos.Offer.Operation) -> tuple[list[mesos.Resource], list[mesos.Resource]]:
    """What an operation takes and what it makes of it (getResourceConversions of
    src/common/resources_utils.cpp). ResourceError for what this agent does not do."""
    if info.type == _Operation.RESERVE:
        made = [_bare(item) for item in info.reserve.resources]
        taken = [_bare(item) for item in info.reserve.source]
        return taken or [without_reservation(item) for item in made], made
    if info.type == _Operation.UNRESERVE:
        taken = [_bare(item) for item in info.unreserve.resources]
        return taken, [without_reservation(item) for item in taken]
    if info.type in (_Operation.CREATE, _Operation.DESTROY, _Operation.GROW_VOLUME, _Operation.SHRINK_VOLUME):
        raise ResourceError(NO_VOLUMES, remedy="Keep state in the framework, or publish it as a result.")
    raise ResourceError(f"This agent does no {_Operation.Type.Name(info.type)}.")


def _bare(resource: mesos.Resource) -> mesos.Resource:
    """Without whose share it is at the moment: totals know nothing of that."""
    bare = mesos.Resource()
    bare.CopyFrom(resource)
    bare.ClearField("allocation_info")
    return bare
