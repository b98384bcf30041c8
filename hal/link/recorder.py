"""The newest messages of a link, decoded, while somebody reads them; else none are kept."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from hal.link.conversation import Conversation
from hal.link.transport import Traced
from hal.target import Heard, Trace

KEPT = 1_000
IDLE = 30.0
"""Seconds after the last read until nothing is kept any more."""


class Recorder:
    """`holder` names the executor in a slot."""

    __slots__ = ("_count", "_holder", "_kept", "_talk", "_until")

    def __init__(self, holder: Callable[[int], str]) -> None:
        self._holder = holder
        self._kept: deque[Heard] | None = None
        self._talk = Conversation()
        self._count = 0
        self._until = 0.0

    def heard(self, traced: Traced) -> None:
        """One more message."""
        if self._kept is None:
            return
        if traced.seconds > self._until:
            self._kept, self._talk = None, Conversation()
            return
        spoken = self._talk.heard(traced)
        key = self._holder(spoken.slot) if spoken.slot is not None else ""
        moment = time.time() - (time.monotonic() - traced.seconds)
        self._kept.append(Heard(moment, key, spoken.text))
        self._count += 1

    def read(self, after: int) -> Trace:
        """What came after message number `after` of those kept; from now on they are kept."""
        self._until = time.monotonic() + IDLE
        if self._kept is None:
            self._kept = deque(maxlen=KEPT)
        new = max(0, min(len(self._kept), self._count - after))
        return Trace(self._count, tuple(self._kept)[len(self._kept) - new :])
