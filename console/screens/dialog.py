"""What the dialogs have in common: a box in the middle, esc leaves it."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from console.actions import Scope, bindings, borrowed
from console.pages.help import help_page
from console.widgets.page import Page

T = TypeVar("T")


class Dialog(ModalScreen[T]):
    """A modal box; its `box` is the Vertical in compose()."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Scope.DIALOG),
        *borrowed("app.jump", "app.picture", "app.theme"),
    ]

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog #box {
        width: 64; max-width: 100%; height: auto; max-height: 100%;
        background: $surface; border: round $primary; padding: 0 1;
        border-title-color: $tone-accent; border-title-style: bold;
        border-subtitle-color: $dim;
    }
    Dialog #buttons { height: 1; align-horizontal: right; margin-top: 1; }
    Dialog #buttons Button { margin-left: 2; min-width: 10; background: $panel; color: $tone-text; }
    Dialog #buttons Button.-primary { background: $primary; color: $on-primary; }
    Dialog #buttons Button.-error { background: $error; color: $on-error; }
    Dialog #buttons Button:focus { background: $tone-text; color: $background; text-style: bold; }
    Dialog #buttons Button:disabled { background: $panel; color: $dim; }
    """

    def action_dialog_close(self) -> None:
        self.dismiss(None)


class Confirm(Dialog[bool]):
    """A question before something that cannot be undone. What keeps things has the focus.

    What ends many things, or cannot be mended, asks for a name: with `typed`, only that text does it.
    """

    DEFAULT_CSS = """
    Confirm #typed, Confirm #typed:focus { height: 1; border: none; padding: 0 1; background: $field; }
    Confirm #typed { margin-top: 1; }
    """

    BINDINGS = bindings(Scope.CONFIRM)

    def __init__(self, title: str, question: str, *, yes: str, no: str, typed: str = "") -> None:
        super().__init__()
        self._typed = typed
        self._words = (title, question, yes, no)

    def compose(self) -> ComposeResult:
        title, question, yes, no = self._words
        with Vertical(id="box") as box:
            box.border_title = title
            box.border_subtitle = "esc does not" if self._typed else "y does it · n or esc does not"
            yield Static(question, markup=False)
            if self._typed:
                yield Input(placeholder=f"type {self._typed}", id="typed", compact=True)
            with Horizontal(id="buttons"):
                yield Button(no, id="no", compact=True)
                yield Button(yes, id="yes", variant="error", compact=True, disabled=bool(self._typed))

    def on_mount(self) -> None:
        self.set_focus(self.query_one("#typed" if self._typed else "#no"))

    @property
    def _meant(self) -> bool:
        return not self._typed or self.query_one("#typed", Input).value.strip() == self._typed

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#yes", Button).disabled = not self._meant

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if self._meant:
            self.dismiss(True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_confirm_yes(self) -> None:
        if self._meant:
            self.dismiss(True)

    def action_confirm_no(self) -> None:
        self.dismiss(False)

    def action_dialog_close(self) -> None:
        self.dismiss(False)


class Help(Dialog[None]):
    """All keys, from the registry."""

    DEFAULT_CSS = """
    Help #box { width: 92; height: 90%; }
    Help Page { background: $surface; height: 1fr; }
    """

    def __init__(self, overrides: dict[str, str]) -> None:
        super().__init__()
        self._overrides = overrides

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Help"
            box.border_subtitle = "esc closes"
            yield Page(lambda width: help_page(width, self._overrides), widget_id="help")

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Page))
