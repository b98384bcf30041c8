"""All endpoints: what each agent answers under its id, and what the process answers without one."""

from __future__ import annotations

from aiohttp import web

from agent.http import containers, executor_api, files, metrics, operator, trace
from agent.http.answers import ok, refuse
from agent.http.ask import Action, Ask, Realm, Route
from agent.http.duration import DurationError, seconds_of
from agent.http.help import help_json, help_page, wants_json
from agent.http.state import flags_json, state_json, version_json


async def _health(ask: Ask) -> web.StreamResponse:
    return ok()


async def _state(ask: Ask) -> web.StreamResponse:
    if ask.agent.recovering:
        return refuse(503, "Agent has not finished recovery")
    return ask.json(state_json(ask))


async def _flags(ask: Ask) -> web.StreamResponse:
    return ask.json({"flags": flags_json(ask.agent) if ask.approves(Action.VIEW_FLAGS) else {}})


async def _version(ask: Ask) -> web.StreamResponse:
    return ask.json(version_json())


async def _logging(ask: Ask) -> web.StreamResponse:
    """/logging/toggle (libprocess logging.cpp)."""
    level, duration = (ask.request.query.get(name) for name in ("level", "duration"))
    if level is None and duration is None:
        return ok(f"{ask.verbosity.level}\n".encode(), "text/plain; charset=utf-8")
    if level is None or duration is None:
        return refuse(400, f"Expecting '{'level' if level is None else 'duration'}=value' in query.\n")
    if not level.removeprefix("-").isdecimal() or len(level) > 9:
        return refuse(400, f"Failed to convert '{level[:40]}' to number.\n")
    if int(level) < 0:
        return refuse(400, f"Invalid level '{level}'.\n")
    try:
        seconds = seconds_of(duration)
    except DurationError as error:
        return refuse(400, f"{error}.\n")
    if not ask.approves(Action.SET_LOG_LEVEL):
        return refuse(403)
    ask.verbosity.set(int(level), max(0.0, seconds))
    return ok()


async def _help(ask: Ask) -> web.StreamResponse:
    if wants_json(ask):
        return ask.json(help_json(ask.agents, AGENT_ROUTES, PORT_ROUTES))
    return help_page(PORT_ROUTES)


_STATE = Route(_state, about="What the agent is and what runs on it.")

AGENT_ROUTES: dict[str, Route] = {
    "health": Route(_health, Realm.OPEN, "200 while the agent is well."),
    "state": _STATE,
    "state.json": _STATE,
    "flags": Route(_flags, about="The agent's settings under the names of the native flags."),
    "containers": Route(
        containers.containers_endpoint,
        about="Each executor's status and what it uses.",
        parameters=("container_id", "framework_id", "executor_id"),
    ),
    "monitor/statistics": Route(containers.statistics_endpoint, about="What each executor uses."),
    "trace": Route(
        trace.trace_endpoint,
        about="The messages between gateway and device, decoded, from the first request on.",
        parameters=("after",),
    ),
    "metrics/snapshot": Route(
        metrics.snapshot_endpoint,
        about="The agent's metrics; without an id those of the whole port.",
        parameters=("timeout",),
    ),
    "metrics": Route(metrics.prometheus_endpoint, about="The metrics in Prometheus' text format."),
    "api/v1": Route(operator.api_endpoint, Realm.READWRITE, "The operator API: POST an agent::Call."),
    "api/v1/executor": Route(executor_api.executor_endpoint, Realm.EXECUTOR, "The executor API."),
    "version": Route(_version, Realm.OPEN, "The version of Mesos's protocol, and of this build."),
}
"""What each agent answers under its id."""

FILE_ROUTES: dict[str, Route] = {
    "files/browse": Route(
        files.browse_endpoint, about="What a folder of a sandbox holds.", parameters=("path",)
    ),
    "files/read": Route(
        files.read_endpoint,
        about="A piece of a file; without an offset its size, as `offset`.",
        parameters=("path", "offset", "length"),
    ),
    "files/download": Route(files.download_endpoint, about="A file as it is.", parameters=("path",)),
    "files/debug": Route(files.debug_endpoint, about="Which paths lead where."),
}

PROCESS_ROUTES: dict[str, Route] = {
    "logging/toggle": Route(
        _logging,
        Realm.READWRITE,
        "How much is logged; with level and duration, how much for a while.",
        ("level", "duration"),
    ),
    "system/stats.json": Route(metrics.system_endpoint, about="The gateway's processors, load and memory."),
    "help": Route(_help, about="All endpoints.", parameters=("format",)),
}

PORT_ROUTES: dict[str, Route] = {**AGENT_ROUTES, **FILE_ROUTES, **PROCESS_ROUTES}
"""Those of the process, and those of an agent, which its first one answers."""
