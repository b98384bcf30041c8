"""The calls of the operator API that look: health, flags, metrics, files, tasks, executors, frameworks.

Each fills an agent::Response; who may not see something does not find it there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiohttp import web

from agent.http import files
from agent.http.answers import ok, refuse
from agent.http.ask import Action, Ask
from agent.http.metrics import snapshot
from agent.http.state import flags_json, version_json
from agent.http.view import FrameworkView, View, view
from agent.proto import agent_pb2 as api
from agent.proto import mesos_pb2 as mesos

Answer = api.Response | web.StreamResponse


def response_to(call: api.Call) -> api.Response:
    """An empty answer of the call's type; both enums have the same names."""
    return api.Response(type=api.Call.Type.Name(call.type))


async def get_health(ask: Ask, call: api.Call) -> Answer:
    response = response_to(call)
    response.get_health.healthy = True
    return response


async def get_flags(ask: Ask, call: api.Call) -> Answer:
    if not ask.approves(Action.VIEW_FLAGS):
        return refuse(403)
    response = response_to(call)
    response.get_flags.SetInParent()
    for name, value in sorted(flags_json(ask.agent).items()):
        response.get_flags.flags.add(name=name, value=value)
    return response


async def get_version(ask: Ask, call: api.Call) -> Answer:
    response = response_to(call)
    for name, value in version_json().items():
        setattr(response.get_version.version_info, name, value)
    return response


async def get_metrics(ask: Ask, call: api.Call) -> Answer:
    response = response_to(call)
    agents = [ask.agent] if ask.named else list(ask.agents.values())
    for name, value in snapshot(agents).items():
        response.get_metrics.metrics.add(name=name, value=value)
    return response


async def get_logging_level(ask: Ask, call: api.Call) -> Answer:
    response = response_to(call)
    response.get_logging_level.level = ask.verbosity.level
    return response


async def set_logging_level(ask: Ask, call: api.Call) -> Answer:
    if not ask.approves(Action.SET_LOG_LEVEL):
        return refuse(403)
    wish = call.set_logging_level
    ask.verbosity.set(wish.level, max(0.0, wish.duration.nanoseconds / 1e9))
    return ok()


async def list_files(ask: Ask, call: api.Call) -> Answer:
    path = call.list_files.path
    response = response_to(call)
    try:
        files.check_access(ask, path)
        found = await asyncio.to_thread(files.browse, list(ask.agents.values()), path)
    except files.FilesError as error:
        return error.answer()
    response.list_files.SetInParent()
    response.list_files.file_infos.extend(found)
    return response


async def read_file(ask: Ask, call: api.Call) -> Answer:
    wish = call.read_file
    length = wish.length if wish.HasField("length") else None
    offset = min(wish.offset, (1 << 63) - 1)
    response = response_to(call)
    try:
        files.check_access(ask, wish.path)
        agents = list(ask.agents.values())
        size, data = await asyncio.to_thread(files.read, agents, wish.path, offset, length)
    except files.FilesError as error:
        return error.answer()
    response.read_file.size, response.read_file.data = size, data
    return response


async def get_agent(ask: Ask, call: api.Call) -> Answer:
    response = response_to(call)
    response.get_agent.slave_info.CopyFrom(ask.agent.slave_info())
    if ask.agent.tasks.drain is not None:
        response.get_agent.drain_config.CopyFrom(ask.agent.tasks.drain)
        if ask.agent.tasks.drain_began is not None:
            began = int(ask.agent.tasks.drain_began)  # whole seconds, as a native agent
            response.get_agent.estimated_drain_start_time.nanoseconds = began * 1_000_000_000
    return response


async def get_operations(ask: Ask, call: api.Call) -> Answer:
    response = response_to(call)
    response.get_operations.SetInParent()
    response.get_operations.operations.extend(ask.agent.operations.all)
    return response


async def get_resource_providers(ask: Ask, call: api.Call) -> Answer:
    response = response_to(call)
    response.get_resource_providers.SetInParent()  # there are none
    return response


async def get_frameworks(ask: Ask, call: api.Call) -> Answer:
    response = response_to(call)
    fill_frameworks(ask, view(ask.agent), response.get_frameworks)
    return response


async def get_executors(ask: Ask, call: api.Call) -> Answer:
    response = response_to(call)
    fill_executors(ask, view(ask.agent), response.get_executors)
    return response


async def get_tasks(ask: Ask, call: api.Call) -> Answer:
    response = response_to(call)
    fill_tasks(ask, view(ask.agent), response.get_tasks)
    return response


async def get_state(ask: Ask, call: api.Call) -> Answer:
    response, seen = response_to(call), view(ask.agent)
    fill_tasks(ask, seen, response.get_state.get_tasks)
    fill_executors(ask, seen, response.get_state.get_executors)
    fill_frameworks(ask, seen, response.get_state.get_frameworks)
    return response


# -- filling -----------------------------------------------------------------------------------------------


def _visible(ask: Ask, frameworks: Iterable[FrameworkView]) -> list[FrameworkView]:
    return [item for item in frameworks if ask.approves(Action.VIEW_FRAMEWORK, item.info)]


def fill_frameworks(ask: Ask, seen: View, into: api.Response.GetFrameworks) -> None:
    """Active and completed frameworks."""
    into.SetInParent()
    for framework in _visible(ask, seen.frameworks):
        into.frameworks.add().framework_info.CopyFrom(framework.info)
    for framework in _visible(ask, seen.completed):
        into.completed_frameworks.add().framework_info.CopyFrom(framework.info)


def fill_executors(ask: Ask, seen: View, into: api.Response.GetExecutors) -> None:
    """Active and completed executors of all frameworks."""
    into.SetInParent()
    for framework in _visible(ask, (*seen.frameworks, *seen.completed)):
        for found, place in (
            (framework.executors, into.executors),
            (framework.completed, into.completed_executors),
        ):
            for executor in found:
                if ask.approves(Action.VIEW_EXECUTOR, framework.info, executor.info):
                    place.add().executor_info.CopyFrom(executor.info)


def fill_tasks(ask: Ask, seen: View, into: api.Response.GetTasks) -> None:
    """All tasks by how far they are. Pending ones (whose executor is not there) do not exist here."""
    into.SetInParent()
    for framework in _visible(ask, (*seen.frameworks, *seen.completed)):
        for executor in (*framework.executors, *framework.completed):
            if not ask.approves(Action.VIEW_EXECUTOR, framework.info, executor.info):
                continue
            for task in executor.tasks:
                if ask.approves(Action.VIEW_TASK, framework.info, task.info):
                    place = into.terminated_tasks if task.terminal else into.launched_tasks
                    if task.state == mesos.TASK_STAGING:
                        place = into.queued_tasks
                    place.append(task.as_task())
            for task in executor.completed:
                if ask.approves(Action.VIEW_TASK, framework.info, task.info):
                    into.completed_tasks.append(task.as_task())
