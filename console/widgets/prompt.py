"""One line for a short text: a location, an expression, a command. Esc leaves it, enter gives it."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Input, Label

from console.widgets.typed_line import TypedLine


class Prompt(TypedLine):
    """`kind` tells its screen what the text is for. Up and down go through what was given before."""

    DEFAULT_CSS = """
    Prompt #prompt-note { color: $dim; text-style: none; max-width: 60%; }
    """

    class Given(Message):
        """Enter was pressed."""

        def __init__(self, kind: str, text: str) -> None:
            super().__init__()
            self.kind = kind
            self.text = text

    class Completing(Message):
        """Tab was pressed: what could follow?"""

        def __init__(self, kind: str, text: str) -> None:
            super().__init__()
            self.kind = kind
            self.text = text

    class Left(Message):
        """Typing is over."""

    def __init__(self, *, widget_id: str = "prompt") -> None:
        super().__init__(id=widget_id)
        self.kind = ""
        self._given: dict[str, list[str]] = {}
        self._back = 0

    def compose(self) -> ComposeResult:
        yield Label("", id="prompt-label", markup=False)
        yield Input(id="prompt-input", compact=True, select_on_focus=False)
        yield Label("", id="prompt-note", markup=False)

    @property
    def field(self) -> Input:
        """What is typed in."""
        return self.query_one(Input)

    def begin(self, kind: str, label: str, placeholder: str, value: str = "") -> None:
        """Show it and type into it."""
        self.kind, self._back = kind, 0
        self.query_one("#prompt-label", Label).update(label)
        self.note("")
        self.field.placeholder = placeholder
        self.field.value = value
        self.field.cursor_position = len(value)
        self.add_class("-on")
        self.screen.set_focus(self.field)

    def note(self, text: str) -> None:
        """Something beside it, such as what could follow."""
        self.query_one("#prompt-note", Label).update(text)

    def leave(self) -> bool:
        """Close it; False where it was not open."""
        if not self.has_class("-on"):
            return False
        self.remove_class("-on")
        self.post_message(self.Left())
        return True

    def on_key(self, event: events.Key) -> None:
        if event.key == "tab":
            event.stop()
            event.prevent_default()
            self.post_message(self.Completing(self.kind, self.field.value))
        elif event.key in ("up", "down"):
            event.stop()
            before = self._given.get(self.kind, [])
            self._back = max(0, min(len(before), self._back + (1 if event.key == "up" else -1)))
            self.field.value = before[-self._back] if self._back else ""
            self.field.cursor_position = len(self.field.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        if text:
            self._given.setdefault(self.kind, []).append(text)
            self._back = 0
            self.post_message(self.Given(self.kind, text))
        if text and self.kind == "gdb":
            self.field.value = ""  # another one may follow
        else:
            self.leave()
