"""Bytes in rows with a cursor; those that changed since the last look are lit."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.message import Message

from console.debug.view import Bytes
from console.look.spans import EMPTY, Span, dim
from console.pages.debug import hex_lines
from console.widgets.lines import LinesView

_MARGIN = 11
"""Cells before the first byte."""


class HexView(LinesView):
    """Shows what it is given, and asks for more where the cursor leaves that."""

    class Moved(Message):
        """The cursor is at another address; it may lie outside of what is shown."""

        def __init__(self, address: int) -> None:
            super().__init__()
            self.address = address

    def __init__(self, *, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self._bytes: Bytes | None = None
        self._around = range(0)
        self.address = 0

    def show(self, shown: Bytes | None, around: range = range(0)) -> None:
        """Newer bytes. `around`: addresses of the value that the cursor is in."""
        self._bytes = shown
        self._around = around
        rows = -(-len(shown.data) // self.row) if shown is not None else 0
        self.extend_to(rows)
        self.renew()

    @property
    def row(self) -> int:
        """Bytes in one line; as console.pages.debug.hex_lines has it."""
        return 32 if self.cells >= 150 else 16 if self.cells >= 78 else 8

    @property
    def wanted(self) -> int:
        """Bytes that fill it."""
        return max(1, self.size.height) * self.row

    @property
    def start(self) -> int:
        """Where the rows begin so that the cursor is in sight."""
        return self._bytes.address if self._bytes is not None else self.address

    @property
    def word(self) -> int | None:
        """The 32 bits that the cursor is in; None where they are not shown."""
        if self._bytes is None:
            return None
        at = (self.address & ~3) - self._bytes.address
        if not 0 <= at <= len(self._bytes.data) - 4:
            return None
        return int.from_bytes(self._bytes.data[at : at + 4], "little")

    def place(self, address: int) -> None:
        """Put the cursor at an address."""
        self.address = address
        self.post_message(self.Moved(address))
        self.refresh()

    def line(self, number: int) -> Iterable[Span]:
        """One row."""
        shown = self._bytes
        if shown is None:
            return (
                (dim("  x shows the bytes of the selected region, m those at an address."),)
                if number == 0
                else EMPTY
            )
        start = number * self.row
        part = Bytes(
            shown.address + start,
            shown.data[start : start + self.row],
            "",
            frozenset(at - start for at in shown.changed if start <= at < start + self.row),
        )
        around = range(self._around.start - part.address, self._around.stop - part.address)
        lines = hex_lines(part, self.cells, self.address - part.address, around)
        return lines[0] if lines else EMPTY

    def on_key(self, event: events.Key) -> None:
        """Left and right move within a row; elsewhere they change the view."""
        by = {"left": -1, "right": 1, "h": -1, "l": 1}.get(event.key)
        if by is not None and self._bytes is not None:
            event.stop()
            event.prevent_default()
            self.place(self.address + by)

    def action_list_down(self) -> None:
        self.place(self.address + self.row)

    def action_list_up(self) -> None:
        self.place(max(0, self.address - self.row))

    def action_list_page_down(self) -> None:
        self.place(self.address + self.wanted)

    def action_list_page_up(self) -> None:
        self.place(max(0, self.address - self.wanted))

    def on_click(self, event: events.Click) -> None:
        """The byte that was clicked."""
        if self._bytes is None:
            return
        x = event.x - _MARGIN
        for column in range(self.row):
            if column * 3 + column // 8 <= x < column * 3 + column // 8 + 3:
                self.place(self._bytes.address + (event.y + self.scroll_offset.y) * self.row + column)
                return
