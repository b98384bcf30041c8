"""Jump mode: a letter on everything that can have the focus; the letter goes there."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Label, Static

from console.actions import Scope, bindings

LETTERS = "asdfghjklqwertyuiopzxcvbnm"


class Jump(ModalScreen[Widget]):
    """Over a screen; gives the widget that was chosen, or None."""

    BINDINGS = bindings(Scope.DIALOG)

    DEFAULT_CSS = """
    Jump { background: $background 70%; }
    Jump .jump { position: absolute; width: 3; height: 1; background: $primary; color: $on-primary;
                 text-style: bold; text-align: center; }
    Jump #jump-help { dock: bottom; height: 1; background: $bar; color: $tone-text; padding: 0 1; }
    """

    def __init__(self, places: Sequence[Widget]) -> None:
        super().__init__()
        self._places = dict(zip(LETTERS, places, strict=False))

    def compose(self) -> ComposeResult:
        for letter, widget in self._places.items():
            label = Label(letter.upper(), classes="jump", id=f"jump-{letter}")
            label.styles.offset = (widget.region.x, widget.region.y)
            yield label
        yield Static("a letter jumps there · a digit to that view · esc stays", id="jump-help", markup=False)

    def on_key(self, event: events.Key) -> None:
        """A letter, or the digit of a view."""
        event.stop()
        if event.character and event.character.isdecimal():
            from console.views import VIEWS

            names = [one.name for one in VIEWS if one.key == event.character]
            self.dismiss(None)
            if names:
                self.app.switch_mode(names[0])
        else:
            self.dismiss(self._places.get((event.character or "").lower()))

    def on_click(self, event: events.Click) -> None:
        """A label, or anywhere to leave."""
        widget, _ = self.get_widget_at(*event.screen_offset)
        name = widget.id or ""
        self.dismiss(self._places.get(name.removeprefix("jump-")) if name.startswith("jump-") else None)

    def action_dialog_close(self) -> None:
        self.dismiss(None)
