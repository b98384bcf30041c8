"""A list of facts in aligned columns: filtered, sorted, with a cursor that stays on its row as rows change.

Cells are made only for the rows in sight; sorting and filtering go over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from console.actions import Scope, bindings
from console.look.spans import EMPTY, Line, Span, Tone, fit, plain, width
from console.state.filters import Filter
from console.widgets.lines import LinesView

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """One column. `cells` is its least width; what is left over goes to the columns that `grow`.

    A column is left out in tables narrower than `needs` cells. Without `sort` it cannot be sorted by.
    """

    title: str
    cell: Callable[[R, int], Line]
    cells: int
    grow: int = 0
    right: bool = False
    needs: int = 0
    sort: Callable[[R], Any] | None = None
    shown: Callable[[], bool] = lambda: True
    """Whether it is there at all; Table.arrange_columns() asks again."""


class Table(LinesView, Generic[R]):
    """Rows are anything; columns say how they look."""

    BINDINGS = bindings(Scope.TABLE)

    _GAP = 2
    _MARGIN = 2  # the cursor's mark and a blank

    class Selected(Message):
        """The cursor is on another row; `key` is None when there is none."""

        def __init__(self, table: Table[Any], key: str | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> Table[Any]:
            return self.table

    class Opened(Message):
        """A row was chosen by enter or by a double click."""

        def __init__(self, table: Table[Any], key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> Table[Any]:
            return self.table

    def __init__(
        self,
        columns: Sequence[Column[R]],
        *,
        key: Callable[[R], str],
        search: Callable[[R], str],
        empty: Callable[[], Sequence[Line]] = tuple,
        head: bool = True,
        widget_id: str | None = None,
    ) -> None:
        """`key` names a row for good, `search` is the text that filters look in, `empty` is what to say
        when there are no rows at all."""
        super().__init__(id=widget_id)
        self._columns = tuple(columns)
        self._key = key
        self._search = search
        self._empty = empty
        self._head = 1 if head else 0
        self._all: Sequence[R] = ()
        self._rows: list[R] = []
        self._cursor = 0
        self._cursor_key: str | None = None
        self._sort: Column[R] | None = None
        self._reverse = False
        self._where = Filter()
        self._widths: list[tuple[Column[R], int]] = []
        self._made: dict[int, tuple[R, bool]] = {}
        """By line of the window: the row that was last made there, and whether the cursor was on it."""

    # -- what it shows

    def show(self, rows: Sequence[R]) -> None:
        """New facts. The cursor stays on its row; if that is gone, at its place."""
        self._all = rows
        self._arrange()

    @property
    def where(self) -> Filter:
        """Only rows that pass are shown."""
        return self._where

    @where.setter
    def where(self, value: Filter) -> None:
        self._where = value
        self._arrange()

    @property
    def rows(self) -> Sequence[R]:
        """The rows that are shown, in their order."""
        return self._rows

    @property
    def count(self) -> tuple[int, int]:
        """Rows shown, rows in all."""
        return len(self._rows), len(self._all)

    @property
    def selected(self) -> R | None:
        """The row under the cursor."""
        return self._rows[self._cursor] if self._rows else None

    @property
    def selected_key(self) -> str | None:
        """Its key."""
        return self._cursor_key

    def select(self, key: str) -> None:
        """Put the cursor on a row, if it is shown; also if it is shown only later."""
        self._cursor_key = key
        self._arrange(tell=True)

    def _arrange(self, *, tell: bool = False) -> None:
        rows = (
            [row for row in self._all if self._where.passes(self._search(row))]
            if self._where
            else [*self._all]
        )
        if self._sort is not None and self._sort.sort is not None:
            rows.sort(key=self._sort.sort, reverse=self._reverse)
        self._rows = rows
        here = self._cursor
        if here < len(rows) and self._key(rows[here]) == self._cursor_key:
            place: int | None = here  # as mostly; looking through a thousand rows takes a millisecond
        else:
            place = next((i for i, row in enumerate(rows) if self._key(row) == self._cursor_key), None)
        self._cursor = min(self._cursor, max(0, len(rows) - 1)) if place is None else place
        self.extend_to(len(rows) + self._head)
        self._told(force=tell)
        self.renew()

    def _told(self, *, force: bool = False) -> None:
        """Tell where the cursor is, if that is news."""
        key = self._key(self._rows[self._cursor]) if self._rows else None
        if key != self._cursor_key or force:
            self._cursor_key = key
            self.post_message(self.Selected(self, key))
        self._reveal()

    def _reveal(self) -> None:
        room = self.size.height - self._head
        if room <= 0:
            return
        top = round(self.scroll_y)
        if self._cursor < top:
            self.go(self._cursor)
        elif self._cursor >= top + room:
            self.go(self._cursor - room + 1)

    # -- drawing

    def on_resize(self, event: events.Resize) -> None:
        self._lay_out(self.cells)
        self._reveal()
        self.refresh()  # lines may have been drawn before the columns had their widths

    def arrange_columns(self) -> None:
        """Other columns may be shown from now on."""
        self._lay_out(self.cells)
        self.refresh()

    def _lay_out(self, cells: int) -> None:
        shown = [column for column in self._columns if cells >= column.needs and column.shown()]
        edge = 1 if shown and shown[-1].right else 0  # figures do not touch the scrollbar
        spare = cells - self._MARGIN - sum(column.cells for column in shown) - self._GAP * (len(shown) - 1)
        spare -= edge
        shares = sum(column.grow for column in shown)
        widths: list[tuple[Column[R], int]] = []
        for column in shown:
            extra = 0
            if column.grow and shares:
                extra = max(0, spare) * column.grow // shares
                spare, shares = spare - extra, shares - column.grow
            widths.append((column, column.cells + extra))
        self._widths = widths

    def window_line(self, y: int) -> Strip:
        """The head, a row, or what to say of emptiness."""
        cells = self.cells
        if y < self._head:
            return self.strip(self._head_line(), cells)
        number = y - self._head + self.scroll_offset.y
        if number < len(self._rows):
            return self._row_strip(y, number, cells)
        if not self._rows:
            return self.strip(self._empty_line(y - self._head), cells)
        return self.strip((), cells)

    def _head_line(self) -> Iterable[Span]:
        yield Span(" " * self._MARGIN)
        for place, (column, cells) in enumerate(self._widths):
            if place:
                yield Span(" " * self._GAP)
            title = column.title
            if column is self._sort:
                title += " ▼" if self._reverse else " ▲"
            yield from fit((Span(title, Tone.HEAD),), cells, right=column.right)

    def looks_new(self, y: int) -> bool:
        """The same row is not made again to see that it looks the same."""
        number = y - self._head + self.scroll_offset.y
        if y >= self._head and number < len(self._rows):
            made = self._made.get(y)
            if made is not None and made == (self._rows[number], number == self._cursor):
                return False
        return super().looks_new(y)

    def _row_strip(self, y: int, number: int, cells: int) -> Strip:
        row = self._rows[number]
        here = number == self._cursor
        self._made[y] = (row, here)
        spans = [Span("▌ " if here and self.has_focus else "  ", Tone.MARK)]
        for place, (column, room) in enumerate(self._widths):
            if place:
                spans.append(Span(" " * self._GAP))
            spans.extend(fit(column.cell(row, room), room, right=column.right))
        return self.strip(spans, self.size.width, self.cursor_style() if here else None)

    def _empty_line(self, y: int) -> Iterable[Span]:
        if self._all:
            text = f"None of {len(self._all)} has “{self._where.text}”. esc drops the filter."
            lines: Sequence[Line] = ((Span(text, Tone.DIM),),)
        else:
            lines = self._empty()
        above = max(1, (self.size.height - self._head - len(lines)) // 3)
        if not above <= y < above + len(lines):
            return EMPTY
        left = max(self._MARGIN, (self.cells - max(map(width, lines))) // 2)
        return (Span(" " * left), *lines[y - above])

    def copied(self) -> str:
        """The texts of the selected row; bars and marks are left out."""
        if not self._rows:
            return ""
        cells = (plain(column.cell(self._rows[self._cursor], 80)).strip() for column in self._columns)
        return "\t".join(cell for cell in cells if any(char.isalnum() for char in cell))

    # -- moving

    def _move(self, place: int) -> None:
        if self._rows:
            before, self._cursor = self._cursor, min(max(0, place), len(self._rows) - 1)
            self._refresh_row(before)
            self._refresh_row(self._cursor)
            self._told()

    def _refresh_row(self, number: int) -> None:
        y = number - self.scroll_offset.y + self._head
        if self._head <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def action_list_down(self) -> None:
        self._move(self._cursor + 1)

    def action_list_up(self) -> None:
        self._move(self._cursor - 1)

    def action_list_page_down(self) -> None:
        self._move(self._cursor + self.page - self._head)

    def action_list_page_up(self) -> None:
        self._move(self._cursor - self.page + self._head)

    def action_list_top(self) -> None:
        self._move(0)

    def action_list_bottom(self) -> None:
        self._move(len(self._rows) - 1)

    def action_list_open(self) -> None:
        if self._cursor_key is not None:
            self.post_message(self.Opened(self, self._cursor_key))

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """A row selects, twice opens; a title sorts."""
        if event.y < self._head:
            self._sort_at(event.x)
            return
        number = event.y - self._head + self.scroll_offset.y
        if number < len(self._rows):
            self._move(number)
            if event.chain == 2:
                self.action_list_open()

    # -- sorting

    @property
    def sorting(self) -> str:
        """The title of the column that it is sorted by, `-` before it for the other way round; or empty."""
        return ("-" if self._reverse else "") + self._sort.title if self._sort is not None else ""

    @sorting.setter
    def sorting(self, value: str) -> None:
        title = value.removeprefix("-")
        able = (column for column in self._columns if column.sort is not None and column.title == title)
        self._sort = next(able, None)
        self._reverse = self._sort is not None and value.startswith("-")
        self._arrange()

    def _sort_at(self, x: int) -> None:
        left = self._MARGIN
        for column, cells in self._widths:
            if left <= x < left + cells + self._GAP and column.sort is not None:
                self._sort_by(column)
                return
            left += cells + self._GAP

    def _sort_by(self, column: Column[R]) -> None:
        """By a column; a second time the other way round; a third time as they come."""
        if column is not self._sort:
            self._sort, self._reverse = column, False
        elif not self._reverse:
            self._reverse = True
        else:
            self._sort, self._reverse = None, False
        self._arrange()

    def action_list_sort(self) -> None:
        able = [column for column, _ in self._widths if column.sort is not None]
        place = able.index(self._sort) + 1 if self._sort in able else 0
        self._sort, self._reverse = (able[place], False) if place < len(able) else (None, False)
        self._arrange()

    def action_list_reverse(self) -> None:
        if self._sort is not None:
            self._reverse = not self._reverse
            self._arrange()
