"""The frameworks of a master, with what each runs and holds.

From /master/frameworks (docs/endpoints of Apache Mesos 1.11), which tells only what the caller may see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.cluster.mesos import Resources


@dataclass(frozen=True, slots=True)
class HeldOffer:
    """An offer that a framework has open."""

    id: str
    agent_id: str
    role: str
    resources: Resources


@dataclass(frozen=True, slots=True)
class FrameworkFacts:
    """One framework. `tasks` are living ones; `since` when it subscribed, in seconds since the epoch."""

    id: str
    name: str
    roles: tuple[str, ...] = ()
    active: bool = True
    tasks: int = 0
    used: Resources = field(default_factory=Resources)
    offers: tuple[HeldOffer, ...] = ()
    since: float = 0.0


def frameworks_from_json(found: Mapping[str, Any]) -> tuple[FrameworkFacts, ...]:
    """From the answer of /master/frameworks, in the order of their names."""
    made = (_framework(item) for item in found.get("frameworks", ()))
    return tuple(sorted(made, key=lambda one: (one.name, one.id)))


def _framework(item: Mapping[str, Any]) -> FrameworkFacts:
    roles = tuple(item.get("roles") or [item.get("role", "*")])
    return FrameworkFacts(
        id=item["id"],
        name=item.get("name", ""),
        roles=roles,
        active=bool(item.get("active", True)),
        tasks=len(item.get("tasks", ())),
        used=resources_from_state(item.get("used_resources", {})),
        offers=tuple(_offers(item.get("offers", ()), roles[0])),
        since=float(item.get("registered_time", 0.0)),
    )


def _offers(items: Iterable[Mapping[str, Any]], role: str) -> Iterable[HeldOffer]:
    for item in items:
        role = item.get("allocation_info", {}).get("role", role)
        yield HeldOffer(item["id"], item["slave_id"], role, resources_from_state(item.get("resources", {})))


def resources_from_state(found: Mapping[str, Any]) -> Resources:
    """Resources as state.json writes them: numbers, "[0-3, 7-7]", "{a, b}"."""
    scalars: dict[str, float] = {}
    ranges: dict[str, tuple[tuple[int, int], ...]] = {}
    sets: dict[str, frozenset[str]] = {}
    for name, value in found.items():
        if isinstance(value, int | float):
            if value or name in ("cpus", "mem"):
                scalars[name] = round(float(value), 3)
        elif value.startswith("["):
            pairs = (pair.partition("-") for pair in value.strip("[]").split(",") if pair.strip())
            ranges[name] = tuple((int(first), int(last or first)) for first, _, last in pairs)
        elif value.startswith("{"):
            sets[name] = frozenset(word.strip() for word in value.strip("{}").split(",") if word.strip())
    return Resources(scalars, ranges, sets)
