"""/state and /flags of one agent: what it is, what it offers, what runs on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from agent.config import MESOS_VERSION
from agent.facts import CAPABILITIES
from agent.flags import shown
from agent.http.shapes import (
    Json,
    attributes_json,
    plain,
    reserved_by_role,
    resources_full,
    resources_json,
    task_json,
)
from agent.proto import mesos_pb2 as mesos
from agent.records import TaskRecord

if TYPE_CHECKING:
    from agent.core import Agent


def version_json() -> Json:
    """The protocol's version, for tools that compare it, and what we are."""
    return {"version": MESOS_VERSION, "build_user": "mesos-micro-agent"}


def flags_json(agent: Agent) -> dict[str, str]:
    """The settings under the native agent's flag names, as text."""
    flags = shown(agent.config)
    resources = resources_json(agent.resources)
    flags["resources"] = ";".join(f"{name}:{value}" for name, value in resources.items())
    return {**flags, "hostname": agent.hostname, "ip": agent.ip, "port": str(agent.port)}


def used_resources(agent: Agent) -> list[mesos.Resource]:
    """What the living tasks hold."""
    living = [task for task in agent.tasks.book.tasks() if not task.terminal]
    return [resource for task in living for resource in task.info.resources]


def state_json(agent: Agent) -> Json:
    """The whole of /state, with the keys that a native agent always has."""
    total, used = agent.resources, used_resources(agent)
    reserved, reserved_used = reserved_by_role(total), reserved_by_role(used)
    unreserved = [item for item in total if not item.reservations]
    unreserved_used = [item for item in used if not item.reservations]
    shown: Json = {
        **version_json(),
        "start_time": agent.started,
        "id": agent.agent_id,
        "pid": agent.pid,
        "hostname": agent.hostname,
        "capabilities": [mesos.SlaveInfo.Capability.Type.Name(item) for item in CAPABILITIES],
        "resources": resources_json(total),
        "reserved_resources": {role: resources_json(items) for role, items in reserved.items()},
        "unreserved_resources": resources_json(unreserved),
        "reserved_resources_full": {role: resources_full(items) for role, items in reserved.items()},
        "unreserved_resources_full": resources_full(unreserved),
        "reserved_resources_allocated": {
            role: resources_json(items) for role, items in reserved_used.items()
        },
        "unreserved_resources_allocated": resources_json(unreserved_used),
        "resource_providers": [],
        "attributes": attributes_json(agent.attributes),
        "flags": flags_json(agent),
        "frameworks": _frameworks(agent),
        "completed_frameworks": _completed_frameworks(agent),
    }
    if agent.tasks.drain is not None:
        shown["drain_config"] = plain(agent.tasks.drain)
    if agent.registration.master is not None:
        shown["master_hostname"] = agent.registration.master.ip
    return shown


def _frameworks(agent: Agent) -> list[Json]:
    book = agent.tasks.book
    return [
        _framework(
            record.info,
            list(record.tasks.values()),
            [task for info, task in book.completed if info.id == record.info.id],
        )
        for record in book.frameworks.values()
    ]


def _completed_frameworks(agent: Agent) -> list[Json]:
    book = agent.tasks.book
    over: dict[str, tuple[mesos.FrameworkInfo, list[TaskRecord]]] = {}
    for info, task in book.completed:
        if info.id.value not in book.frameworks:
            over.setdefault(info.id.value, (info, []))[1].append(task)
    return [_framework(info, [], tasks) for info, tasks in over.values()]


def _framework(
    info: mesos.FrameworkInfo, tasks: Sequence[TaskRecord], completed: Iterable[TaskRecord]
) -> Json:
    shown: Json = {
        "id": info.id.value,
        "name": info.name,
        "user": info.user,
        "failover_timeout": info.failover_timeout,
        "checkpoint": info.checkpoint,
        "hostname": info.hostname,
    }
    if info.HasField("principal"):
        shown["principal"] = info.principal
    multi = mesos.FrameworkInfo.Capability.MULTI_ROLE
    if any(item.type == multi for item in info.capabilities):
        shown["roles"] = list(info.roles)
    else:
        shown["role"] = info.role
    living_keys = {(task.executor_id, task.container_id) for task in tasks if not task.terminal}
    groups: dict[tuple[str, str], list[TaskRecord]] = {}
    for task in (*tasks, *completed):
        groups.setdefault((task.executor_id, task.container_id), []).append(task)
    shown["executors"] = [_executor(group) for key, group in groups.items() if key in living_keys]
    shown["completed_executors"] = [
        _executor(group) for key, group in groups.items() if key not in living_keys
    ]
    return shown


def _executor(tasks: Sequence[TaskRecord]) -> Json:
    """A custom executor, or the one that each command task has, with its tasks."""
    first = tasks[0]
    info = first.info.executor if first.custom else None
    living = [task for task in tasks if not task.terminal]
    held = [resource for task in living for resource in task.info.resources]
    return {
        "id": first.executor_id,
        "name": info.name if info else f"WASM executor of task {first.id}",
        "source": info.source if info and info.source else first.id,
        "container": first.container_id,
        "directory": "",
        "resources": resources_json([*held, *(info.resources if info else ())]),
        "tasks": [task_json(task.as_task()) for task in living if task.state != mesos.TASK_STAGING],
        "queued_tasks": [task_json(task.as_task()) for task in living if task.state == mesos.TASK_STAGING],
        "completed_tasks": [task_json(task.as_task()) for task in tasks if task.terminal],
    }
