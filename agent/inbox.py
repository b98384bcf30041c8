"""The messages that an agent understands, by their names on the wire."""

from __future__ import annotations

from google.protobuf.message import DecodeError, Message

from agent.proto import messages_pb2 as internal

_TYPES: dict[str, type[Message]] = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        internal.SlaveRegisteredMessage,
        internal.SlaveReregisteredMessage,
        internal.PingSlaveMessage,
        internal.RunTaskMessage,
        internal.RunTaskGroupMessage,
        internal.KillTaskMessage,
        internal.StatusUpdateAcknowledgementMessage,
        internal.FrameworkToExecutorMessage,
        internal.ShutdownFrameworkMessage,
        internal.ShutdownExecutorMessage,
        internal.UpdateFrameworkMessage,
        internal.CheckpointResourcesMessage,
        internal.ApplyOperationMessage,
        internal.AcknowledgeOperationStatusMessage,
        internal.ReconcileOperationsMessage,
        internal.DrainSlaveMessage,
        internal.ShutdownMessage,
    )
}


def parse(name: str, body: bytes) -> Message | None:
    """The message, or None for a name that agents do not handle. DecodeError when `body` is malformed
    or lacks required fields."""
    kind = _TYPES.get(name)
    if kind is None:
        return None
    message = kind.FromString(body)
    if not message.IsInitialized():
        raise DecodeError(f"{name} lacks required fields")
    return message
