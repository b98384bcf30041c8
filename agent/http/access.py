"""The gate before every endpoint: who is asking, by Basic or Bearer, and what the ACLs let them do.

Realms and actions are Mesos's (src/common/http.cpp, docs/authentication.md, docs/authorization.md): who
fails to say who they are gets 401, who may not gets 403 or an answer without what is not for them.
"""

from __future__ import annotations

import base64
import hmac
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from aiohttp import web

from agent.acls import ENDPOINTS
from agent.config import AgentConfig
from agent.errors import ConfigError
from agent.http.answers import refuse
from agent.http.ask import Action, Ask, Realm
from agent.http.jwt import TokenError, verify
from agent.proto import mesos_pb2 as mesos

if TYPE_CHECKING:
    from google.protobuf.message import Message

log = logging.getLogger(__name__)

_ACLS: Mapping[Action, tuple[str, ...]] = MappingProxyType(
    {
        Action.VIEW_FRAMEWORK: ("view_frameworks",),
        Action.VIEW_TASK: ("view_tasks",),
        Action.VIEW_EXECUTOR: ("view_executors",),
        Action.VIEW_FLAGS: ("view_flags",),
        Action.VIEW_ROLE: ("view_roles",),
        Action.VIEW_CONTAINER: ("view_containers",),
        Action.VIEW_RESOURCE_PROVIDER: ("view_resource_providers",),
        Action.ACCESS_SANDBOX: ("access_sandboxes",),
        Action.SET_LOG_LEVEL: ("set_log_level",),
        Action.ATTACH_CONTAINER_INPUT: ("attach_containers_input",),
        Action.ATTACH_CONTAINER_OUTPUT: ("attach_containers_output",),
        Action.LAUNCH_CONTAINER: ("launch_standalone_containers",),
        Action.LAUNCH_NESTED_CONTAINER: (
            *("launch_nested_containers_as_user", "launch_nested_containers_under_parent_with_user"),
        ),
        Action.LAUNCH_NESTED_CONTAINER_SESSION: (
            "launch_nested_container_sessions_as_user",
            "launch_nested_container_sessions_under_parent_with_user",
        ),
        Action.WAIT_CONTAINER: ("wait_standalone_containers",),
        Action.KILL_CONTAINER: ("kill_standalone_containers",),
        Action.REMOVE_CONTAINER: ("remove_standalone_containers",),
        Action.MODIFY_RESOURCE_PROVIDER_CONFIG: ("modify_resource_provider_configs",),
        Action.MARK_RESOURCE_PROVIDER_GONE: ("mark_resource_providers_gone",),
        Action.PRUNE_IMAGES: ("prune_images",),
        Action.GET_ENDPOINT: ("get_endpoints",),
    }
)
"""The lists of the ACLs that must all permit an action."""


class Access:
    """A Gate, as the operator's settings say. ConfigError when they contradict each other."""

    def __init__(self, config: AgentConfig) -> None:
        self._credentials = config.http_credentials
        self._key = config.jwt_secret_key
        self._acls = config.acls
        self._closed = frozenset(
            realm
            for realm, wanted in (
                (Realm.READONLY, config.authenticate_http_readonly),
                (Realm.READWRITE, config.authenticate_http_readwrite),
                (Realm.EXECUTOR, config.authenticate_http_executors),
            )
            if wanted
        )
        if self._closed and not self._credentials and not self._key:
            raise ConfigError(
                "Callers are to authenticate, but there is nothing to check them by.",
                remedy="Give --http_credentials or --jwt_secret_key.",
            )
        if Realm.EXECUTOR in self._closed and not self._key:
            raise ConfigError(
                "Executors authenticate by tokens, and there is no key.", remedy="Give --jwt_secret_key."
            )

    async def admit(self, ask: Ask) -> web.StreamResponse | None:
        """None for who may come in, else 401 or 403."""
        if ask.route.realm in self._closed:
            refusal = self._authenticate(ask)
            if refusal is not None:
                log.info("%s %s: refused", ask.request.method, ask.endpoint)
                return refusal
        endpoint = ask.endpoint.removesuffix(".json")
        if endpoint in ENDPOINTS and not self.approves(ask, Action.GET_ENDPOINT, endpoint):
            return refuse(403)
        return None

    def approves(self, ask: Ask, action: Action, *things: Message | str) -> bool:
        """Whether the ACLs let the caller do this."""
        if self._acls is None:
            return True
        thing = _object_of(things)
        return all(self._acls.allow(name, ask.principal, thing) for name in _ACLS[action])

    # -- who is asking ------------------------------------------------------------------------------------

    def _authenticate(self, ask: Ask) -> web.StreamResponse | None:
        realm = ask.route.realm
        scheme, _, word = ask.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic" and self._credentials and realm is not Realm.EXECUTOR:
            ask.principal = self._principal_of(word.strip())
            return None if ask.principal is not None else self._challenge(realm)
        if scheme.lower() == "bearer" and self._key:
            try:
                claims = verify(word.strip(), self._key)
            except TokenError as error:
                return self._challenge(realm, str(error))
            ask.claims = MappingProxyType({name: str(value) for name, value in claims.items()})
            subject = claims.get("sub")
            ask.principal = subject if isinstance(subject, str) else None
            return None
        return self._challenge(realm)

    def _principal_of(self, word: str) -> str | None:
        """By RFC 7617. Takes as long for a wrong name as for a wrong secret."""
        try:
            name, _, secret = base64.b64decode(word, validate=True).decode().partition(":")
        except ValueError:
            return None
        known = self._credentials.get(name)
        right = "" if known is None else known.secret
        same = hmac.compare_digest(secret.encode(), right.encode())
        return name if known is not None and same else None

    def _challenge(self, realm: Realm, problem: str = "") -> web.Response:
        response = refuse(401, "401 Unauthorized.")
        if self._credentials and realm is not Realm.EXECUTOR:
            response.headers.add("WWW-Authenticate", f'Basic realm="{realm.value}"')
        if self._key:
            bearer = f'Bearer realm="{realm.value}"'
            if problem:
                bearer += f', error="invalid_token", error_description="{problem}"'
            response.headers.add("WWW-Authenticate", bearer)
        return response


def _object_of(things: tuple[Message | str, ...]) -> str | None:
    """What an ACL names: a path or role, or the user that a framework, task or executor runs as. The most
    particular one that has a user wins (src/authorizer/local/authorizer.cpp)."""
    user: str | None = None
    for thing in things:
        if isinstance(thing, str):
            return thing
        user = _user_of(thing) or user
    return user


def _user_of(thing: Message) -> str:
    match thing:
        case mesos.FrameworkInfo():
            return thing.user
        case mesos.Task():
            return thing.user
        case mesos.TaskInfo():
            return thing.command.user or thing.executor.command.user
        case mesos.ExecutorInfo():
            return thing.command.user
        case mesos.CommandInfo():
            return thing.user
    return ""
