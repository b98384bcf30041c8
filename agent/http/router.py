"""Finds who answers a request: /slave(N)/... is one agent's; the rest is the port's.

Tools that know native agents leave the id out (/state, /api/v1): the first agent of the port answers, as
the native binary delegates to slave(1).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from agent.http.answers import compress, refuse
from agent.http.ask import Ask, Gate
from agent.http.endpoints import AGENT_ROUTES, PORT_ROUTES
from agent.http.verbosity import Verbosity
from agent.wire.framing import split_path

if TYPE_CHECKING:
    from agent.core import Agent

log = logging.getLogger(__name__)


class Router:
    """Plain HTTP of one port. `agents` tells who is behind it now, by process id."""

    def __init__(
        self,
        agents: Callable[[], Mapping[str, Agent]],
        *,
        gate: Gate | None = None,
        verbosity: Verbosity | None = None,
    ) -> None:
        self._agents = agents
        self._gate = gate
        self._verbosity = verbosity or Verbosity("agent", "hal")

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; 404 for what is nobody's. This is the only way to every handler."""
        ask = self._find(request)
        if ask is None:
            return refuse(404)
        if self._gate is not None:
            refusal = await self._gate.admit(ask)
            if refusal is not None:
                return refusal
        try:
            response = await ask.route.handler(ask)
            compress(request, response)
            return response
        except web.HTTPRequestEntityTooLarge as error:
            return refuse(413, f"{error.text}\n")
        except ConnectionError:
            raise  # the caller has gone
        except Exception:
            log.exception("%s %s failed", request.method, ask.endpoint)
            return refuse(500, "The agent failed to answer; its log says why.\n")

    def _find(self, request: web.BaseRequest) -> Ask | None:
        agents = self._agents()
        process, rest = split_path(request.raw_path)
        agent = agents.get(process)
        named = agent is not None
        path = (rest if named else f"{process}/{rest}").strip("/")
        route = AGENT_ROUTES.get(path) if named else PORT_ROUTES.get(path)
        agent = agent or next(iter(agents.values()), None)
        if agent is None or route is None:
            return None
        return Ask(request, route, f"/{path}", agent, agents, named, self._verbosity, self._gate)
