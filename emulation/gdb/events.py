"""What happens in a session, as small dataclasses, and a bounded stream of them for each listener."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from emulation.gdb.facts import Breakpoint, Frame


@dataclass(frozen=True, slots=True)
class Stopped:
    """The target stopped.

    `reason` is GDB's (breakpoint-hit, watchpoint-trigger, end-stepping-range, function-finished,
    signal-received, location-reached, no-history ...) or one of ours: attached, recovered, reset. "" where
    GDB gave none. `passing`: the session stopped it for a moment by itself and runs it again at once.
    `old` and `new` are a watched expression's values; `result` what a finished function returned.
    """

    reason: str
    frame: Frame | None
    thread: str = ""
    breakpoint: str = ""
    signal: str = ""
    expression: str = ""
    old: str = ""
    new: str = ""
    result: str = ""
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """The target runs. `passing` as in Stopped."""

    passing: bool = False


@dataclass(frozen=True, slots=True)
class Exited:
    """The program ended: a semihosting exit, or the emulator said so."""

    code: int | None


@dataclass(frozen=True, slots=True)
class BreakpointChanged:
    """One was made, hit, or changed."""

    breakpoint: Breakpoint


@dataclass(frozen=True, slots=True)
class BreakpointDeleted:
    """One is gone."""

    number: str


@dataclass(frozen=True, slots=True)
class SymbolsChanged:
    """Symbols were added or removed: `path`."""

    path: str
    loaded: bool


@dataclass(frozen=True, slots=True)
class MemoryChanged:
    """Somebody wrote memory through this session; what is on the screen is old."""

    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Output:
    """Text. `source` is "gdb" (its console), "log" (its log) or "target" (the stub's or semihosting's)."""

    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A line that the session gave to GDB: the command log."""

    line: str


@dataclass(frozen=True, slots=True)
class Chatty:
    """The stub sent what nobody asked for, such as a second stop reply; it was kept from GDB."""

    packet: str
    count: int


@dataclass(frozen=True, slots=True)
class Wedged:
    """Something does not answer; recovery begins. `party` is "stub" or "gdb"."""

    party: str
    what: str
    waited: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """It answers again. `actions` are what was done, in order, in words. `moved`: the target may have run on
    meanwhile, so that everything on the screen is old."""

    party: str
    actions: tuple[str, ...]
    seconds: float
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """The stub or GDB is gone and recovery failed: `what` is a sentence with what to do."""

    what: str


Event: TypeAlias = (
    Stopped
    | Running
    | Exited
    | BreakpointChanged
    | BreakpointDeleted
    | SymbolsChanged
    | MemoryChanged
    | Output
    | Sent
    | Chatty
    | Wedged
    | Recovered
    | Lost
)

_CHEAP = (Output, Sent, BreakpointChanged, MemoryChanged)
"""What a slow listener loses first."""


class Listener:
    """One listener's events: `async for event in listener`, which ends when the session closes."""

    def __init__(self, hub: Events, limit: int) -> None:
        self._hub = hub
        self._limit = limit
        self._queue: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._ended = False
        self.dropped = 0
        """Events lost because the listener was slow."""

    def close(self) -> None:
        """Stop listening."""
        self._hub._listeners.discard(self)
        self.end()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._queue.popleft()

    def put(self, event: Event) -> None:
        """Add one; a full queue loses its oldest cheap event, else its oldest."""
        if len(self._queue) >= self._limit:
            self.dropped += 1
            cheap = next((old for old in self._queue if isinstance(old, _CHEAP)), None)
            if cheap is None:
                self._queue.popleft()
            else:
                self._queue.remove(cheap)
        self._queue.append(event)
        self._wake.set()

    def end(self) -> None:
        self._ended = True
        self._wake.set()


class Events:
    """Hands each event to every listener."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._ended = False

    def listen(self, limit: int = 2000) -> Listener:
        """Begin to listen; at most `limit` events wait for a slow reader."""
        listener = Listener(self, limit)
        if self._ended:
            listener.end()
        else:
            self._listeners.add(listener)
        return listener

    def emit(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener.put(event)

    def end(self) -> None:
        """The session closed: every listener's loop ends after what it has."""
        self._ended = True
        for listener in self._listeners:
            listener.end()
        self._listeners.clear()
