"""What holds for every screen: light to import, readable, safe without colours."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.style import Style
from textual.color import Color
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.widget import Widget
from textual.widgets import Button

import console
from console.look.theme import READABLE, contrast, names
from tests.console.tui.scripted_session import TestApp, settle

HEAVY = (
    "aiohttp",
    "google.protobuf",
    "wasmtime",
    "aiocoap",
    "cbor2",
    "elftools",
    "agent",
    "emulation",
    "hal.aot",
    "hal.link",
)


def test_the_first_frame_needs_nothing_heavy() -> None:
    """The session's libraries are imported after it."""
    code = f"import sys, console.app; print(*[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


WHERE = {
    **{f"view {key}": (key,) for key in "1234567"},
    "help": ("1", "question_mark"),
    "a launch": ("n", "s", "p", "i", "n"),
    "a fault": ("f",),
    "the palette": ("colon",),
    "a jump": ("ctrl+o",),
}
"""The keys to each view and kind of dialog."""

FEW = ("view 1", "view 3", "a launch", "the palette")
"""Between them all tones, grounds and widgets."""


async def test_every_text_can_be_read() -> None:
    """In each view and dialog and in every theme that has colours of its own, on whatever it stands."""
    app = TestApp()
    poor: dict[tuple[str, str], str] = {}

    def look(where: str) -> None:
        modal = isinstance(app.screen, ModalScreen)  # what is beside its box is faded by intent
        boxes = app.screen.query("#box, .jump, #--input, CommandList") if modal else [app.screen]
        for x, y, width, height in (box.region for box in boxes):
            for strip in app.screen._compositor.render_strips()[y : y + height]:
                for segment in strip.crop(x, x + width):
                    judge(segment.text.strip(), segment.style, where)

    def judge(words: str, style: Style | None, where: str) -> None:
        if style is None or style.color is None or style.bgcolor is None:
            return
        ink, ground = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
        # bars and rules only adorn a figure beside them
        if any(map(str.isalnum, words)) and contrast(ink, ground) < READABLE:
            poor[app.theme, f"{ink.hex} on {ground.hex}"] = f"{where}: {words}"

    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.notify("Something is to be known.", severity="error")
        for theme in (name for name in names() if not name.startswith("ansi")):
            app.theme = theme
            whole = theme.startswith(
                ("mma", "solarized")
            )  # ours, and those with the least between their ends
            for what in WHERE if whole else FEW:
                keys = WHERE[what]
                await pilot.press(*keys)
                await pilot.pause()
                if what == "a launch":
                    await settle(pilot, lambda: not app.screen.query_one("#launch", Button).disabled)
                look(what)
                if isinstance(app.screen, ModalScreen):
                    await pilot.press("escape")
    assert not poor, json.dumps([[*k, v] for k, v in poor.items()], indent=0)


async def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only greys are drawn, and the cursor is still to be seen."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        picture = app.export_screenshot()
        assert "▌" in picture
        styles = app.screen._compositor.render_strips()
        for strip in styles:
            for segment in strip.apply_filter(app._filters[-1], Color(0, 0, 0)):
                if segment.style is not None and segment.style.color is not None:
                    triplet = segment.style.color.get_truecolor()
                    assert triplet.red == triplet.green == triplet.blue


async def test_no_attribute_of_ours_hides_one_of_textual() -> None:
    """A screen's `_closed`, say, is Textual's own."""
    app = TestApp([])
    async with app.run_test() as pilot:
        await settle(pilot)
        theirs = {name for thing in (ModalScreen(), ScrollView(), Widget()) for name in vars(thing)}
    for path in (Path(console.__file__).parent).glob("[sw]*s/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and node.attr.startswith("_")
            ):
                assert node.attr not in theirs, f"{path.name}:{node.lineno} {node.attr}"


@pytest.mark.parametrize("size", [(40, 10), (60, 15), (80, 24), (109, 27), (110, 28), (300, 80)])
async def test_every_size_is_drawn(size: tuple[int, int]) -> None:
    """Small ones too, with every view, the dialogs and a change of size."""
    app = TestApp()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for key in "1234":
            await pilot.press(key)
            await settle(pilot)
        await pilot.press("w", "n", "escape", "?", "escape")
        await pilot.resize_terminal(size[0] + 7, size[1] + 3)
        await settle(pilot)
        app.export_screenshot()
