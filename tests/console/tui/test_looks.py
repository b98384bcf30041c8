"""What holds for every screen: light to import, readable, safe without colours."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from textual.color import Color
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.theme import Theme
from textual.widget import Widget

import console
from console.look.theme import OURS
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


@pytest.mark.parametrize("theme", OURS, ids=lambda theme: theme.name)
def test_every_text_can_be_read(theme: Theme) -> None:
    """Contrast of at least 4.5 to 1 on every background that text stands on (WCAG 2.1, 1.4.3)."""
    names = {
        name: getattr(theme, name)
        for name in ("foreground", "primary", "secondary", "success", "warning", "error")
    }
    texts = {**names, "dim": theme.variables["dim"], "strong": theme.variables["strong"]}
    grounds = {name: getattr(theme, name) for name in ("background", "surface")}
    grounds |= {name: theme.variables[name] for name in ("cursor", "cursor-idle", "bar")}
    poor = [
        f"{text} on {ground}"
        for text, colour in texts.items()
        for ground, under in grounds.items()
        if _contrast(Color.parse(colour), Color.parse(under)) < 4.5
    ]
    assert poor == []


def _contrast(one: Color, other: Color) -> float:
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: Color) -> float:
    parts = [part / 255 for part in (colour.r, colour.g, colour.b)]
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


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
