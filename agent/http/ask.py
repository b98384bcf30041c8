"""A request on its way to who answers it, and who may ask what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from agent.http.answers import ok_json

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from agent.core import Agent
    from agent.http.verbosity import Verbosity


class Realm(Enum):
    """What a caller must be known for (docs/authentication.md of Mesos; the agent's flag beside it)."""

    OPEN = ""
    READONLY = "mesos-agent-readonly"  # --authenticate_http_readonly
    READWRITE = "mesos-agent-readwrite"  # --authenticate_http_readwrite
    EXECUTOR = "mesos-agent-executor"  # --authenticate_http_executors


class Action(Enum):
    """What a caller does, by the names of mesos.authorization.Action (authorizer.proto)."""

    VIEW_FRAMEWORK = "VIEW_FRAMEWORK"
    VIEW_TASK = "VIEW_TASK"
    VIEW_EXECUTOR = "VIEW_EXECUTOR"
    VIEW_FLAGS = "VIEW_FLAGS"
    VIEW_ROLE = "VIEW_ROLE"
    VIEW_CONTAINER = "VIEW_CONTAINER"
    VIEW_RESOURCE_PROVIDER = "VIEW_RESOURCE_PROVIDER"
    ACCESS_SANDBOX = "ACCESS_SANDBOX"
    SET_LOG_LEVEL = "SET_LOG_LEVEL"
    ATTACH_CONTAINER_INPUT = "ATTACH_CONTAINER_INPUT"
    ATTACH_CONTAINER_OUTPUT = "ATTACH_CONTAINER_OUTPUT"
    LAUNCH_CONTAINER = "LAUNCH_STANDALONE_CONTAINER"
    LAUNCH_NESTED_CONTAINER = "LAUNCH_NESTED_CONTAINER"
    LAUNCH_NESTED_CONTAINER_SESSION = "LAUNCH_NESTED_CONTAINER_SESSION"
    WAIT_CONTAINER = "WAIT_STANDALONE_CONTAINER"
    KILL_CONTAINER = "KILL_STANDALONE_CONTAINER"
    REMOVE_CONTAINER = "REMOVE_STANDALONE_CONTAINER"
    MODIFY_RESOURCE_PROVIDER_CONFIG = "MODIFY_RESOURCE_PROVIDER_CONFIG"
    MARK_RESOURCE_PROVIDER_GONE = "MARK_RESOURCE_PROVIDER_GONE"
    PRUNE_IMAGES = "PRUNE_IMAGES"
    GET_ENDPOINT = "GET_ENDPOINT_WITH_PATH"  # the thing is the endpoint, such as /monitor/statistics


class Gate(Protocol):
    """Decides over each request before anything is done for it. Without one everybody may everything."""

    async def admit(self, ask: Ask) -> web.StreamResponse | None:
        """None lets it in and may set `ask.principal`; a response is the refusal (401, 403)."""
        ...

    def approves(self, ask: Ask, action: Action, *things: Message | str) -> bool:
        """Whether the caller may do this to `things`: a framework's info and then a task's or executor's,
        a role, an endpoint's path. Handlers leave out of their answers what is not approved."""
        ...


Handler = Callable[["Ask"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint."""

    handler: Handler
    realm: Realm = Realm.READONLY
    about: str = ""
    """For /help: what it answers, in a line."""
    parameters: tuple[str, ...] = ()
    """For /help: the query's parameters."""


@dataclass(slots=True)
class Ask:
    """One request with everything that its handler may need."""

    request: web.BaseRequest
    route: Route
    endpoint: str
    """Without the agent's id, as authorization names it: /monitor/statistics."""
    agent: Agent
    """Whose id is in the path; without an id the first agent of the port."""
    agents: Mapping[str, Agent]
    """All behind the port, by process id."""
    named: bool
    """Whether the path had an id."""
    verbosity: Verbosity
    gate: Gate | None = None
    principal: str | None = None
    claims: Mapping[str, str] = field(default_factory=dict)

    def approves(self, action: Action, *things: Message | str) -> bool:
        """Whether the caller may do this."""
        return self.gate is None or self.gate.approves(self, action, *things)

    def json(self, data: object) -> web.Response:
        """200 with JSON or JSONP, as the query says."""
        return ok_json(data, self.request.query.get("jsonp"))
