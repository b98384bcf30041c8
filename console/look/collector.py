"""Full garbage collections while nobody looks: one takes 70 ms over a fleet of a thousand, four frames.

Young objects are collected more rarely than Python would, for a frame makes and drops thousands; the full
passes wait for a pause of the person at the keys.
"""

from __future__ import annotations

import gc
import time

_YOUNG = 10_000
"""Objects more than before that make a collection of the young ones: 700 are three in each frame."""
_NEVER = 1_000_000
_PAUSE = 1.0
"""Seconds without a key or a click that count as a pause."""
_EVERY = 30.0
_AT_LATEST = 300.0


class Collector:
    """begin() takes over from Python's own schedule, end() gives it back."""

    def __init__(self) -> None:
        self._before: tuple[int, int, int] | None = None
        self._last_input = self._last_pass = time.monotonic()

    def begin(self) -> None:
        """From now on."""
        if self._before is None:
            self._before = gc.get_threshold()
            gc.set_threshold(_YOUNG, self._before[1], _NEVER)

    def end(self) -> None:
        """As it was. Idempotent."""
        if self._before is not None:
            gc.set_threshold(*self._before)
            self._before = None

    def busy(self) -> None:
        """The person did something."""
        self._last_input = time.monotonic()

    def tick(self) -> None:
        """About once a second: collect, if it is time and nobody would notice."""
        now = time.monotonic()
        waited = now - self._last_pass
        if (waited >= _EVERY and now - self._last_input >= _PAUSE) or waited >= _AT_LATEST:
            gc.collect()
            self._last_pass = now
