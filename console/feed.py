"""From events to states: folds what a session posts, at most thirty times a second, and tells of each state.

The first event of a burst is told at once, so an idle console answers without a delay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from console.events import Event
from console.model import State, reduce

_PAUSE = 1 / 30


class Feed:
    """Holds the newest state. `post` may be called from anywhere in the event loop."""

    def __init__(self, state: State, clock: Callable[[], float], tell: Callable[[], None]) -> None:
        """`tell` is called after each change."""
        self.state = state
        self._clock = clock
        self._tell = tell
        self._waiting: list[tuple[float, Event]] = []
        self._wake = asyncio.Event()

    def post(self, event: Event) -> None:
        """Take note of an event, at the present time."""
        self._waiting.append((self._clock(), event))
        self._wake.set()

    @property
    def waiting(self) -> bool:
        """There are events that are not folded yet."""
        return bool(self._waiting)

    def fold(self) -> None:
        """Take in what waits, now."""
        batch, self._waiting = self._waiting, []
        self._wake.clear()
        if batch:
            self.state = reduce(self.state, batch)
            self._tell()

    async def run(self) -> None:
        """Fold until cancelled."""
        while True:
            await self._wake.wait()
            self.fold()
            await asyncio.sleep(_PAUSE)
