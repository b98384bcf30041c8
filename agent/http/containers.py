"""/containers and /monitor/statistics: what each executor uses (Http::_containers, Http::_statistics)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from agent.facts import mem_bytes, scalar_of
from agent.http.ask import Action, Ask
from agent.http.protojson import Json, to_json
from agent.http.view import ExecutorView, view
from agent.proto import agent_pb2 as api
from agent.proto import mesos_pb2 as mesos
from hal.errors import HalError
from hal.target import Usage

if TYPE_CHECKING:
    from agent.core import Agent

log = logging.getLogger(__name__)

_NOTHING = Usage()
_Filter = Callable[[ExecutorView], bool]


async def usage_of(agent: Agent) -> Mapping[str, Usage]:
    """What the target's executors use, by their names there; empty when it does not answer."""
    try:
        return await agent.target.usage()
    except HalError as error:
        log.info("%s does not tell what its executors use: %s", agent.target_name, error)
        return {}


def statistics(executor: ExecutorView, usage: Mapping[str, Usage], now: float) -> api.ResourceStatistics:
    """The sum over an executor's tasks, each of which is a guest of its own on the target.

    Guests have no kernel part of their own: all their time is user time. Resident is what code, stack and
    linear memory took at their peak.
    """
    used = [usage.get(task.target_key, _NOTHING) for task in executor.living]
    held = executor.resources()
    found = api.ResourceStatistics(timestamp=now)
    found.processes = found.threads = len(used)
    found.cpus_user_time_secs = sum(item.cpu_seconds for item in used)
    found.cpus_system_time_secs = 0.0
    found.cpus_limit = scalar_of(held, "cpus")
    found.mem_rss_bytes = sum(item.code_bytes + item.stack_peak + item.memory_peak for item in used)
    found.mem_total_bytes = found.mem_rss_bytes
    found.mem_limit_bytes = mem_bytes(scalar_of(held, "mem"))
    return found


def status_of(executor: ExecutorView) -> mesos.ContainerStatus:
    """Where it runs: as its tasks' statuses tell it."""
    for task in executor.tasks:
        for status in reversed(task.statuses):
            if status.HasField("container_status"):
                return status.container_status
    found = mesos.ContainerStatus()
    found.container_id.value = executor.container_id
    return found


async def living(ask: Ask, wanted: _Filter) -> list[tuple[ExecutorView, api.ResourceStatistics]]:
    """The executors that run and that the caller may see, with what they use."""
    executors = [
        executor
        for executor in view(ask.agent).executors()
        if executor.living
        and wanted(executor)
        and ask.approves(Action.VIEW_CONTAINER, executor.framework, executor.info)
    ]
    if not executors:
        return []  # and no need to ask the target
    usage = await usage_of(ask.agent)
    now = time.time()
    return [(executor, statistics(executor, usage, now)) for executor in executors]


def _names(executor: ExecutorView) -> Json:
    return {
        "framework_id": executor.framework.id.value,
        "executor_id": executor.id,
        "executor_name": executor.info.name,
        "source": executor.info.source,
    }


async def statistics_endpoint(ask: Ask) -> web.StreamResponse:
    """/monitor/statistics"""
    found = await living(ask, lambda executor: True)
    return ask.json([{**_names(executor), "statistics": to_json(stats)} for executor, stats in found])


async def containers_endpoint(ask: Ask) -> web.StreamResponse:
    """/containers, all or those chosen by container_id, framework_id, executor_id (as later Mesos has it)."""
    query = ask.request.query
    container, framework, executor = (
        query.get(name) for name in ("container_id", "framework_id", "executor_id")
    )

    def wanted(one: ExecutorView) -> bool:
        return (
            container in (None, one.container_id)
            and framework in (None, one.framework.id.value)
            and executor in (None, one.id)
        )

    return ask.json(
        [
            {
                "container_id": one.container_id,
                **_names(one),
                "statistics": to_json(stats),
                "status": to_json(status_of(one)),
            }
            for one, stats in await living(ask, wanted)
        ]
    )


async def get_containers(ask: Ask, call: api.Call) -> api.Response:
    """GET_CONTAINERS: native leaves the answer empty when there are none."""
    response = api.Response(type=api.Response.GET_CONTAINERS)
    for executor, stats in await living(ask, lambda one: True):
        item = response.get_containers.containers.add()
        item.framework_id.value = executor.framework.id.value
        item.executor_id.value = executor.id
        item.executor_name = executor.info.name
        item.container_id.value = executor.container_id
        item.container_status.CopyFrom(status_of(executor))
        item.resource_statistics.CopyFrom(stats)
    return response
