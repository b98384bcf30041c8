"""Mesos's own JSON for resources, attributes and tasks (src/common/http.cpp); the rest is protojson's."""

from __future__ import annotations

from collections.abc import Iterable

from agent.facts import round_scalar
from agent.http.protojson import Json, number, to_json
from agent.proto import mesos_pb2 as mesos

ALWAYS = ("disk", "mem", "gpus", "cpus")
"""Scalars that every list of resources tells, as 0 where there are none."""


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
    """In the format of endpoints (convertResourceFormat, ENDPOINT): what is unreserved says role "*", what
    is reserved once says so in the older way too."""
    shown: list[Json] = []
    for resource in resources:
        item = to_json(resource)
        if not resource.reservations:
            item["role"] = "*"
        elif len(resource.reservations) == 1:
            reservation = resource.reservations[0]
            item["role"] = reservation.role
            if reservation.type == mesos.Resource.ReservationInfo.DYNAMIC:
                told = to_json(reservation)
                item["reservation"] = {key: told[key] for key in ("principal", "labels") if key in told}
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
    return [to_json(label) for label in labels.labels]


def status_json(status: mesos.TaskStatus) -> Json:
    """One of a task's statuses."""
    shown: Json = {"state": mesos.TaskState.Name(status.state), "timestamp": status.timestamp}
    if status.HasField("labels"):
        shown["labels"] = labels_json(status.labels)
    if status.HasField("container_status"):
        shown["container_status"] = container_json(status.container_status)
    if status.HasField("healthy"):
        shown["healthy"] = status.healthy
    return shown


def container_json(status: mesos.ContainerStatus) -> Json:
    """Where a task runs; the process is not told here."""
    shown: Json = {}
    if status.HasField("container_id"):
        shown["container_id"] = to_json(status.container_id)
    if status.network_infos:
        shown["network_infos"] = [
            {"ip_addresses": [to_json(address) for address in info.ip_addresses]}
            for info in status.network_infos
        ]
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
    }
    if task.limits:
        shown["limits"] = {name: number(task.limits[name].value) for name in sorted(task.limits)}
    shown["role"] = task.resources[0].allocation_info.role if task.resources else ""
    shown["statuses"] = [status_json(status) for status in task.statuses]
    if task.HasField("user"):
        shown["user"] = task.user
    if task.HasField("labels"):
        shown["labels"] = labels_json(task.labels)
    for name in ("discovery", "container", "health_check"):
        if task.HasField(name):
            shown[name] = to_json(getattr(task, name))
    return shown


def queued_task_json(task: mesos.TaskInfo) -> Json:
    """A task that its executor has not got yet."""
    shown: Json = {
        "id": task.task_id.value,
        "name": task.name,
        "slave_id": task.slave_id.value,
        "resources": resources_json(task.resources),
        "role": task.resources[0].allocation_info.role if task.resources else "",
    }
    if task.HasField("command"):
        shown["command"] = command_json(task.command)
    if task.HasField("executor"):
        shown["executor_id"] = task.executor.executor_id.value
    if task.HasField("discovery"):
        shown["discovery"] = to_json(task.discovery)
    return shown


def command_json(command: mesos.CommandInfo) -> Json:
    """A task's command."""
    shown: Json = {}
    if command.HasField("shell"):
        shown["shell"] = command.shell
    if command.HasField("value"):
        shown["value"] = command.value
    shown["argv"] = list(command.arguments)
    if command.HasField("environment"):
        shown["environment"] = to_json(command.environment)
    shown["uris"] = [{"value": uri.value, "executable": uri.executable} for uri in command.uris]
    return shown
