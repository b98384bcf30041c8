"""Finds who answers a request: /slave(N)/... is one agent's; the rest is the port's.

Tools that know native agents leave the id out (/state, /health): the first agent of the port answers, as
the native binary delegates to slave(1).
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from agent.http.metrics import snapshot
from agent.http.state import flags_json, state_json, version_json
from agent.wire.framing import split_path

if TYPE_CHECKING:
    from agent.core import Agent

_CALLBACK = re.compile(r"[A-Za-z_$][\w$.\[\]]{0,200}")
"""A JavaScript name that is safe to put before a parenthesis."""

AgentHandler = Callable[["Agent", web.BaseRequest], Awaitable[web.StreamResponse]]


async def _health(agent: Agent, request: web.BaseRequest) -> web.StreamResponse:
    return web.Response()


async def _state(agent: Agent, request: web.BaseRequest) -> web.StreamResponse:
    return answer(request, state_json(agent))


async def _flags(agent: Agent, request: web.BaseRequest) -> web.StreamResponse:
    return answer(request, {"flags": flags_json(agent)})


async def _metrics(agent: Agent, request: web.BaseRequest) -> web.StreamResponse:
    return answer(request, snapshot([agent]))


AGENT_ROUTES: dict[str, AgentHandler] = {
    "health": _health,
    "state": _state,
    "state.json": _state,
    "flags": _flags,
    "metrics/snapshot": _metrics,
}
"""What each agent answers under its id."""


def answer(request: web.BaseRequest, data: Any) -> web.Response:
    """JSON, or JSONP where `?jsonp=name` asks for it (the master's web UI does, from another origin)."""
    text = json.dumps(data, separators=(",", ":"))
    callback = request.query.get("jsonp")
    if callback is None:
        return web.Response(text=text, content_type="application/json")
    if not _CALLBACK.fullmatch(callback):
        return web.Response(status=400, text="jsonp must be the name of a function.\n")
    return web.Response(text=f"{callback}({text});", content_type="text/javascript")


class Router:
    """Plain HTTP of one port. `agents` tells who is behind it now, by process id."""

    def __init__(self, agents: Callable[[], Mapping[str, Agent]]) -> None:
        self._agents = agents

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; 404 for what is nobody's."""
        agents = self._agents()
        process, rest = split_path(request.raw_path)
        agent, path = agents.get(process), rest.rstrip("/")
        if agent is None:
            path = f"{process}/{rest}".strip("/")
            if path == "metrics/snapshot":
                return answer(request, snapshot(list(agents.values())))
            agent = next(iter(agents.values()), None)
        if path == "version":
            return answer(request, version_json())
        handler = AGENT_ROUTES.get(path)
        if agent is None or handler is None:
            return web.Response(status=404)
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET"})
        return await handler(agent, request)
