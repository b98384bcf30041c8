"""Memory: flash and RAM of a device to scale, who has what, down to symbols and bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from console.actions import Scope, bindings
from console.live.seam import Remembering
from console.look.figures import bar, size_text
from console.look.spans import EMPTY, Line, Span, Tone, dim, line
from console.memory.view import Kind, MemoryView
from console.messages import MemoryAsked, Trouble
from console.pages.memory import TONES, Entry, entries, field_lines, field_row, map_lines, what_is
from console.pages.parts import nothing
from console.screens.dialog import Confirm
from console.screens.view import View
from console.state.filters import Filter
from console.state.model import Link
from console.widgets.hex_view import HexView
from console.widgets.page import Page
from console.widgets.panes import Split
from console.widgets.prompt import Prompt
from console.widgets.table import Column, Table

_EVERY = 2.0
"""Seconds between surveys while it is in front."""

_PROMPTS = {
    "at": ("go to", "0x20001000 · mma_executors · spin-1234 + 16"),
    "find": ("find", 'bytes such as 4f 4b, or a text in quotes: "hello"'),
    "edit": ("write bytes", "in hexadecimal, such as 01 00 2a, from the cursor on"),
}


def _name(row: Entry, cells: int) -> Line:
    tone = Tone.DIM if row.kind is Kind.FREE else Tone.TEXT
    more = dim(" ›") if row.openable else dim("")  # noqa: RUF001 (a mark)
    glyph = "░ " if row.kind is Kind.FREE else "█ "
    return (Span(glyph, TONES[row.kind]), Span(row.name, tone), more)


def _owner(row: Entry, cells: int) -> Line:
    return (dim(row.type or row.owner),)


def _used(row: Entry, cells: int) -> Line:
    if row.peak is None or not row.size:
        return EMPTY
    text = f"{row.peak:,}"
    room = cells - len(text) - 1
    return (*bar(row.peak / row.size, room), Span(f" {text}")) if room >= 4 else (Span(text),)


def _grown(row: Entry, cells: int) -> Line:
    if row.before is None or row.before == row.size:
        return EMPTY
    by = row.size - row.before
    return (Span(f"{by:+,}", Tone.BAD if by > 0 else Tone.GOOD),)


def _was(row: Entry, cells: int) -> Line:
    return (dim(size_text(row.before)),) if row.before is not None else EMPTY


COLUMNS: tuple[Column[Entry], ...] = (
    Column("ADDRESS", lambda row, _: (dim(f"{row.address:08x}"),), 8, sort=lambda row: row.address),
    Column("PART", _name, 18, grow=2, sort=lambda row: row.name),
    Column("OF", _owner, 8, grow=2, needs=56, sort=lambda row: row.owner),
    Column("BYTES", lambda row, _: (Span(size_text(row.size)),), 9, right=True, sort=lambda row: row.size),
    Column("MOST USED", _used, 12, grow=1, needs=64, sort=lambda row: row.peak or 0),
    Column("WAS", _was, 8, right=True, needs=92, sort=lambda row: row.before or 0),
    Column("GREW", _grown, 6, right=True, sort=lambda row: row.size - (row.before or row.size)),
)


class MemoryScreen(View):
    """The map above, the list below it, bytes beside or below the list."""

    NAME = "memory"
    BINDINGS = bindings(Scope.MEMORY)
    SPLITS = (Split("bytes", "#list", "#looked"), Split("fields", "#bytes", "#fields"))

    DEFAULT_CSS = """
    MemoryScreen #desk { width: 1fr; height: 1fr; }
    MemoryScreen #map { height: auto; max-height: 6; padding: 0; }
    MemoryScreen #panes { width: 1fr; height: 1fr; layout: vertical; }
    MemoryScreen #list { width: 1fr; height: 1fr; }
    MemoryScreen #looked { width: 1fr; height: 1fr; display: none; }
    MemoryScreen #bytes { width: 1fr; height: 1fr; }
    MemoryScreen #bytes { border-top: solid $rule; border-title-color: $dim; }
    MemoryScreen #fields { width: 1fr; height: 1fr; display: none; }
    MemoryScreen #fields { border-top: solid $rule; border-title-color: $dim; }
    MemoryScreen.-wide.-typed #fields { display: block; }
    MemoryScreen.-bytes #looked { display: block; }
    MemoryScreen #bytes:focus { border-top: solid $primary; border-title-color: $tone-accent; }
    MemoryScreen.-wide.-bytes #panes { layout: horizontal; }
    MemoryScreen.-wide #looked { border-left: solid $rule; }
    MemoryScreen.-wide #looked:focus-within { border-left: solid $primary; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._inside = ""
        self._grown_only = False
        self._pattern = b""
        self._before: list[int] = []
        self._asked = 0.0
        self._failed = ""

    def body(self) -> ComposeResult:
        """Map, list, bytes, and a line to type in."""
        with Vertical(id="desk"):
            chart = Page(widget_id="map")
            chart.can_focus = False
            yield chart
            with Horizontal(id="panes"):
                yield Table(
                    COLUMNS,
                    key=lambda row: row.key,
                    search=lambda row: f"{row.name} {row.owner} {row.kind.value} {row.type}",
                    empty=self._empty,
                    widget_id="list",
                )
                with Vertical(id="looked"):
                    yield HexView(widget_id="bytes")
                    values = Page(widget_id="fields")
                    values.can_focus = False
                    values.border_title = "values"
                    yield values
            yield Prompt()

    # -- what it shows

    @property
    def map(self) -> MemoryView:
        """The newest facts."""
        return self.state.memory

    @property
    def table(self) -> Table[Entry]:
        """The list."""
        return self.query_one("#list", Table)

    @property
    def hex(self) -> HexView:
        """The bytes."""
        return self.query_one("#bytes", HexView)

    def main(self) -> Widget:
        """The list."""
        return self.table

    def _empty(self) -> list[Line]:
        if self._inside:
            return nothing("Nothing is known of what is in here.", "x shows its bytes; esc goes back.")
        if self._boards():
            return nothing("Reading the memory …")
        return nothing(
            "No board to look into.", "Start the console with one: mma console --target stm32f4@qemu"
        )

    def redraw(self) -> None:
        """All of it; asks for a new survey now and then."""
        rows = entries(self.map, self._inside)
        if self._grown_only:
            rows = [row for row in rows if row.before is not None and row.before != row.size]
        self.table.show(rows)
        self.draw_map()
        self.draw_bytes()
        if self.app.screen is self:
            self._ask_again()

    def draw_bytes(self) -> None:
        """The bytes, and what they mean."""
        view, address = self.map, self.hex.address
        field = view.field(address)
        around = range(field.address, field.address + field.size) if field is not None else range(0)
        self.hex.show(view.bytes, around)
        if view.bytes is not None:
            self.hex.border_title = f"{address:08x}  {what_is(view, address)}"
        self.set_class(bool(view.fields), "-typed")
        values = self.query_one("#fields", Page)
        values.show(lambda cells: field_lines(view, cells, address))
        row = field_row(view, address)
        if row >= 0 and values.size.height:
            values.go(max(0, row - values.size.height // 2))

    def draw_map(self) -> None:
        """The bars."""
        view, chosen = self.map, self.table.selected
        self.query_one("#map", Page).show(lambda cells: map_lines(view, cells, chosen))

    def _ask_again(self) -> None:
        now = time.monotonic()
        target = self.target
        if not target or now - self._asked < (_EVERY if self.map.target == target else 0.5):
            return
        self._asked = now
        self.post_message(MemoryAsked(self._survey))
        if self.has_class("-bytes") and self.map.bytes is not None:
            self._look(self.map.bytes.address)

    async def _survey(self, memory: Remembering) -> None:
        """What goes wrong again and again is told once."""
        target = self.target
        try:
            await memory.survey(target)
            self._failed = ""
        except Exception:
            if self._failed != target:
                self._failed = target
                raise

    @property
    def target(self) -> str:
        """Whose memory: the one that was asked for, else the first board."""
        boards = self._boards()
        return self.map.target if self.map.target in boards else boards[0] if boards else ""

    def _boards(self) -> list[str]:
        return [
            one.name
            for one in self.state.targets.values()
            if one.link in (Link.UP, Link.DOWN) and "@" in one.name and "/" not in one.name
        ]

    def note(self) -> Line:
        """Which board, and what is compared."""
        text = self.target or "no board"
        if self._grown_only:
            text += f" · since build {self.map.last_build[:8] or 'none'}"
        return line(dim(text))

    # -- asking

    def _ask(self, work: Callable[[Remembering], Coroutine[Any, Any, object]]) -> None:
        self.post_message(MemoryAsked(work))

    def _look(self, address: int) -> None:
        target, size = self.target, self.hex.wanted
        self._ask(lambda memory: memory.look(target, address, size))

    def show_bytes(self, address: int) -> None:
        """Open the bytes there."""
        if self.has_class("-bytes"):
            self._before.append(self.hex.address)
        self.add_class("-bytes")
        self.hex.address = address

        def look() -> None:
            self.hex.focus()
            self._look(address - address % self.hex.row)

        self.call_after_refresh(look)

    def on_hex_view_moved(self, event: HexView.Moved) -> None:
        """Other bytes where the cursor left those in sight."""
        shown = self.map.bytes
        self.draw_bytes()
        if shown is None or not shown.address <= event.address < shown.address + len(shown.data):
            row = event.address - event.address % self.hex.row
            above = shown is not None and event.address < shown.address
            self._look(row if above else max(0, row - self.hex.wanted + self.hex.row))

    def on_resize(self, event: events.Resize) -> None:
        """Another height holds other bytes."""
        super().on_resize(event)
        if self.has_class("-bytes") and self.map.bytes is not None:
            self.call_after_refresh(lambda: self._look(self.hex.start))

    # -- actions

    def action_memory_target(self) -> None:
        boards = self._boards()
        if boards:
            now = boards.index(self.target) if self.target in boards else -1
            target = boards[(now + 1) % len(boards)]
            self._inside = ""
            self.remove_class("-bytes")
            self._ask(lambda memory: memory.survey(target))

    def on_table_opened(self, event: Table.Opened) -> None:
        """Enter or a double click: deeper, or the bytes."""
        chosen = self.table.selected
        if chosen is not None:
            self._open(chosen)

    def _open(self, chosen: Entry) -> None:
        if chosen.openable:
            self._inside = chosen.key
            self.redraw()
            self.table.action_list_top()
        else:
            self.show_bytes(chosen.address)

    def on_table_selected(self, event: Table.Selected) -> None:
        """The map shows where it is."""
        self.draw_map()

    def action_memory_hex(self) -> None:
        chosen = self.table.selected
        if chosen is not None:
            self.show_bytes(chosen.address)

    def action_memory_diff(self) -> None:
        if not self.map.last_build:
            self.post_message(
                Trouble("There is no earlier build to compare with.", "Change the firmware, build it.")
            )
            return
        self._grown_only = not self._grown_only
        self.redraw()
        self.redraw_frame()

    def action_memory_pointer(self) -> None:
        word = self.hex.word
        if word is None:
            return
        shown = self.map.at(self.hex.address)
        if self.map.at(word) is None and shown is not None and shown[0].kind is Kind.GUEST_MEMORY:
            word += shown[0].address  # a guest's pointers are offsets into its memory
        if self.map.at(word) is None:
            self.post_message(Trouble(f"{word:#010x} leads nowhere.", "Put the cursor on a pointer."))
            return
        self.show_bytes(word)

    def action_memory_back(self) -> None:
        if self._before:
            address = self._before.pop()
            self.hex.address = address
            self._look(address - address % self.hex.row)

    def action_memory_at(self) -> None:
        self.query_one(Prompt).begin("at", *_PROMPTS["at"])

    def action_memory_find(self) -> None:
        self.query_one(Prompt).begin("find", *_PROMPTS["find"])

    def action_memory_edit(self) -> None:
        if self.has_class("-bytes"):
            self.query_one(Prompt).begin("edit", *_PROMPTS["edit"])
        else:
            self.post_message(Trouble("Which bytes?", "x shows those of the selected part."))

    def go_match(self, by: int) -> None:
        """In the bytes, the next place with what was found; else as everywhere."""
        if self.has_class("-bytes") and by > 0:
            self._find(self.hex.address + 1)
        else:
            super().go_match(by)

    def _find(self, start: int) -> None:
        pattern, target = self._pattern, self.target
        if not pattern:
            self.action_memory_find()
            return

        async def find(memory: Remembering) -> None:
            self.call_later(self.show_bytes, await memory.find(target, start, pattern))

        self._ask(find)

    def on_prompt_given(self, event: Prompt.Given) -> None:
        """What was typed, by what it is for."""
        text, target = event.text, self.target
        if event.kind == "at":

            async def go(memory: Remembering) -> None:
                self.call_later(self.show_bytes, await memory.address_of(target, text))

            self._ask(go)
        elif event.kind == "find":
            pattern = _pattern(text)
            if not pattern:
                self.post_message(Trouble(f"{text} are no bytes.", 'Write 4f 4b, or "OK".'))
                return
            self._pattern = pattern
            chosen = self.table.selected
            self._find(self.hex.address if self.has_class("-bytes") else chosen.address if chosen else 0)
        elif event.kind == "edit":
            self._write(_pattern(text))

    def _write(self, data: bytes) -> None:
        address, target = self.hex.address, self.target
        if not data:
            self.post_message(Trouble("Those are no bytes.", "Write 01 00 2a."))
            return

        def answered(yes: bool | None) -> None:
            if yes:
                start = self.hex.start

                async def write(memory: Remembering) -> None:
                    await memory.write(target, address, data)
                    await memory.look(target, start, self.hex.wanted)

                self._ask(write)

        where = what_is(self.map, address)
        place = f"{address:#010x} ({where}) of {target}"
        question = f"Write {len(data)} bytes at {place}? What runs there goes on with them."
        self.app.push_screen(Confirm("Change memory", question, yes="Write", no="Keep"), answered)

    def on_prompt_left(self) -> None:
        """Back to where one was."""
        (self.hex if self.has_class("-bytes") else self.table).focus()

    def leave_detail(self) -> bool:
        """Esc: from the line, the bytes, the symbols."""
        if self.query_one(Prompt).leave():
            return True
        if self.has_class("-bytes"):
            self.remove_class("-bytes")
            self._before.clear()
            self.table.focus()
            return True
        if self._inside:
            key, self._inside = self._inside, ""
            self.redraw()
            self.table.select(key)
            return True
        return False

    def apply_filter(self, where: Filter) -> None:
        """On the list."""
        self.table.where = where

    def counted(self) -> tuple[int, int]:
        """Rows."""
        return self.table.count


def _pattern(text: str) -> bytes:
    """`4f 4b` or `"OK"` as bytes; none where it is neither."""
    if len(text) > 2 and text[0] == text[-1] == '"':
        return text[1:-1].encode()
    try:
        return bytes.fromhex(text.replace("0x", ""))
    except ValueError:
        return b""
