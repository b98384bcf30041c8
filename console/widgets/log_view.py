"""Log lines that follow the newest: bounded, filtered, thousands a second.

New lines are looked at once; a frame draws only those in sight. Long lines are wrapped or cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.cells import chop_cells
from textual import events
from textual.message import Message
from textual.strip import Strip

from console.look.spans import EMPTY, Line, Span, Tone, width
from console.pages.log_line import Times, before_text, shown_text, text_spans
from console.state.filters import Filter
from console.state.logbook import ALL, Ring
from console.state.loglines import LogLine, Origin
from console.widgets.lines import LinesView

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
        self._times = Times.HOST
        self._wanted = ""
        self._match = -1  # number in the ring of the line that a search led to

    # -- what it shows

    def show(self, ring: Ring[LogLine], source: str, empty: Sequence[Line] = ()) -> None:
        """Lines of a ring; called again whenever it grew. `empty` is what to say when there are none."""
        self._empty = empty
        if ring is not self._ring or source != self._source:
            self._ring, self._source, self._match = ring, source, -1
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
    def times(self) -> Times:
        """Which clock is shown."""
        return self._times

    @times.setter
    def times(self, value: Times) -> None:
        self._times = value
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

    # -- what is searched for

    @property
    def wanted(self) -> str:
        """What the last search was for, in lower case; empty for nothing."""
        return self._wanted

    def find(self, text: str, *, back: bool = False, again: bool = False) -> bool:
        """Go to the next line that has `text`, or the one before it, and round; False when none has.

        A first search begins with what is in sight, a repeated one beyond the line that it led to.
        """
        wanted = text.casefold()
        self._wanted = wanted
        shown = self._shown
        if self._match < 0 or not again:
            here = self._cut + self.scroll_offset.y + (self.page if back else -1)
        else:
            here = next((i for i in range(self._cut, len(shown)) if shown[i][0] >= self._match), self._cut)
        ahead, behind = range(here + 1, len(shown)), range(self._cut, min(here, len(shown)))
        order = (*reversed(behind), *reversed(ahead)) if back else (*ahead, *behind, here)
        for place in order:
            if not 0 <= place < len(shown):
                continue
            number, line, part = shown[place]
            if part == 0 and wanted in shown_text(line).casefold():
                self._match = number
                self.follow(False)
                self.go(max(0, place - self._cut - self.size.height // 2))
                self.refresh()
                return True
        self.refresh()
        return False

    def forget_search(self) -> bool:
        """No line is lit any more; False when none was."""
        had, self._wanted, self._match = bool(self._wanted), "", -1
        self.refresh()
        return had

    def lines(self) -> Iterator[LogLine]:
        """Those that are shown, each once."""
        return (line for _, line, part in self._shown[self._cut :] if part == 0)

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
                for part in range(len(self._pieces(line)) if self.wrapping else 1):
                    self._shown.append((number, line, part))
            number += 1
        self._seen = ring.total
        grown = len(self._shown) - before
        gone = self._trim()
        self.extend_to(max(1, len(self._shown) - self._cut))
        if self.following:
            self.go(self.max_scroll_y)
            self.refresh()
            return
        self._unseen += grown
        if gone:  # hold the lines that are being read in place
            self.go(max(0, self.scroll_offset.y - gone))
        self.renew()

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
        return before_text(line, self.cells, self._source, self._times)

    def _pieces(self, line: LogLine) -> list[str]:
        """Its text as so many lines of the screen."""
        text = shown_text(line)
        if not self.wrapping:
            return [text]
        return chop_cells(text, max(_LEAST_TEXT, self.cells - width(self._before(line)))) or [""]

    def line(self, number: int) -> Iterable[Span]:
        """One line of the screen."""
        place = number + self._cut
        if not len(self._shown) - self._cut:
            return self._empty_line(number)
        if place >= len(self._shown):
            return EMPTY
        _, entry, part = self._shown[place]
        before = self._before(entry)
        pieces = self._pieces(entry)
        if part:
            before = (Span(" " * width(before)),)
        return (*before, *text_spans(entry, pieces[part] if part < len(pieces) else "", self._wanted))

    def window_line(self, y: int) -> Strip:
        """Line `y` of the window; the one that a search led to stands out."""
        number = y + self.scroll_offset.y
        place = number + self._cut
        found = place < len(self._shown) and self._shown[place][0] == self._match
        return self.strip(self.line(number), self.cells, self.cursor_style() if found else None)

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
