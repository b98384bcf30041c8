"""A page of lines made for its width: details, help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual.events import Resize

from console.look.spans import EMPTY, Line, Span
from console.widgets.lines import LinesView

Builder = Callable[[int], Sequence[Line]]
"""From a width in cells to the lines."""


class Page(LinesView):
    """Draws what a builder makes; made anew when the width changes."""

    DEFAULT_CSS = """
    Page { padding: 0 1; }
    """

    def __init__(self, builder: Builder | None = None, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self._builder = builder
        self._lines: Sequence[Line] = ()

    def show(self, builder: Builder) -> None:
        """Another page, or newer facts on the same one; the place scrolled to stays."""
        self._builder = builder
        self._build()

    @property
    def text(self) -> str:
        """All lines as plain text."""
        return "\n".join("".join(span.text for span in line).rstrip() for line in self._lines)

    def copied(self) -> str:
        """The marked lines, or all of them."""
        return super().copied() if self._picked else self.text

    def line(self, number: int) -> Iterable[Span]:
        """One line of the page."""
        return self._lines[number] if 0 <= number < len(self._lines) else EMPTY

    def on_resize(self, event: Resize) -> None:
        self._build()

    def _build(self) -> None:
        width = self.cells
        if self._builder is None or width <= 0:
            return
        lines = self._builder(width)
        if lines == self._lines:
            return
        self._lines = lines
        self.extend_to(len(lines))
        self.renew()
