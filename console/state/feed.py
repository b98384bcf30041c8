"""From events to states: folds what a session posts, at most thirty times a second, and tells of each state.

The first event of a burst is told at once, so an idle console answers without a delay. Keys come first: what
a person just did gets the event loop for itself for a moment, and a large fleet is drawn more rarely.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from console.state.events import Event
from console.state.model import State, reduce

_PAUSE = 1 / 30
_PIECE = 128
"""Events that are folded at once: some milliseconds' worth."""
_BREATH = 0.004
"""Seconds after each piece, in which a key gets all the way to what it changes: it is handed on ten times."""
_WAY = 0.025
"""Seconds that a key has from when it was read to what it changes on the screen, mostly."""
_PATIENCE = 0.1
"""Seconds that events wait at most while key comes after key, as from one that is held."""
_SHARE = 3
"""A redraw that takes so long is followed by a pause of so many times that."""


class Feed:
    """Holds the newest state. `post` may be called from anywhere in the event loop."""

    def __init__(self, state: State, clock: Callable[[], float], tell: Callable[[], None]) -> None:
        """`tell` is called after each change."""
        self.state = state
        self._clock = clock
        self._tell = tell
        self._waiting: list[tuple[float, Event]] = []
        self._wake = asyncio.Event()
        self._way_until = 0.0
        self._pause = _PAUSE

    def give_way(self) -> None:
        """A person did something: what it leads to comes before what waits."""
        self._way_until = time.monotonic() + _WAY

    def drawn(self, seconds: float) -> None:
        """So long it took to draw what was told; other things may have come in between."""
        self._pause = min(max(_PAUSE, _SHARE * seconds), _PATIENCE)

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
            latest = time.monotonic() + _PATIENCE
            for _ in range(0, len(self._waiting), _PIECE):
                await self._let_pass(latest)
                self._take(_PIECE)
                await asyncio.sleep(_BREATH)
            await self._let_pass(latest)
            self._tell()
            await asyncio.sleep(self._pause)

    async def _let_pass(self, latest: float) -> None:
        """Until no key has the way, or `latest`."""
        while (left := min(self._way_until, latest) - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)
