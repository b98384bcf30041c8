"""Who may do what, in Mesos's own JSON (include/mesos/authorizer/acls.proto, docs/authorization.md).

    {"permissive": false, "view_flags": [{"principals": {"values": ["ops"]}, "flags": {"type": "ANY"}}]}

The first entry of an action that matches both subject and object decides; `permissive` decides when none
does. A caller that did not say who it is matches like ANY, as in src/authorizer/local/authorizer.cpp.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from agent.errors import ConfigError

_NESTED = ("as_user", "under_parent_with_user")
AGENT_ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        **{"view_frameworks": "users", "view_tasks": "users", "view_executors": "users"},
        **{"view_containers": "users", "access_sandboxes": "users", "view_roles": "roles"},
        **{
            "access_mesos_logs": "logs",
            "view_flags": "flags",
            "get_endpoints": "paths",
            "set_log_level": "level",
        },
        **{f"launch_nested_containers_{how}": "users" for how in _NESTED},
        **{f"launch_nested_container_sessions_{how}": "users" for how in _NESTED},
        **{f"{verb}_nested_containers": "users" for verb in ("kill", "wait", "remove")},
        **{"attach_containers_input": "users", "attach_containers_output": "users"},
        **{f"{verb}_standalone_containers": "users" for verb in ("launch", "kill", "wait", "remove")},
        **{"view_standalone_containers": "users", "prune_images": "images"},
        **{"view_resource_providers": "resource_providers"},
        **{"modify_resource_provider_configs": "resource_providers"},
        **{"mark_resource_providers_gone": "resource_providers"},
    }
)
"""Actions that an agent asks about, with the name of what they are done to."""
MASTER_ACTIONS = frozenset(
    {
        *("register_frameworks", "run_tasks", "teardown_frameworks", "reserve_resources"),
        *("unreserve_resources", "create_volumes", "destroy_volumes", "resize_volumes", "get_quotas"),
        *("update_quotas", "set_quotas", "remove_quotas", "update_weights", "register_agents"),
        *("update_maintenance_schedules", "get_maintenance_schedules", "start_maintenances"),
        *("stop_maintenances", "get_maintenance_statuses", "mark_agents_gone", "drain_agents"),
        *("deactivate_agents", "reactivate_agents", "create_block_disks", "destroy_block_disks"),
        *("create_mount_disks", "destroy_mount_disks", "destroy_raw_disks", "shutdown_frameworks"),
    }
)
"""Of the same file when it is the master's too; agents do not ask about them."""
ENDPOINTS = frozenset(
    {"/containers", "/files/debug", "/logging/toggle", "/metrics/snapshot", "/monitor/statistics"}
)
"""Paths that get_endpoints may name (AUTHORIZABLE_ENDPOINTS in src/common/authorization.cpp)."""


class Kind(Enum):
    """ACL.Entity.Type."""

    SOME = "SOME"
    ANY = "ANY"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class Entity:
    """Subjects or objects."""

    kind: Kind
    values: frozenset[str] = frozenset()

    def matches(self, asked: Entity) -> bool:
        """Whether an entry with this entity is about the one asked for."""
        if self.kind is Kind.NONE:
            return True
        if asked.kind is Kind.ANY:
            return self.kind is Kind.ANY
        return self.kind is Kind.ANY or asked.values <= self.values

    def allows(self, asked: Entity) -> bool:
        """Whether it then permits."""
        return self.kind is not Kind.NONE and (self.kind is Kind.ANY or asked.kind is Kind.SOME)


ANY = Entity(Kind.ANY)


@dataclass(frozen=True, slots=True)
class Acls:
    """All entries, by action."""

    permissive: bool = True
    entries: Mapping[str, tuple[tuple[Entity, Entity], ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | bytes) -> Acls:
        """From JSON. ConfigError names the entry that makes no sense."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise _wrong(f"the text is no JSON ({error})") from error
        if not isinstance(data, dict):
            raise _wrong("the text is no object")
        permissive = data.pop("permissive", True)
        if not isinstance(permissive, bool):
            raise _wrong("permissive is neither true nor false")
        entries = {}
        for action, listed in data.items():
            if action in MASTER_ACTIONS:
                continue
            thing = AGENT_ACTIONS.get(action)
            if thing is None:
                raise _wrong(f"there is no action {action!r}")
            if not isinstance(listed, list):
                raise _wrong(f"{action} is no list")
            entries[action] = tuple(_entry(action, thing, item) for item in listed)
        return cls(permissive, MappingProxyType(entries))

    def allow(self, action: str, principal: str | None, thing: str | None = None) -> bool:
        """Whether `principal` (None: unknown) may do `action` to `thing` (None: no particular one)."""
        who, what = _asked(principal), _asked(thing)
        for subjects, objects in self.entries.get(action, ()):
            if subjects.matches(who) and objects.matches(what):
                return subjects.allows(who) and objects.allows(what)
        return self.permissive


def _asked(value: str | None) -> Entity:
    return ANY if value is None else Entity(Kind.SOME, frozenset({value}))


def _entry(action: str, thing: str, item: Any) -> tuple[Entity, Entity]:
    if not isinstance(item, dict) or set(item) != {"principals", thing}:
        raise _wrong(f"an entry of {action} needs principals and {thing}, and nothing else")
    subjects, objects = (_entity(action, item[name]) for name in ("principals", thing))
    if action == "get_endpoints" and not objects.values <= ENDPOINTS:
        unknown = ", ".join(sorted(objects.values - ENDPOINTS))
        raise _wrong(f"get_endpoints cannot name {unknown}, only {', '.join(sorted(ENDPOINTS))}")
    return subjects, objects


def _entity(action: str, data: Any) -> Entity:
    try:
        kind = Kind(data.get("type", "SOME"))
        values = data.get("values", [])
        if isinstance(values, list) and all(isinstance(value, str) for value in values):
            return Entity(kind, frozenset(values) if kind is Kind.SOME else frozenset())
    except (AttributeError, ValueError):
        pass
    raise _wrong(f'{action} has an entity that is neither {{"type": "ANY"}} nor {{"values": ["…"]}}')


def _wrong(problem: str) -> ConfigError:
    return ConfigError(
        f"The ACLs make no sense: {problem}.", remedy="docs/security.md shows their form; it is Mesos's."
    )
