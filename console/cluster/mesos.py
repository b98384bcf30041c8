"""Mesos's nouns as plain facts: resources, offers, tasks and their states.

JSON shapes are those of the v1 API (include/mesos/v1/mesos.proto). Everything is usable without a
network: the framework client fills these, the command line prints them, the screens draw them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

from hal.target import Description, Items, Ranges, Scalar

MEBIBYTE = 1 << 20

Json = dict[str, Any]


def mem_scalar(size: int) -> float:
    """Bytes as Mesos `mem` (MB of 2**20), rounded up to the 0.001 that the master can tell apart."""
    return -(-size * 1000 // MEBIBYTE) / 1000


def mem_bytes(value: float) -> int:
    """Mesos `mem` as whole bytes, rounded down."""
    return round(value * 1000) * MEBIBYTE // 1000


# -- resources --------------------------------------------------------------------------------------

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Shortfall:
    """One resource that is not there in the wanted amount. `text` says so for a person."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Resources:
    """Scalars, ranges (inclusive pairs) and sets by name, over all reservations."""

    scalars: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, tuple[Range, ...]] = field(default_factory=dict)
    sets: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, items: Iterable[Json]) -> Resources:
        """From a list of v1 Resource objects; several of one name are added up."""
        scalars: dict[str, float] = {}
        ranges: dict[str, tuple[Range, ...]] = {}
        sets: dict[str, frozenset[str]] = {}
        for item in items:
            name = item["name"]
            if "scalar" in item:
                scalars[name] = round(scalars.get(name, 0.0) + item["scalar"]["value"], 3)
            elif "ranges" in item:
                pairs = ((int(pair["begin"]), int(pair["end"])) for pair in item["ranges"].get("range", ()))
                ranges[name] = tuple(sorted((*ranges.get(name, ()), *pairs)))
            elif "set" in item:
                sets[name] = sets.get(name, frozenset()) | frozenset(item["set"].get("item", ()))
        return cls(scalars, ranges, sets)

    @classmethod
    def of_target(cls, description: Description) -> Resources:
        """All that a target has, given away or not."""
        scalars: dict[str, float] = {}
        ranges: dict[str, tuple[Range, ...]] = {}
        sets: dict[str, frozenset[str]] = {}
        for resource in description.resources:
            match resource:
                case Scalar(name, value):
                    scalars[name] = value
                case Ranges(name, pairs):
                    ranges[name] = pairs
                case Items(name, items):
                    sets[name] = items
        return cls(scalars, ranges, sets)

    def to_json(self, role: str) -> list[Json]:
        """As v1 Resource objects allocated to `role` (a MULTI_ROLE framework must say so)."""
        allocation = {"allocation_info": {"role": role}}
        items: list[Json] = []
        for name, value in self.scalars.items():
            items.append({"name": name, "type": "SCALAR", "scalar": {"value": value}, **allocation})
        for name, pairs in self.ranges.items():
            spans = [{"begin": first, "end": last} for first, last in pairs]
            items.append({"name": name, "type": "RANGES", "ranges": {"range": spans}, **allocation})
        for name, members in self.sets.items():
            items.append({"name": name, "type": "SET", "set": {"item": sorted(members)}, **allocation})
        return items

    def shortfalls(self, offered: Resources) -> tuple[Shortfall, ...]:
        """What `offered` lacks of these resources; empty when it holds them all."""
        missing: list[Shortfall] = []
        for name, wanted in self.scalars.items():
            have = offered.scalars.get(name, 0.0)
            if round(have * 1000) < round(wanted * 1000):
                missing.append(Shortfall(name, _scalar_shortfall(name, wanted, have)))
        for name, pairs in self.ranges.items():
            lacking = _ranges_minus(pairs, offered.ranges.get(name, ()))
            if lacking:
                missing.append(Shortfall(name, f"{name} {format_ranges(lacking)} is not offered"))
        for name, members in self.sets.items():
            absent = sorted(members - offered.sets.get(name, frozenset()))
            if absent:
                missing.append(Shortfall(name, f"{name} {', '.join(absent)} is not offered"))
        return tuple(missing)

    def minus(self, taken: Resources) -> Resources:
        """What is left when `taken`, which must fit, is gone."""
        scalars = {n: round(v - taken.scalars.get(n, 0.0), 3) for n, v in self.scalars.items()}
        ranges = {n: _ranges_minus(pairs, taken.ranges.get(n, ())) for n, pairs in self.ranges.items()}
        sets = {n: members - taken.sets.get(n, frozenset()) for n, members in self.sets.items()}
        return Resources(scalars, ranges, sets)

    def __bool__(self) -> bool:
        return bool(self.scalars or self.ranges or self.sets)


def _scalar_shortfall(name: str, wanted: float, have: float) -> str:
    if name == "mem":
        short = mem_bytes(wanted) - mem_bytes(have)
        return f"mem is short of {short:,} bytes ({mem_bytes(have):,} offered, {mem_bytes(wanted):,} wanted)"
    return f"{name} is short of {round(wanted - have, 3):g} ({have:g} offered, {wanted:g} wanted)"


def _ranges_minus(pairs: Iterable[Range], taken: Iterable[Range]) -> tuple[Range, ...]:
    left = list(pairs)
    for first, last in taken:
        cut: list[Range] = []
        for a, b in left:
            if last < a or b < first:
                cut.append((a, b))
                continue
            if a < first:
                cut.append((a, first - 1))
            if last < b:
                cut.append((last + 1, b))
        left = cut
    return tuple(left)


