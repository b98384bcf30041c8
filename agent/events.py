"""What a gateway's agents tell whoever watches: the console, the command line, tests."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Registered:
    """The master knows the agent; `again` after a re-registration."""

    target: str
    agent_id: str
    master: str
    """As ip:port."""
    again: bool


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The agent is on its own and looks for its master; tasks live on."""

    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """A task has a new state. `state` and `reason` are Mesos's names; reason is "" when there is none."""

    target: str
    framework_id: str
    task_id: str
    name: str
    state: str
    reason: str
    message: str
    output: bytes
    time: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The agent is no more: removed, shut down by the master, or failed."""

    target: str
    reason: str


AgentEvent = Registered | Disconnected | TaskChanged | Stopped

WAITING_LIMIT = 10_000
"""Events that may wait for one listener; then the oldest go."""


class EventStream:
    """One listener's events: an async iterator that ends when the gateway is closed."""

    def __init__(self) -> None:
        self._waiting: deque[AgentEvent] = deque(maxlen=WAITING_LIMIT)
        self._wake = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> AgentEvent:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()

    def push(self, event: AgentEvent) -> None:
        """Queue an event for this listener."""
        self._waiting.append(event)
        self._wake.set()

    def finish(self) -> None:
        """No more events will come; what waits is still delivered."""
        self._closed = True
        self._wake.set()


class EventHub:
    """Gives each event to every stream that exists at the time. From one event loop only."""

    def __init__(self) -> None:
        self._streams: weakref.WeakSet[EventStream] = weakref.WeakSet()
        self._closed = False

    def subscribe(self) -> EventStream:
        """A stream of all events from this call on."""
        stream = EventStream()
        if self._closed:
            stream.finish()
        else:
            self._streams.add(stream)
        return stream

    def publish(self, event: AgentEvent) -> None:
        """Give `event` to every stream."""
        for stream in list(self._streams):
            stream.push(event)

    def close(self) -> None:
        """End every stream after what waits in it. Idempotent."""
        self._closed = True
        for stream in list(self._streams):
            stream.finish()
