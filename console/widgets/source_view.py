"""Source with a gutter: breakpoints, the present line, a cursor. Without a source, instructions."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.message import Message
from textual.strip import Strip

from console.debug.view import DebugView, Phase
from console.look.highlight import highlight, language_of
from console.look.spans import EMPTY, Line, Span, Tone, dim
from console.widgets.lines import LinesView

GUTTER = 9


class SourceView(LinesView):
    """The cursor follows every stop; keys move it away from there."""

    class Toggled(Message):
        """A click on the gutter."""

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self._view = DebugView()
        self._rows: list[Line] = []
        self._addresses: list[int] = []
        self._path = ""
        self._shown: object = None
        self._stop = (-1, -1, 0)
        self._marks: dict[int, Span] = {}
        self.cursor = 0

    def show(self, view: DebugView) -> None:
        """Newer facts; at another place, the cursor goes there."""
        self._view = view
        facts = (id(view.source), view.source.path) if view.source is not None else ("", view.code)
        if facts != self._shown:
            self._shown = facts
            self._read(view)
        self._marks = self._marked(view)
        stop = (view.serial, view.frame, view.spot.address)
        if stop != self._stop:
            self._stop = stop
            self.place(self.here)
        self.extend_to(len(self._rows))
        self.renew()

    def _read(self, view: DebugView) -> None:
        self._addresses = []
        if view.source is not None:
            self._path = view.source.path
            self._rows = highlight(view.source.lines, language_of(self._path) or "c")
            self.border_title = self._path.rpartition("/")[2]
            return
        self._path = ""
        self._addresses = [one.address for one in view.code]
        self._rows = [
            (
                Span(f"{one.address:08x}  ", Tone.DIM),
                Span(one.text.expandtabs(8)),
                dim(f"  {one.function}+{one.offset}"),
            )
            for one in view.code
        ]
        self.border_title = "instructions: no source here" if view.code else "source"

    def _marked(self, view: DebugView) -> dict[int, Span]:
        marks: dict[int, Span] = {}
        for one in view.breaks:
            span = Span("●", Tone.BAD) if one.enabled else Span("○", Tone.DIM)
            for path, line in one.spots:
                if path == self._path:
                    marks[line - 1] = span
            for address in one.addresses:
                if address in self._addresses:
                    marks[self._addresses.index(address)] = span
        return marks

    @property
    def here(self) -> int:
        """The row of the present place, from 0; -1 where it is elsewhere."""
        spot = self._view.spot
        if self._path:
            return spot.line - 1 if spot.path == self._path else -1
        return self._addresses.index(spot.address) if spot.address in self._addresses else -1

    @property
    def location(self) -> tuple[str, int] | None:
        """Path and line under the cursor; None where there is no source."""
        return (self._path, self.cursor + 1) if self._path and self._rows else None

    @property
    def address(self) -> int | None:
        """Of the instruction under the cursor, where instructions are shown."""
        return self._addresses[self.cursor] if self.cursor < len(self._addresses) else None

    def place(self, row: int) -> None:
        """Put the cursor on a row, in sight with some lines around it."""
        if row < 0 or not self._rows:
            return
        self.cursor = min(row, len(self._rows) - 1)
        height, top = self.size.height, round(self.scroll_y)
        if height and not top + 2 <= self.cursor < top + height - 2:
            self.extend_to(len(self._rows))
            self.go(max(0, self.cursor - height // 3))
        self.refresh()

    def on_resize(self) -> None:
        self.place(self.cursor)

    def window_line(self, y: int) -> Strip:
        """One row with its gutter."""
        row = y + self.scroll_offset.y
        under = self.cursor_style() if row == self.cursor and self._rows else None
        return self.strip(self.line(row), self.size.width if under else self.cells, under)

    def line(self, number: int) -> Iterable[Span]:
        """Mark, arrow, number, text."""
        if not 0 <= number < len(self._rows):
            return self._nothing(number) if not self._rows else EMPTY
        code = self._view.source.code if self._view.source is not None else frozenset()
        here = number == self.here and self._view.phase is Phase.STOPPED
        mark = self._marks.get(number) or Span("·" if number + 1 in code else " ", Tone.DIM)
        arrow = Span("▶" if here else " ", Tone.MARK)
        tone = Tone.ACCENT if here else Tone.DIM
        label = f"{number + 1:>4} " if self._path else ""
        return (Span(" "), mark, arrow, Span(label, tone), Span("│ ", Tone.TRACK), *self._rows[number])

    def _nothing(self, number: int) -> Line:
        words = {
            Phase.DETACHED: ("The debugger is not attached.", "a attaches it to a board; the board runs on."),
            Phase.ATTACHING: ("Attaching …", ""),
            Phase.RUNNING: (
                "The target runs.",
                "c pauses it; B sets a breakpoint, also for an executor to come.",
            ),
            Phase.LOST: (self._view.sentence or "The debug stub is gone.", "a attaches anew."),
            Phase.STOPPED: ("Nothing is known of this place.", "The console panel takes GDB's commands."),
        }[self._view.phase]
        top = max(1, self.size.height // 3)
        if number - top not in (0, 1):
            return EMPTY
        text = words[number - top]
        left = max(2, (self.cells - len(text)) // 2)
        return (Span(" " * left), Span(text, Tone.STRONG if number == top else Tone.DIM))

    def action_list_down(self) -> None:
        self.place(min(self.cursor + 1, len(self._rows) - 1))

    def action_list_up(self) -> None:
        self.place(max(0, self.cursor - 1))

    def action_list_page_down(self) -> None:
        self.place(min(self.cursor + self.page, len(self._rows) - 1))

    def action_list_page_up(self) -> None:
        self.place(max(0, self.cursor - self.page))

    def action_list_top(self) -> None:
        self.place(0)

    def action_list_bottom(self) -> None:
        self.place(len(self._rows) - 1)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Into the text: the cursor. On the gutter: a breakpoint, too."""
        row = event.y + self.scroll_offset.y
        if self._rows and row < len(self._rows):
            self.place(row)
            if event.x < GUTTER:
                self.post_message(self.Toggled())
