"""The line where a filter is typed; it stays in sight while a filter is on."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Input, Label

from console.state.filters import Filter
from console.widgets.typed_line import TypedLine


class FilterBar(TypedLine):
    """`/`, an input, and how much passes. Filters while one types."""

    DEFAULT_CSS = """
    FilterBar #filter-count { color: $dim; text-style: none; }
    """

    class Changed(Message):
        """Another filter is wanted."""

        def __init__(self, where: Filter) -> None:
            super().__init__()
            self.where = where

    class Left(Message):
        """Typing is over: the keys belong to the list again."""

    def compose(self) -> ComposeResult:
        yield Label("/")
        yield Input(
            placeholder="words that a line must have; !word must not",
            id="filter-input",
            compact=True,
            select_on_focus=False,
        )
        yield Label("", id="filter-count")

    @property
    def where(self) -> Filter:
        """What is typed now."""
        return Filter.parse(self.query_one(Input).value)

    def begin(self) -> None:
        """Show the line and type into it, from the very next key on: Input.focus() would come later."""
        self.add_class("-on")
        self.screen.set_focus(self.query_one(Input))

    def put(self, text: str) -> None:
        """A filter without typing it."""
        self.query_one(Input).value = text
        self.add_class("-on")

    def clear(self) -> None:
        """No filter, no line."""
        field = self.query_one(Input)
        if field.value:
            field.value = ""
        self.remove_class("-on")

    def count(self, shown: int, total: int) -> None:
        """How many pass."""
        self.query_one("#filter-count", Label).update(f"{shown:,} of {total:,}")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(Filter.parse(event.value)))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not self.where:
            self.clear()
        self.post_message(self.Left())
