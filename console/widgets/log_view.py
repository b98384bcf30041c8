"""Log lines that follow the newest: bounded, filtered, thousands a second.

New lines are looked at once; a frame draws only those in sight. Long lines are wrapped or cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, chop_cells
from textual import events
from textual.geometry import Size
from textual.message import Message

from console.figures import clock_text
from console.filters import Filter
from console.logbook import ALL, Ring
from console.loglines import LogLine, Origin
from console.spans import EMPTY, Line, Span, Tone, width
from console.widgets.lines import LinesView

_TONES = {
    Origin.EXECUTOR: Tone.TEXT,
    Origin.DEVICE: Tone.INFO,
    Origin.LINK: Tone.DIM,
    Origin.MESOS: Tone.DIM,
}
_LEAST_TEXT = 24
"""Cells of text below which the columns before it are given up."""


class LogView(LinesView):
    """Draws a ring of lines. `following` keeps the newest in sight; scrolling up ends it, the end resumes."""

    DEFAULT_CSS = """
    LogView { padding: 0 0 0 1; }
    """

    class Followed(Message):
        """`following` changed."""

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self.following = True
        self.wrapping = False
        self._ring: Ring[LogLine] = Ring(1)
        self._source = ALL
        self._mesos = True
        self._where = Filter()
        self._seen = 0  # lines of the ring that were looked at
        self._shown: list[tuple[int, LogLine, int]] = []  # number in the ring, line, which part of it
        self._numbers = 0
        self._cut = 0  # dead items at the head of _shown
        self._unseen = 0
        self._empty: Sequence[Line] = ()

    # -- what it shows

    def show(self, ring: Ring[LogLine], source: str, empty: Sequence[Line] = ()) -> None:
        """Lines of a ring; called again whenever it grew. `empty` is what to say when there are none."""
        self._empty = empty
        if ring is not self._ring or source != self._source:
            self._ring, self._source = ring, source
            self._rebuild()
        elif ring.total != self._seen:
            self._extend()

    @property
    def where(self) -> Filter:
        """Only lines that pass are shown."""
        return self._where

    @where.setter
    def where(self, value: Filter) -> None:
        if value != self._where:
            self._where = value
            self._rebuild()

    @property
    def mesos(self) -> bool:
        """Whether Mesos's messages are shown."""
        return self._mesos

    @mesos.setter
    def mesos(self, value: bool) -> None:
        self._mesos = value
        self._rebuild()

    @property
    def count(self) -> tuple[int, int]:
        """Screen lines shown, lines kept."""
        return len(self._shown) - self._cut, len(self._ring)

    @property
    def unseen(self) -> int:
        """Lines that came since following ended."""
        return self._unseen

    def wrap(self, on: bool) -> None:
        """Break long lines, or cut them."""
        self.wrapping = on
        self._rebuild()

    def follow(self, on: bool) -> None:
        """Keep the newest line in sight, or stay here."""
        if on:
            self._unseen = 0
            self.go(self.max_scroll_y)
        if on != self.following:
            self.following = on
            self.post_message(self.Followed())

    def _rebuild(self) -> None:
        self._shown, self._cut, self._seen, self._unseen = [], 0, 0, 0
        self._extend()
        if self.following:
            self.go(self.max_scroll_y)

    def _extend(self) -> None:
        ring, before = self._ring, len(self._shown)
        number = max(self._seen, ring.first)
        for line in ring.since(number):
            if self._passes(line):
                for part in range(self._parts(line)):
                    self._shown.append((number, line, part))
            number += 1
        self._seen = ring.total
        grown = len(self._shown) - before
        gone = self._trim()
        self.virtual_size = Size(self.cells, max(1, len(self._shown) - self._cut))
        if self.following:
            self.go(self.max_scroll_y)
        else:
            self._unseen += grown
            if gone:  # hold the lines that are being read in place
                self.go(max(0, self.scroll_offset.y - gone))
        self.refresh()

    def _trim(self) -> int:
        first, start = self._ring.first, self._cut
        while self._cut < len(self._shown) and self._shown[self._cut][0] < first:
            self._cut += 1
        gone = self._cut - start
        if self._cut > 4096:
            del self._shown[: self._cut]
            self._cut = 0
        return gone

    def _passes(self, line: LogLine) -> bool:
        if not self._mesos and line.origin is Origin.MESOS:
            return False
        return not self._where or self._where.passes(f"{line.target} {line.subject} {line.text}")

    # -- drawing

    def _before(self, line: LogLine) -> Line:
        """Time and source."""
        cells = self.cells
        if cells < 50:
            return ()
        spans = [Span(clock_text(line.time, millis=cells >= 100) + "  ", Tone.DIM)]
        room = 24 if cells >= 100 else 16
        if self._source == ALL or line.subject != self._source:
            name = line.subject or line.target
            if cell_len(name) > room:
                name = name[: room - 1] + "…"
            tone = Tone.ACCENT if line.origin is Origin.EXECUTOR else Tone.DIM
            spans.append(Span(name.ljust(room) + "  ", tone))
        return tuple(spans)

    def _room(self, line: LogLine) -> int:
        return max(_LEAST_TEXT, self.cells - width(self._before(line)))

    def _parts(self, line: LogLine) -> int:
        if not self.wrapping:
            return 1
        return max(1, len(chop_cells(line.text, self._room(line))))

    def line(self, number: int) -> Iterable[Span]:
        """One line of the screen."""
        place = number + self._cut
        if not len(self._shown) - self._cut:
            return self._empty_line(number)
        if place >= len(self._shown):
            return EMPTY
        _, entry, part = self._shown[place]
        before = self._before(entry)
        text = entry.text
        if self.wrapping:
            pieces = chop_cells(text, self._room(entry))
            text = pieces[part] if part < len(pieces) else ""
            if part:
                before = (Span(" " * width(before)),)
        return (*before, Span(text, _TONES[entry.origin]))

    def _empty_line(self, number: int) -> Line:
        lines = self._empty
        if len(self._ring):
            what = f"“{self._where.text}”" if self._where else "more than Mesos's messages (m shows them)"
            lines = ((Span(f"None of {len(self._ring):,} lines has {what}.", Tone.DIM),),)
        above = max(1, (self.size.height - len(lines)) // 3)
        if not above <= number < above + len(lines):
            return EMPTY
        left = max(1, (self.cells - max(map(width, lines))) // 2)
        return (Span(" " * left), *lines[number - above])

    # -- moving

    def on_resize(self, event: events.Resize) -> None:
        if self.wrapping:
            self._rebuild()
        if self.following:
            self.go(self.max_scroll_y)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if new_value >= self.max_scroll_y:
            if not self.following:
                self.follow(True)
        elif new_value < old_value and self.following and len(self._shown) > self._cut:
            self.follow(False)
