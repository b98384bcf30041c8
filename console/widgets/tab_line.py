"""The second line: the views with their digits and counts. A click goes there."""

from __future__ import annotations

from collections.abc import Iterable

from textual.strip import Strip

from console.look.spans import Line, Span, Tone, fit, width
from console.state.model import State
from console.views import VIEWS
from console.widgets.lines import OneLine


class TabLine(OneLine):
    """Draws the views, and on the right what the present one has to say of itself."""

    DEFAULT_CSS = """
    TabLine { background: $background; height: 2; }
    """

    def __init__(self, current: str) -> None:
        super().__init__()
        self._current = current
        self._state: State | None = None
        self._note: Line = ()
        self._here = (0, 0)

    def show(self, state: State, note: Line = ()) -> None:
        """Newer facts; `note` stands at the right."""
        self._state, self._note = state, note
        self.update()

    def render_line(self, y: int) -> Strip:
        """The tabs; below them a rule, heavy under the present one."""
        if y == 0:
            return super().render_line(0)
        start, end = self._here
        cells = self.size.width
        rule = (
            Span("─" * start, Tone.TRACK),
            Span("━" * (end - start), Tone.ACCENT),
            Span("─" * (cells - end), Tone.TRACK),
        )
        return self.strip(rule, cells)

    def spans(self, cells: int) -> Iterable[Span]:
        """Digit, name and count of each view; counts give way to a note that has no room beside them."""
        for counts in (True, False):
            tabs = self._tabs(cells, counts=counts)
            room = cells - width(tabs) - 1
            note = self._shortened(room)
            if width(note) <= room:
                return (*tabs, *fit(note, max(0, room), right=True))
        return self._tabs(cells, counts=True)  # half a number would be a wrong one

    def _shortened(self, room: int) -> Line:
        """What comes last matters most; of one text, what comes first."""
        note = self._note
        while len(note) > 1 and width(note) > room:
            note = note[1:]
        if note and width(note) > room:
            note = (note[0]._replace(text=note[0].text.partition(" · ")[0]),)
        return note

    def _tabs(self, cells: int, *, counts: bool) -> list[Span]:
        tabs: list[Span] = [Span(" ")]
        gap = "  " if cells >= 90 else ""
        for one in VIEWS:
            here = one.name == self._current
            begin = width(tabs)
            click = f"screen.view_{one.name}"
            tabs.append(Span(f" {one.key} ", Tone.MARK if here else Tone.DIM, click))
            tabs.append(Span(one.label, Tone.STRONG if here else Tone.DIM, click))
            count = one.count(self._state) if self._state is not None and (counts or here) else 0
            tabs.append(Span(f" {count}" if count else "", Tone.ACCENT if here else Tone.DIM, click))
            if here:
                self._here = (begin, width(tabs) + 1)
            tabs.append(Span(f" {gap}"))
        return tabs
