"""What the console knows: an immutable State, folded from the events of a session. No Textual, no I/O.

`reduce(state, events)` gives the next state; parts that did not change stay the same objects, so a screen
compares with `is` to see whether it has anything to draw. Only the LogBook is appended in place.
Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeVar

from console.cluster.frameworks import FrameworkFacts
from console.cluster.mesos import Offer, OfferState, Task, mem_bytes
from console.debug.view import DebugView
from console.edit.view import Build
from console.memory.view import MemoryView
from console.state import events as ev
from console.state.logbook import LogBook
from console.state.loglines import Origin, task_of
from console.state.once import Once
from hal.target import (
    Connection,
    Description,
    Ended,
    Items,
    Progress,
    Ranges,
    Resource,
    Scalar,
    Started,
    Usage,
)
from hal.target import Event as TargetEvent

_T = TypeVar("_T")

MASTER = "master"
MESOS = "mesos"
"""The log source of what Mesos says."""

CLOSED_OFFERS_KEPT = 500
ENDED_TASKS_KEPT = 1_000
ENDED_EXECUTORS_KEPT = 200
SAMPLES_KEPT = 60
"""CPU shares, one a reading of usage."""


class Link(Enum):
    """State of a target, as far as the console sees it."""

    WAITING = "waiting"  # its turn has not come
    STARTING = "starting"
    UP = "up"
    DOWN = "down"  # the link broke; the device may live on
    FAILED = "failed"  # it did not come up
    CLOSED = "closed"
    ELSEWHERE = "elsewhere"  # another process has its agent; known by its offers


@dataclass(frozen=True, slots=True)
class Master:
    """The connection to the master. `url` is empty until there was one."""

    url: str = ""
    framework_id: str = ""
    connected: bool = False
    message: str = "Starting."
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """One target of the fleet. `agent_id` is known from its first offer on."""

    name: str
    link: Link = Link.WAITING
    message: str = ""
    since: float = 0.0
    """When `link` became what it is."""
    description: Description | None = None
    agent_id: str = ""
    cpu: tuple[float, ...] = ()
    """Share of one core that its executors used between readings, oldest first."""
    quality: ev.Quality | None = None
    """Of its link; None where it has none."""
    trips: tuple[float, ...] = ()
    """Round trips in seconds, one a reading, oldest first."""
    troubles: tuple[tuple[int, int], ...] = ()
    """Frames, and those of them that were sent again or came damaged, between readings, oldest first."""

    @property
    def trouble(self) -> float:
        """Share of frames in the last minute that were sent again or came damaged."""
        frames = sum(count for count, _ in self.troubles)
        return sum(bad for _, bad in self.troubles) / frames if frames else 0.0

    @property
    def cores(self) -> float:
        """What its executors share; 0 while unknown."""
        resources = self.description.resources if self.description else ()
        return next((one.value for one in resources if isinstance(one, Scalar) and one.name == "cpus"), 0.0)

    @property
    def mem_bytes(self) -> int:
        """What its executors can have in all; 0 while unknown."""
        return self.description.mem_bytes if self.description else 0


@dataclass(frozen=True, slots=True)
class Executor:
    """One executor, living or ended, as its target tells of it."""

    key: str
    target: str
    progress: Progress | None = None
    """The last stage of its launch; None once it runs."""
    running: bool = False
    ended: Ended | None = None
    usage: Usage | None = None
    read_at: float = 0.0
    cpu: tuple[float, ...] = ()
    """Share of one core between readings, oldest first."""
    peaks: tuple[int, ...] = ()
    """Bytes of code, and of stack and linear memory at their most, one a reading, oldest first."""

    @property
    def task_id(self) -> str:
        """The Mesos task that it runs."""
        return task_of(self.key)

    @property
    def held_bytes(self) -> int:
        """Bytes of code, stack and linear memory that it holds, by its own account."""
        if self.usage is None or self.ended is not None:
            return 0
        return self.usage.code_bytes + self.usage.stack_bytes + self.usage.memory_bytes


@dataclass(frozen=True, slots=True)
class State:
    """All that the screens draw."""

    master: Master = Master()
    targets: Mapping[str, Target] = field(default_factory=dict)
    offers: Mapping[str, Offer] = field(default_factory=dict)
    """Open and closed ones by id, oldest first."""
    tasks: Mapping[str, Task] = field(default_factory=dict)
    """By id, oldest first."""
    executors: Mapping[str, Executor] = field(default_factory=dict)
    """By task id, oldest first."""
    frameworks: tuple[FrameworkFacts, ...] = ()
    """All that the master knows, ours too, as far as it tells."""
    held: Mapping[str, Offer] = field(default_factory=dict)
    """Offers that other frameworks hold, by id; `received` is when they were first seen."""
    logs: LogBook = field(default_factory=LogBook)
    debug: DebugView = field(default_factory=DebugView)
    memory: MemoryView = field(default_factory=MemoryView)
    builds: Mapping[str, Build] = field(default_factory=dict)
    """What became of the newest save, by path."""

    @property
    def open_offers(self) -> Sequence[Offer]:
        """Those that could be accepted now."""
        return _open(self.offers)

    @property
    def living_tasks(self) -> Sequence[Task]:
        """Those that have not ended."""
        return _living(self.tasks)

    def tasks_on(self, target: str) -> Sequence[Task]:
        """Living tasks of ours that a target has, or will get."""
        return _by_target(self.tasks).get(target, ())

    def executors_on(self, target: str) -> Sequence[Executor]:
        """Executors that a target has now, those of other frameworks too."""
        return _executors_by_target(self.executors).get(target, ())

    def offer_of(self, target: str) -> Offer | None:
        """The newest open offer of a target."""
        return _offer_by_target(self.offers).get(target)


@Once
def _open(offers: Mapping[str, Offer]) -> Sequence[Offer]:
    return [offer for offer in offers.values() if offer.state is OfferState.OPEN]


@Once
def _offer_by_target(offers: Mapping[str, Offer]) -> Mapping[str, Offer]:
    return {offer.target: offer for offer in _open(offers)}  # the newest comes last


@Once
def _living(tasks: Mapping[str, Task]) -> Sequence[Task]:
    return [task for task in tasks.values() if not task.state.terminal]


@Once
def _by_target(tasks: Mapping[str, Task]) -> Mapping[str, Sequence[Task]]:
    found: dict[str, list[Task]] = {}
    for task in _living(tasks):
        found.setdefault(task.spec.target, []).append(task)
    return found


@Once
def _executors_by_target(executors: Mapping[str, Executor]) -> Mapping[str, Sequence[Executor]]:
    found: dict[str, list[Executor]] = {}
    for one in executors.values():
        if one.ended is None:
            found.setdefault(one.target, []).append(one)
    return found


def start(targets: Iterable[str] = ()) -> State:
    """The state before anything happened."""
    return State(targets={name: Target(name) for name in targets})


def reduce(state: State, happened: Iterable[tuple[float, ev.Event]]) -> State:
    """The state after some events, each with its time, in order."""
    draft = _Draft(state)
    for now, event in happened:
        draft.apply(event, now)
    return draft.finish()


def _is_open(offer: Offer) -> bool:
    return offer.state is OfferState.OPEN


class _Draft:
    """Copies a mapping when it is first written, so that a batch of events costs one copy."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.master = state.master
        self.frameworks = state.frameworks
        self.held = state.held
        self.logs = state.logs
        self.debug = state.debug
        self.memory = state.memory
        self.builds = state.builds
        self._targets: dict[str, Target] | None = None
        self._offers: dict[str, Offer] | None = None
        self._tasks: dict[str, Task] | None = None
        self._executors: dict[str, Executor] | None = None

    @property
    def targets(self) -> dict[str, Target]:
        if self._targets is None:
            self._targets = dict(self._state.targets)
        return self._targets

    @property
    def offers(self) -> dict[str, Offer]:
        if self._offers is None:
            self._offers = dict(self._state.offers)
        return self._offers

    @property
    def tasks(self) -> dict[str, Task]:
        if self._tasks is None:
            self._tasks = dict(self._state.tasks)
        return self._tasks

    @property
    def executors(self) -> dict[str, Executor]:
        if self._executors is None:
            self._executors = dict(self._state.executors)
        return self._executors

    def finish(self) -> State:
        if self._offers is not None:
            _drop_oldest(self._offers, CLOSED_OFFERS_KEPT, lambda offer: not _is_open(offer))
        if self._tasks is not None:
            _drop_oldest(self._tasks, ENDED_TASKS_KEPT, lambda task: task.state.terminal)
        if self._executors is not None:
            _drop_oldest(self._executors, ENDED_EXECUTORS_KEPT, lambda one: one.ended is not None)
        old = self._state
        return State(
            master=self.master,
            targets=old.targets if self._targets is None else self._targets,
            offers=old.offers if self._offers is None else self._offers,
            tasks=old.tasks if self._tasks is None else self._tasks,
            executors=old.executors if self._executors is None else self._executors,
            frameworks=self.frameworks,
            held=self.held,
            logs=self.logs,
            debug=self.debug,
            memory=self.memory,
            builds=self.builds,
        )

    # -- events

    def apply(self, event: ev.Event, now: float) -> None:
        match event:
            case ev.Connected(framework_id, url):
                if self.master.framework_id:
                    self._say(f"subscribed again at {url} as framework {framework_id}", now)
                self.master = Master(url, framework_id, connected=True, message="")
            case ev.Disconnected(message):
                if self.master.connected:  # each failed attempt tells again
                    self._say(f"connection to the master lost: {message}", now)
                told = self.master.message if self.master.failed else message
                self.master = replace(self.master, connected=False, message=told)
            case ev.OfferChanged(offer):
                self._offer(offer, now)
            case ev.TaskChanged(task):
                self._task(task, now)
            case ev.AgentLost(agent_id):
                self._agent_lost(agent_id, now)
            case ev.DebugChanged(view):
                self.debug = view
            case ev.MemoryChanged(view):
                self.memory = view
            case ev.FrameworksRead(frameworks):
                self._frameworks(frameworks, now)
            case ev.BuildChanged(build):
                self.builds = {**self.builds, build.path: build}
            case ev.Ran(kind, text):
                self.logs.ran(kind, text, now)
            case ev.Refused(message):
                self._say(message, now)
            case ev.Progressed(subject, text, failed):
                self._progressed(subject, text, failed, now)
            case ev.TargetUp(name, description):
                self._target(name, now, link=Link.UP, message="", description=description)
                self.logs.say(name, name, Origin.LINK, "the target is up", now)
            case ev.TargetDown(name):
                self._target(name, now, link=Link.CLOSED, message="Closed.", agent_id="")
            case ev.TargetElsewhere(name):
                self._target(name, now, link=Link.ELSEWHERE, message="An agent of another process.")
            case ev.FromTarget(name, inner):
                self._from_target(name, inner, now)
            case ev.UsageRead(name, usage):
                self._usage(name, usage, now)
            case ev.LinkRead(name, quality):
                self._link(name, quality, now)
            case ev.LinkSaid(name, key, text):
                self.logs.say(name, task_of(key) or name, Origin.COAP, text, now)
            case ev.ClockRead(name, seconds):
                self.logs.clock(name, seconds, now)

    def _say(self, text: str, now: float, target: str = "") -> None:
        self.logs.say(target, MESOS, Origin.MESOS, text, now)

    def _target(self, name: str, now: float, **changes: object) -> None:
        old = self.targets.get(name) or Target(name)
        if changes.get("link", old.link) is not old.link:
            changes["since"] = now
        self.targets[name] = replace(old, **changes)  # type: ignore[arg-type]

    def _progressed(self, subject: str, text: str, failed: bool, now: float) -> None:
        if subject == MASTER:
            if failed or not self.master.connected:
                up = self.master.connected and not failed
                self.master = replace(self.master, message=text, failed=failed, connected=up)
            self._say(text, now)
            return
        known = self.targets.get(subject)
        link = Link.FAILED if failed else Link.STARTING
        if known is not None and known.link is Link.UP and not failed:
            link = Link.UP
        self._target(subject, now, link=link, message=text)
        self.logs.say(subject, subject, Origin.LINK, text, now)

    def _offer(self, offer: Offer, now: float) -> None:
        self.offers[offer.id] = offer
        known = self.targets.get(offer.target)
        if known is None:
            self._target(offer.target, now, link=Link.ELSEWHERE, message="An agent of another process.")
        elif known.link is Link.CLOSED:
            return
        known = self.targets[offer.target]
        if known.agent_id != offer.agent_id:
            self._target(offer.target, now, agent_id=offer.agent_id)
        if known.link is Link.ELSEWHERE and _is_open(offer):
            self._target(offer.target, now, description=_widest(offer, known.description))
        verb = "offered" if _is_open(offer) else offer.state.value
        note = f": {offer.note}" if offer.note else ""
        self._say(f"offer {short_id(offer.id)} of {offer.target} {verb}{note}", now, offer.target)

    def _frameworks(self, frameworks: tuple[FrameworkFacts, ...], now: float) -> None:
        """Others' offers as rows of ours; what an agent is we know from its offers to us, if any."""
        self.frameworks = frameworks
        names = {one.agent_id: one for one in self.targets.values() if one.agent_id}
        held: dict[str, Offer] = {}
        for framework in frameworks:
            if framework.id == self.master.framework_id:
                continue
            for item in framework.offers:
                target = names.get(item.agent_id)
                attributes = dict(target.description.attributes) if target and target.description else {}
                attributes["target"] = target.name if target else f"agent {short_id(item.agent_id)}"
                old = self.held.get(item.id)
                held[item.id] = Offer(
                    item.id,
                    item.agent_id,
                    "",
                    item.role,
                    item.resources,
                    attributes,
                    old.received if old else now,
                    OfferState.HELD,
                    note=f"by {framework.name}",
                )
        if held != self.held:
            self.held = held

    def _task(self, task: Task, now: float) -> None:
        self.tasks[task.id] = task
        status = task.status
        words = ": ".join(part for part in (status.reason.removeprefix("REASON_"), status.message) if part)
        text = f"{task.id} {status.state.short}" + (f" ({words})" if words else "")
        self._say(text, now, task.spec.target)

    def _agent_lost(self, agent_id: str, now: float) -> None:
        self._say(f"agent {short_id(agent_id)} lost", now)
        for target in list(self.targets.values()):
            if target.agent_id == agent_id:
                self._target(target.name, now, agent_id="")

    def _from_target(self, name: str, event: TargetEvent, now: float) -> None:
        self.logs.take(name, event, now)
        match event:
            case Connection(up, message):
                self._target(name, now, link=Link.UP if up else Link.DOWN, message=message)
            case Progress(key, stage, done, total):
                self._executor(key, name, progress=event)
                if done == 0:
                    self.logs.say(name, task_of(key), Origin.LINK, f"{stage.value} …", now)
                elif done == total and total > 1:
                    self.logs.say(name, task_of(key), Origin.LINK, f"{stage.value}: {total:,} bytes", now)
            case Started(key):
                self._executor(key, name, progress=None, running=True)
            case Ended(key):
                self._executor(key, name, progress=None, running=False, ended=event, usage=event.usage)
                if event.message:
                    self.logs.say(name, task_of(key), Origin.DEVICE, event.message, now)

    def _executor(self, key: str, target: str, **changes: object) -> None:
        task_id = task_of(key)
        old = self.executors.get(task_id)
        if old is None or old.key != key or (old.ended is not None and "ended" not in changes):
            old = Executor(key, target)
        self.executors[task_id] = replace(old, **changes)  # type: ignore[arg-type]

    def _link(self, name: str, quality: ev.Quality, now: float) -> None:
        known = self.targets.get(name)
        if known is None:
            return
        old = known.quality or quality
        frames = quality.sent + quality.received - old.sent - old.received
        bad = quality.again + quality.damaged - old.again - old.damaged
        troubles = known.troubles
        if frames >= 0 and bad >= 0:  # else its counters began anew
            troubles = (*troubles, (frames + quality.damaged - old.damaged, bad))[-SAMPLES_KEPT:]
        trips = (*known.trips, quality.round_trip)[-SAMPLES_KEPT:]
        self._target(name, now, quality=quality, trips=trips, troubles=troubles)

    def _usage(self, name: str, usage: Mapping[str, Usage], now: float) -> None:
        known = self.targets.get(name)
        shares: dict[str, float] = {}
        for key, used in usage.items():
            old = self.executors.get(task_of(key))
            if old is not None and old.ended is not None:
                continue  # read before it ended, told after
            shares[key] = 0.0
            if old is not None and old.usage is not None and now > old.read_at:
                shares[key] = max(0.0, (used.cpu_seconds - old.usage.cpu_seconds) / (now - old.read_at))
        # A reading may come late, and an emulated clock may run ahead of ours: nobody has more than there is.
        total = sum(shares.values())
        cores = known.cores if known is not None else 0.0
        if 0 < cores < total:
            shares = {key: share * cores / total for key, share in shares.items()}
            total = cores
        for key, share in shares.items():
            old, used = self.executors.get(task_of(key)), usage[key]
            samples = (*(old.cpu if old else ()), share)[-SAMPLES_KEPT:]
            peak = used.code_bytes + used.stack_peak + used.memory_peak
            peaks = (*(old.peaks if old else ()), peak)[-SAMPLES_KEPT:]
            changes = {"usage": used, "read_at": now, "cpu": samples, "peaks": peaks}
            self._executor(key, name, progress=None, running=True, **changes)
        if known is not None:
            self._target(name, now, cpu=(*known.cpu, total)[-SAMPLES_KEPT:])


def _drop_oldest(items: dict[str, _T], keep: int, old: Callable[[_T], bool]) -> None:
    """Drop the first that are `old`, so that at most `keep` of those stay."""
    if len(items) <= keep:
        return
    candidates = [key for key, item in items.items() if old(item)]
    for key in candidates[: max(0, len(candidates) - keep)]:
        del items[key]


def _widest(offer: Offer, known: Description | None) -> Description:
    """What an agent of another process has, as far as its offers showed: the most that was offered."""
    size = mem_bytes(offer.resources.scalars.get("mem", 0.0))
    if known is not None and known.mem_bytes >= size:
        return known
    held = offer.resources
    resources: list[Resource] = [Scalar(name, value) for name, value in held.scalars.items()]
    resources += [Ranges(name, pairs) for name, pairs in held.ranges.items()]
    resources += [Items(name, items) for name, items in held.sets.items()]
    return Description(offer.target, tuple(resources), offer.attributes, size)


def short_id(identifier: str) -> str:
    """The part of a Mesos id that tells it from its neighbours: `...-O12` is O12, `...-S3` is S3."""
    tail = identifier.rpartition("-")[2]
    return tail or identifier
