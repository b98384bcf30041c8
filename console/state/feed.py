"""From events to states: folds what a session posts, at most thirty times a second, and tells of each state.

The first event of a burst is told at once, so an idle console answers without a delay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from console.state.events import Event
from console.state.model import State, reduce

_PAUSE = 1 / 30
_PIECE = 128
"""Events that are folded at once: some milliseconds' worth."""
_BREATH = 0.004
"""Seconds after each piece, in which a key gets all the way to what it changes: it is handed on ten times."""


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
        if self._take(len(self._waiting)):
            self._tell()

    def _take(self, most: int) -> bool:
        """Fold so many of the oldest; False if there was nothing."""
        batch, self._waiting = self._waiting[:most], self._waiting[most:]
        if not self._waiting:
            self._wake.clear()
        if batch:
            self.state = reduce(self.state, batch)
        return bool(batch)

    async def run(self) -> None:
        """Fold until cancelled: what waits, in pieces between which keys are answered, then tell of it."""
        while True:
            await self._wake.wait()
            for _ in range(0, len(self._waiting), _PIECE):
                self._take(_PIECE)
                await asyncio.sleep(_BREATH)
            self._tell()
            await asyncio.sleep(_PAUSE)