def format_ranges(pairs: Iterable[Range]) -> str:
    """As Mesos writes ranges: [0-3, 7-7] with single numbers short: [0-3,7]."""
    return "[" + ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in pairs) + "]"


# -- offers -----------------------------------------------------------------------------------------


class OfferState(Enum):
    """What became of an offer."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    RESCINDED = "rescinded"
    HELD = "held"  # by another framework


@dataclass(frozen=True, slots=True)
class Offer:
    """One offer as the master made it. Times are seconds since the epoch."""

    id: str
    agent_id: str
    hostname: str
    role: str
    resources: Resources
    attributes: Mapping[str, str]
    received: float
    state: OfferState = OfferState.OPEN
    closed: float | None = None
    note: str = ""
    """Why it was closed, for a person."""

    @classmethod
    def from_json(cls, item: Json, now: float) -> Offer:
        """From a v1 Offer."""
        return cls(
            id=item["id"]["value"],
            agent_id=item["agent_id"]["value"],
            hostname=item.get("hostname", ""),
            role=item.get("allocation_info", {}).get("role", "*"),
            resources=Resources.from_json(item.get("resources", ())),
            attributes=attributes_from_json(item.get("attributes", ())),
            received=now,
        )

    @property
    def target(self) -> str:
        """The target behind the agent: its attribute `target`, else its host name."""
        return self.attributes.get("target", self.hostname)

    def age(self, now: float) -> float:
        """Seconds that it was (or is) open."""
        return max(0.0, (now if self.closed is None else self.closed) - self.received)


def attributes_from_json(items: Iterable[Json]) -> dict[str, str]:
    """v1 Attributes as text: scalars as numbers, ranges and sets as Mesos writes them."""
    found: dict[str, str] = {}
    for item in items:
        if "text" in item:
            found[item["name"]] = item["text"]["value"]
        elif "scalar" in item:
            found[item["name"]] = f"{item['scalar']['value']:g}"
        elif "ranges" in item:
            spans = item["ranges"].get("range", ())
            found[item["name"]] = format_ranges((int(span["begin"]), int(span["end"])) for span in spans)
        elif "set" in item:
            found[item["name"]] = "{" + ",".join(sorted(item["set"].get("item", ()))) + "}"
    return found


# -- tasks ------------------------------------------------------------------------------------------


class TaskState(StrEnum):
    """Mesos's task states, and WAITING for a task that has no offer yet and so no state in Mesos."""

    WAITING = "WAITING"
    STAGING = "TASK_STAGING"
    STARTING = "TASK_STARTING"
    RUNNING = "TASK_RUNNING"
    KILLING = "TASK_KILLING"
    FINISHED = "TASK_FINISHED"
    FAILED = "TASK_FAILED"
    KILLED = "TASK_KILLED"
    ERROR = "TASK_ERROR"
    LOST = "TASK_LOST"
    DROPPED = "TASK_DROPPED"
    UNREACHABLE = "TASK_UNREACHABLE"
    GONE = "TASK_GONE"
    GONE_BY_OPERATOR = "TASK_GONE_BY_OPERATOR"
    UNKNOWN = "TASK_UNKNOWN"

    @property
    def terminal(self) -> bool:
        """Nothing can follow. UNREACHABLE is not: the agent may come back with the task alive."""
        return self in _TERMINAL

    @property
    def short(self) -> str:
        """Without TASK_."""
        return self.value.removeprefix("TASK_")


_TERMINAL = frozenset(
    {
        TaskState.FINISHED,
        TaskState.FAILED,
        TaskState.KILLED,
        TaskState.ERROR,
        TaskState.LOST,
        TaskState.DROPPED,
        TaskState.GONE,
        TaskState.GONE_BY_OPERATOR,
    }
)


@dataclass(frozen=True, slots=True)
class Status:
    """One status update of a task. `time` is when it was made, in seconds since the epoch."""

    state: TaskState
    time: float
    reason: str = ""
    message: str = ""
    source: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What is to be run, before there is an offer.

    `target` is the target that must run it. `resources` are what it asks of the master. `labels` split
    its `mem` (mma.stack, mma.memory, mma.log: bytes). `source` is the file that the module was made of, in
    full, where it is known; it stays here.
    """

    name: str
    module: bytes
    target: str
    resources: Resources
    arguments: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    source: Path | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One task: what was asked, where it went, and every state that it was in, oldest first."""

    id: str
    spec: TaskSpec
    history: tuple[Status, ...]
    agent_id: str = ""
    hostname: str = ""

    @property
    def status(self) -> Status:
        """The newest one."""
        return self.history[-1]

    @property
    def state(self) -> TaskState:
        """The newest one."""
        return self.history[-1].state

    @property
    def started(self) -> float:
        """When it was submitted."""
        return self.history[0].time

    def running_seconds(self, now: float) -> float:
        """From the first RUNNING to the end, or to now. 0 when it never ran."""
        begin = next((status.time for status in self.history if status.state is TaskState.RUNNING), None)
        if begin is None:
            return 0.0
        return max(0.0, (self.status.time if self.state.terminal else now) - begin)
