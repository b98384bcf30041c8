"""Log lines of a session, bounded: the newest of all, and the newest of each source.

A chatty executor pushes out only its own lines from its own ring. The one mutable part of the model:
thousands of lines a second are appended in place, and readers ask for what is new by count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from console.state.loglines import LogLine, LogLines, Origin
from hal.target import Event as TargetEvent

T = TypeVar("T")

ALL = ""
"""The source that means every one of them."""

COMMANDS = "commands"
"""The source that holds what was run: builds, GDB, HTTP, programs."""

_ALL_LINES = 20_000
_SOURCE_LINES = 5_000
_MOST_SOURCES = 2_000
_MOST_LINES = 200_000
"""In the rings of all sources together."""

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

    def drop(self, count: int) -> int:
        """Let go of the oldest `count`, as far as there are so many. Returns how many went."""
        count = min(count, len(self))
        del self._items[: self._start + count]
        self._start = 0
        return count

    def since(self, number: int) -> Sequence[T]:
        """Items from `number` on, or all that are kept if that one is gone."""
        return self._items[self._start + max(0, number - self.first) :]

    def __len__(self) -> int:
        return len(self._items) - self._start

    def __iter__(self) -> Iterator[T]:
        return iter(self.since(0))


@dataclass(frozen=True, slots=True)
class _Clock:
    """Of an emulated board: what it said when, and how fast it runs."""

    virtual: float
    read: float
    rate: float = 1.0

    def at(self, now: float) -> float:
        """Its time then; it may have been held meanwhile, which the next reading tells."""
        return max(0.0, self.virtual + self.rate * (now - self.read))


class _Shelf:
    """A ring for everything, one for each source, and all of those within a bound."""

    def __init__(self) -> None:
        self.all: Ring[LogLine] = Ring(_ALL_LINES)
        self.rings: dict[str, Ring[LogLine]] = {}
        self._lines = 0

    def ring(self, source: str) -> Ring[LogLine]:
        return self.all if source == ALL else self.rings.get(source) or Ring(1)

    def add(self, line: LogLine) -> None:
        self.all.append(line)
        for source in {line.target, line.subject}:
            if source:
                ring = self._ring_of(source)
                before = len(ring)
                ring.append(line)
                self._lines += len(ring) - before
        if self._lines > _MOST_LINES:
            longest = max(self.rings.values(), key=len)
            self._lines -= longest.drop(len(longest) // 2)

    def _ring_of(self, source: str) -> Ring[LogLine]:
        ring = self.rings.get(source)
        if ring is None:
            if len(self.rings) >= _MOST_SOURCES:
                oldest = min(self.rings, key=lambda name: self.rings[name].last.time)
                self._lines -= len(self.rings.pop(oldest))
            ring = self.rings[source] = Ring(_SOURCE_LINES)
        return ring


class LogBook:
    """All logs. Sources are targets' names, tasks' ids and `mesos`.

    Each is kept twice, without and with CoAP messages, so that a busy link pushes out nobody's words.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._lines = LogLines(lambda: self._now)
        self._words = _Shelf()
        self._traffic = _Shelf()
        self._clocks: dict[str, _Clock] = {}
        self._commands: Ring[LogLine] = Ring(_SOURCE_LINES)

    @property
    def total(self) -> int:
        """Lines so far, without CoAP messages."""
        return self._words.all.total

    def ring(self, source: str, *, coap: bool = False) -> Ring[LogLine]:
        """The lines of one source, or of all; with CoAP messages between them if so wished."""
        if source == COMMANDS:
            return self._commands
        return (self._traffic if coap else self._words).ring(source)

    def clock(self, target: str, virtual: float, now: float) -> None:
        """An emulated board says what time it is for it."""
        old = self._clocks.get(target)
        rate = 1.0
        if old is not None and virtual >= old.virtual and now > old.read:
            rate = (virtual - old.virtual) / (now - old.read)
        self._clocks[target] = _Clock(virtual, now, rate)

    def take(self, target: str, event: TargetEvent, now: float) -> None:
        """The lines that an event of a target completes."""
        self._now = now
        for line in self._lines.of(target, event):
            self.add(line)

    def say(self, target: str, subject: str, origin: Origin, text: str, now: float) -> None:
        """Lines of our own."""
        for part in text.splitlines():
            self.add(LogLine(now, target, subject, origin, part))

    def ran(self, kind: str, text: str, now: float) -> None:
        """A line of the command log, which is a source of its own: `everything` does not have it."""
        clean = text.strip().expandtabs(8).replace("\n", " ").translate(_CONTROLS)
        origin = Origin.EXECUTOR if kind == "key" else Origin.LINK
        self._commands.append(LogLine(now, kind, kind, origin, clean))

    def add(self, line: LogLine) -> None:
        """One line, into the rings of everything it belongs to."""
        text = line.text.rstrip().expandtabs(8).translate(_CONTROLS)
        clock = self._clocks.get(line.target)
        virtual = line.virtual if clock is None else clock.at(line.time)
        if text != line.text or virtual != line.virtual:
            line = LogLine(line.time, line.target, line.subject, line.origin, text, virtual)
        self._traffic.add(line)
        if line.origin is not Origin.COAP:
            self._words.add(line)
