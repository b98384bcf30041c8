"""What every agent::Call must have before it is handled (src/slave/validation.cpp)."""

from __future__ import annotations

import re

from agent.proto import agent_pb2 as api
from agent.proto import mesos_pb2 as mesos

Type = api.Call.Type

_ID_LIMIT = 242
"""Bytes of a container's id (MAX_CONTAINER_ID_LENGTH)."""
_NEEDS_FIELD = frozenset(
    {
        *("GET_METRICS", "SET_LOGGING_LEVEL", "LIST_FILES", "READ_FILE"),
        *("LAUNCH_NESTED_CONTAINER", "WAIT_NESTED_CONTAINER", "KILL_NESTED_CONTAINER"),
        *("REMOVE_NESTED_CONTAINER", "LAUNCH_NESTED_CONTAINER_SESSION"),
        *("ATTACH_CONTAINER_INPUT", "ATTACH_CONTAINER_OUTPUT"),
        *("LAUNCH_CONTAINER", "WAIT_CONTAINER", "KILL_CONTAINER", "REMOVE_CONTAINER"),
        *("ADD_RESOURCE_PROVIDER_CONFIG", "UPDATE_RESOURCE_PROVIDER_CONFIG"),
        *("REMOVE_RESOURCE_PROVIDER_CONFIG", "MARK_RESOURCE_PROVIDER_GONE"),
    }
)
"""Calls whose field of the same name must be there."""
_NESTED = frozenset(
    {
        *("LAUNCH_NESTED_CONTAINER", "WAIT_NESTED_CONTAINER", "KILL_NESTED_CONTAINER"),
        *("REMOVE_NESTED_CONTAINER", "LAUNCH_NESTED_CONTAINER_SESSION"),
    }
)
_WITH_CONTAINER = _NESTED | {
    *("ATTACH_CONTAINER_OUTPUT", "LAUNCH_CONTAINER", "WAIT_CONTAINER", "KILL_CONTAINER", "REMOVE_CONTAINER"),
}


def error_of(call: api.Call) -> str | None:
    """What is wrong with a call, in Mesos's words; None when nothing is."""
    if not call.HasField("type"):
        return "Expecting 'type' to be present"
    name = Type.Name(call.type)
    field = name.lower()
    if name in _NEEDS_FIELD and not call.HasField(field):
        return f"Expecting '{field}' to be present"
    if name in _WITH_CONTAINER:
        container_id: mesos.ContainerID = getattr(call, field).container_id
        wrong = container_id_error(container_id)
        if wrong is not None:
            return f"'{field}.container_id' is invalid: {wrong}"
        if name in _NESTED and not container_id.HasField("parent"):
            return f"Expecting '{field}.container_id.parent' to be present"
    if name == "ATTACH_CONTAINER_INPUT":
        return _input_error(call.attach_container_input)
    configures = name in ("ADD_RESOURCE_PROVIDER_CONFIG", "UPDATE_RESOURCE_PROVIDER_CONFIG")
    if configures and getattr(call, field).info.HasField("id"):
        return f"Expecting '{field}.info.id' to be unset"
    return None


def _input_error(attach: api.Call.AttachContainerInput) -> str | None:
    if not attach.HasField("type"):
        return "Expecting 'attach_container_input.type' to be present"
    if attach.type == api.Call.AttachContainerInput.UNKNOWN:
        return "'attach_container_input.type' is unknown"
    if attach.type == api.Call.AttachContainerInput.CONTAINER_ID:
        wrong = container_id_error(attach.container_id)
        if wrong is not None:
            return f"'attach_container_input.container_id' is invalid: {wrong}"
    return None


def container_id_error(container_id: mesos.ContainerID) -> str | None:
    """validateContainerId: a name of a file without dots and spaces."""
    text = container_id.value
    if not text:
        return "ID must not be empty"
    if len(text.encode()) > 255:
        return "ID must not be greater than 255 characters"
    if text in (".", ".."):
        return f"'{text}' is disallowed"
    if re.search(r"[\x00-\x1f\x7f/\\]", text):
        return f"'{text}' contains invalid characters"
    if len(text.encode()) > _ID_LIMIT:
        return f"'ContainerID.value' '{text}' exceeds the maximum length ({_ID_LIMIT})"
    if "." in text or " " in text:
        return f"'ContainerID.value' '{text}' contains invalid characters"
    if container_id.HasField("parent"):
        wrong = container_id_error(container_id.parent)
        if wrong is not None:
            return f"'ContainerID.parent' is invalid: {wrong}"
    return None


def container_name(container_id: mesos.ContainerID) -> str:
    """As Mesos prints it: <parent>.<child>."""
    names = [container_id.value]
    while container_id.HasField("parent"):
        container_id = container_id.parent
        names.append(container_id.value)
    return ".".join(reversed(names))
