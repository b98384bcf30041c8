"""Mesos's own JSON for resources, attributes, tasks (src/common/http.cpp); the rest is proto3 JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from agent.facts import round_scalar
from agent.proto import mesos_pb2 as mesos

Json = dict[str, Any]

ALWAYS = ("disk", "mem", "gpus", "cpus")
"""Scalars that every list of resources tells, as 0 where there are none."""


def plain(message: Message) -> Json:
    """As JSON::Protobuf: Mesos's field names, enums by name."""
    return MessageToDict(message, preserving_proto_field_name=True)


def resources_json(resources: Iterable[mesos.Resource]) -> Json:
    """{"cpus": 1.0, "gpio": "[0-3]", "sensors": "{temp0}"}: values of one name are added up."""
    scalars: dict[str, float] = dict.fromkeys(ALWAYS, 0.0)
    spans: dict[str, list[tuple[int, int]]] = {}
    items: dict[str, list[str]] = {}
    for resource in resources:
        if resource.HasField("scalar"):
            value = scalars.get(resource.name, 0.0) + resource.scalar.value
            scalars[resource.name] = round_scalar(value)
        elif resource.HasField("ranges"):
            pairs = ((span.begin, span.end) for span in resource.ranges.range)
            spans.setdefault(resource.name, []).extend(pairs)
        elif resource.HasField("set"):
            items.setdefault(resource.name, []).extend(resource.set.item)
    ranges = {
        name: "[" + ", ".join(f"{begin}-{end}" for begin, end in sorted(pairs)) + "]"
        for name, pairs in spans.items()
    }
    sets = {name: "{" + ", ".join(sorted(set(members))) + "}" for name, members in items.items()}
    return {**scalars, **ranges, **sets}


def resources_full(resources: Iterable[mesos.Resource]) -> list[Json]:
    """As proto3 JSON in the format of endpoints: unreserved ones say role "*"."""
    shown: list[Json] = []
    for resource in resources:
        item = plain(resource)
        if not resource.reservations:
            item.setdefault("role", "*")
        for span in item.get("ranges", {}).get("range", ()):
            span.update({key: int(value) for key, value in span.items()})
        shown.append(item)
    return shown


def reserved_by_role(resources: Iterable[mesos.Resource]) -> dict[str, list[mesos.Resource]]:
    """The reserved ones by the role they are reserved for."""
    found: dict[str, list[mesos.Resource]] = {}
    for resource in resources:
        if resource.reservations:
            found.setdefault(resource.reservations[-1].role, []).append(resource)
    return found


def attributes_json(attributes: Iterable[mesos.Attribute]) -> Json:
    """Name to value: numbers as such, ranges and texts as text (JSON::Object model(Attributes))."""
    return {attribute.name: _attribute_json(attribute) for attribute in attributes}


def _attribute_json(attribute: mesos.Attribute) -> float | str:
    if attribute.type == mesos.Value.SCALAR:
        return attribute.scalar.value
    if attribute.type == mesos.Value.RANGES:
        return "[" + ", ".join(f"{span.begin}-{span.end}" for span in attribute.ranges.range) + "]"
    return attribute.text.value


def labels_json(labels: mesos.Labels) -> list[Json]:
    """A list of key and value."""
    return [plain(label) for label in labels.labels]


def status_json(status: mesos.TaskStatus) -> Json:
    """One of a task's statuses."""
    shown: Json = {"state": mesos.TaskState.Name(status.state), "timestamp": status.timestamp}
    if status.HasField("labels"):
        shown["labels"] = labels_json(status.labels)
    if status.HasField("container_status"):
        shown["container_status"] = plain(status.container_status)
    if status.HasField("healthy"):
        shown["healthy"] = status.healthy
    return shown


def task_json(task: mesos.Task) -> Json:
    """One task; `executor_id` is "" for a command task."""
    shown: Json = {
        "id": task.task_id.value,
        "name": task.name,
        "framework_id": task.framework_id.value,
        "executor_id": task.executor_id.value,
        "slave_id": task.slave_id.value,
        "state": mesos.TaskState.Name(task.state),
        "resources": resources_json(task.resources),
        "role": task.resources[0].allocation_info.role if task.resources else "",
        "statuses": [status_json(status) for status in task.statuses],
    }
    if task.HasField("labels"):
        shown["labels"] = labels_json(task.labels)
    if task.HasField("discovery"):
        shown["discovery"] = plain(task.discovery)
    return shown
