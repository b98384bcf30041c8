"""The fault dialog: one line of words, done to a board."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from console.ci.inflict import parse_words
from console.errors import ConsoleError
from console.screens.dialog import Dialog

_WORDS = """\
link cut · link good · link drop=0.01 flip=0.01 duplicate=0.01 delay=0.05
power_cut 0.5   RAM is lost; back after that many seconds
reset           as a brown-out: RAM stays
pin 4 high      a stuck input; sensor temp0 41.5
drift 0.1       its clock loses a tenth; drift 0 is right
wear 8          so many cells of the flash read as erased\
"""


class FaultDialog(Dialog[str]):
    """Gives the words, checked; esc gives None."""

    DEFAULT_CSS = """
    FaultDialog #box { width: 78; }
    FaultDialog Input, FaultDialog Input:focus { height: 1; border: none; padding: 0; background: $field; }
    FaultDialog #words { color: $dim; margin-top: 1; }
    FaultDialog #wrong { color: $tone-bad; }
    """

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = f"A fault on {self._target}"
            box.border_subtitle = "enter does it · esc does not"
            yield Input(id="fault", compact=True, placeholder="link cut")
            yield Static("", id="wrong", markup=False)
            yield Static(_WORDS, id="words", markup=False)

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Input))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        if not text:
            return
        try:
            parse_words(text)
        except ConsoleError as error:
            self.query_one("#wrong", Static).update(str(error))
            return
        self.dismiss(text)
