"""What happens in a session, as plain facts that need no network library to import.

The framework client posts the first group; `console.live.backend` adds what the fleet does. The console's
model is a fold over these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from console.cluster.frameworks import FrameworkFacts
from console.cluster.mesos import Offer, Task
from console.debug.view import DebugView
from console.edit.view import Build
from console.memory.view import MemoryView
from hal.target import Description, Usage
from hal.target import Event as TargetEvent

# -- of the framework -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """Subscribed with the leading master at `url`."""

    framework_id: str
    url: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The stream broke; the framework keeps trying."""

    message: str


@dataclass(frozen=True, slots=True)
class OfferChanged:
    """An offer came, or was accepted, declined or rescinded."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """A task was submitted or changed its state."""

    task: Task


@dataclass(frozen=True, slots=True)
class AgentLost:
    """The master lost an agent."""

    agent_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The master refused something that nobody waits for; `message` says what."""

    message: str


FrameworkEvent = Connected | Disconnected | OfferChanged | TaskChanged | AgentLost | Refused


@dataclass(frozen=True, slots=True)
class FrameworksRead:
    """What the master says of all frameworks, ours too."""

    frameworks: tuple[FrameworkFacts, ...]


# -- of the fleet -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progressed:
    """`subject` (a target's name, or "master") does or did something; `failed` when it went wrong."""

    subject: str
    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class TargetUp:
    """A target is open and its agent begins to register."""

    target: str
    description: Description


@dataclass(frozen=True, slots=True)
class TargetDown:
    """A target was closed."""

    target: str


@dataclass(frozen=True, slots=True)
class TargetElsewhere:
    """Another process has an agent for this target: it is left to that one."""

    target: str


@dataclass(frozen=True, slots=True)
class FromTarget:
    """An event of a target."""

    target: str
    event: TargetEvent


@dataclass(frozen=True, slots=True)
class UsageRead:
    """What each living executor of a target used so far, by its key."""

    target: str
    usage: Mapping[str, Usage]


# -- of the links ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quality:
    """What a link went through so far. `round_trip` in seconds, smoothed, 0 before the first; `again` are
    messages that were sent again, `damaged` frames that came damaged, `lost` those that found no line."""

    round_trip: float = 0.0
    sent: int = 0
    received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    again: int = 0
    damaged: int = 0
    lost: int = 0
    connections: int = 0


@dataclass(frozen=True, slots=True)
class LinkRead:
    """The counters of a target's link, read just now."""

    target: str
    quality: Quality


@dataclass(frozen=True, slots=True)
class LinkSaid:
    """A CoAP message passed, decoded to a line; `key` of the executor that it is about, or empty."""

    target: str
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class ClockRead:
    """An emulated board has run for so many virtual seconds since power on."""

    target: str
    seconds: float


# -- of the debugger, the memory map and the editor -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class DebugChanged:
    """What the debugger shows."""

    view: DebugView


@dataclass(frozen=True, slots=True)
class MemoryChanged:
    """What the memory map shows."""

    view: MemoryView


@dataclass(frozen=True, slots=True)
class BuildChanged:
    """What became of the newest save of a file, so far."""

    build: Build


@dataclass(frozen=True, slots=True)
class Ran:
    """A line that was run for the person at the keys: `kind` is build, gdb, http, run, or key for what was
    asked for."""

    kind: str
    line: str


Event = (
    FrameworkEvent
    | FrameworksRead
    | Ran
    | Progressed
    | TargetUp
    | TargetDown
    | TargetElsewhere
    | FromTarget
    | UsageRead
    | LinkRead
    | LinkSaid
    | ClockRead
    | DebugChanged
    | MemoryChanged
    | BuildChanged
)
