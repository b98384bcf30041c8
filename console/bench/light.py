"""A target that is whole but weighs next to nothing: its executors start and end at once, in no time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping
from types import MappingProxyType

from hal.target import Cause, Description, Ended, Event, Launch, Ranges, Resource, Scalar, Started, Usage

RESOURCES: tuple[Resource, ...] = (Scalar("cpus", 1.0), Scalar("mem", 0.125), Ranges("gpio", ((0, 15),)))
ATTRIBUTES: Mapping[str, str] = MappingProxyType({"board": "light"})


class _Events:
    """One listener's events; ends when the target is closed."""

    __slots__ = ("_closed", "_waiter", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Event] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False

    def __aiter__(self) -> _Events:
        return self

    async def __anext__(self) -> Event:
        while not self.waiting:
            if self._closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self.waiting.popleft()

    def push(self, event: Event) -> None:
        """Queue one."""
        if self.waiting is None:
            self.waiting = deque()
        self.waiting.append(event)
        self._wake()

    def close(self) -> None:
        """No more will come."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class LightTarget:
    """Implements hal.target.Target. A launched executor is Started and Ended within the call."""

    __slots__ = ("_listeners", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._listeners: list[_Events] = []

    async def open(self) -> None:
        """Nothing to reach."""

    async def close(self) -> None:
        """End the listeners' events."""
        for listener in self._listeners:
            listener.close()

    def describe(self) -> Description:
        """A small board."""
        return Description(self.name, RESOURCES, ATTRIBUTES, 131072)

    async def recover(
        self, keys: Collection[str], offsets: Mapping[str, int] | None = None
    ) -> frozenset[str]:
        """Nothing outlives a gateway."""
        return frozenset()

    async def release(self, key: str) -> None:
        """Nothing is kept."""

    async def spawn(self, launch: Launch) -> None:
        """Run it: it does nothing, and does it well."""
        for listener in self._listeners:
            listener.push(Started(launch.key))
            listener.push(Ended(launch.key, Cause.EXITED))

    async def kill(self, key: str, grace: float = 0.0) -> None:
        """Nothing lives long enough."""

    async def send(self, key: str, data: bytes) -> None:
        """No guest listens."""

    async def call(self, key: str, request: int) -> None:
        """Nobody is asked."""

    async def usage(self) -> Mapping[str, Usage]:
        """Nothing runs."""
        return {}

    def events(self) -> AsyncIterator[Event]:
        """From now on."""
        listener = _Events()
        self._listeners.append(listener)
        return listener
