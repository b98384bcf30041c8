"""All endpoints: what each agent answers under its id, and what the process answers without one."""

from __future__ import annotations

from aiohttp import web

from agent.http.answers import ok
from agent.http.ask import Action, Ask, Realm, Route
from agent.http.metrics import snapshot
from agent.http.state import flags_json, state_json, version_json


async def _health(ask: Ask) -> web.StreamResponse:
    return ok()


async def _state(ask: Ask) -> web.StreamResponse:
    return ask.json(state_json(ask.agent))


async def _flags(ask: Ask) -> web.StreamResponse:
    return ask.json({"flags": flags_json(ask.agent) if ask.approves(Action.VIEW_FLAGS) else {}})


async def _version(ask: Ask) -> web.StreamResponse:
    return ask.json(version_json())


async def _metrics(ask: Ask) -> web.StreamResponse:
    return ask.json(snapshot([ask.agent] if ask.named else list(ask.agents.values())))


_STATE = Route(_state, about="What the agent is and what runs on it.")

AGENT_ROUTES: dict[str, Route] = {
    "health": Route(_health, Realm.OPEN, "200 while the agent is well."),
    "state": _STATE,
    "state.json": _STATE,
    "flags": Route(_flags, about="The agent's settings under the names of the native flags."),
    "metrics/snapshot": Route(_metrics, about="The agent's metrics; without an id those of the whole port."),
    "version": Route(_version, Realm.OPEN, "The version of Mesos's protocol, and of this build."),
}

PORT_ROUTES: dict[str, Route] = {**AGENT_ROUTES}
"""Those of the process, and those of an agent, which its first one answers."""
