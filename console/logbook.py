"""Log lines of a session, bounded: the newest of all, and the newest of each source.

A chatty executor pushes out only its own lines from its own ring. The one mutable part of the model:
thousands of lines a second are appended in place, and readers ask for what is new by count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from console.loglines import LogLine, LogLines, Origin
from hal.target import Event as TargetEvent

T = TypeVar("T")

ALL = ""
"""The source that means every one of them."""

_ALL_LINES = 20_000
_SOURCE_LINES = 5_000
_MOST_SOURCES = 2_000

# C0 and C1 control characters, which would move the cursor or change colours on a raw terminal.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != 0x09} | {
    0x0D: ""
}


class Ring(Generic[T]):
    """The newest `limit` items, each with its number since the start: `first <= number < total`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: list[T] = []
        self._start = 0  # of the living part of _items; the list is cut only now and then
        self.total = 0

    @property
    def first(self) -> int:
        """Number of the oldest item that is kept."""
        return self.total - (len(self._items) - self._start)

    @property
    def last(self) -> T:
        """The newest item; there must be one."""
        return self._items[-1]

    def append(self, item: T) -> None:
        """As the newest."""
        self._items.append(item)
        self.total += 1
        if len(self._items) - self._start > self._limit:
            self._items[self._start] = item  # let go of the old one; the slot is dead
            self._start += 1
            if self._start >= self._limit:
                del self._items[: self._start]
                self._start = 0

    def since(self, number: int) -> Sequence[T]:
        """Items from `number` on, or all that are kept if that one is gone."""
        return self._items[self._start + max(0, number - self.first) :]

    def __len__(self) -> int:
        return len(self._items) - self._start

    def __iter__(self) -> Iterator[T]:
        return iter(self.since(0))


class LogBook:
    """All logs. Sources are targets' names, tasks' ids and `mesos`."""

    def __init__(self) -> None:
        self._now = 0.0
        self._lines = LogLines(lambda: self._now)
        self._all: Ring[LogLine] = Ring(_ALL_LINES)
        self._rings: dict[str, Ring[LogLine]] = {}

    @property
    def total(self) -> int:
        """Lines so far: what tells a reader whether there is something new."""
        return self._all.total

    @property
    def sources(self) -> tuple[str, ...]:
        """In the order of their first lines."""
        return tuple(self._rings)

    def ring(self, source: str) -> Ring[LogLine]:
        """The lines of one source, or of all."""
        if source == ALL:
            return self._all
        return self._rings.get(source) or Ring(1)

    def take(self, target: str, event: TargetEvent, now: float) -> None:
        """The lines that an event of a target completes."""
        self._now = now
        for line in self._lines.of(target, event):
            self.add(line)

    def say(self, target: str, subject: str, origin: Origin, text: str, now: float) -> None:
        """Lines of our own."""
        for part in text.splitlines():
            self.add(LogLine(now, target, subject, origin, part))

    def add(self, line: LogLine) -> None:
        """One line, into the rings of everything it belongs to."""
        text = line.text.rstrip().expandtabs(8).translate(_CONTROLS)
        if text != line.text:
            line = LogLine(line.time, line.target, line.subject, line.origin, text)
        self._all.append(line)
        for source in {line.target, line.subject}:
            if source:
                self._ring_of(source).append(line)

    def _ring_of(self, source: str) -> Ring[LogLine]:
        ring = self._rings.get(source)
        if ring is None:
            if len(self._rings) >= _MOST_SOURCES:
                del self._rings[min(self._rings, key=lambda name: self._rings[name].last.time)]
            ring = self._rings[source] = Ring(_SOURCE_LINES)
        return ring
