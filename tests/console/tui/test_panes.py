"""Borders that move, jump mode, copying, and questions that want a name."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import MouseDown, MouseMove, MouseUp
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Button

from console.saved import Store
from console.screens.dialog import Confirm
from console.screens.jump import Jump
from console.screens.view import View
from console.widgets.log_view import LogView
from tests.console.tui.scripted_session import TestApp, settle


def view(pilot: Pilot[None]) -> View:
    """The view that is in front."""
    screen = pilot.app.screen
    assert isinstance(screen, View)
    return screen


async def drag(pilot: Pilot[None], start: Offset, end: Offset) -> None:
    """Press, move, let go, as a terminal tells it."""
    for kind, at in ((MouseDown, start), (MouseMove, start), (MouseMove, end), (MouseUp, end)):
        pilot.app.screen._forward_event(
            kind(None, at.x, at.y, 0, 0, 1, False, False, False, screen_x=at.x, screen_y=at.y)
        )
        await pilot.pause()


def size(pilot: Pilot[None], selector: str) -> tuple[int, int]:
    """Of a widget with its border."""
    widget: Widget = pilot.app.screen.query_one(selector)
    return widget.outer_size.width, widget.outer_size.height


async def test_keys_move_the_border_and_the_next_session_has_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "fleet.json")
    app = TestApp([], keep=store.write)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        before = size(pilot, "#detail")
        await pilot.press("ctrl+left", "ctrl+left")
        await settle(pilot)
        wider = size(pilot, "#detail")
        assert 7 <= wider[0] - before[0] <= 9
        await pilot.press("ctrl+down")
        await settle(pilot)
        await pilot.press("q")
        await pilot.pause(0.3)
    again = TestApp(saved=store.read())
    async with again.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await settle(pilot, lambda: size(pilot, "#detail") == wider)


@pytest.mark.parametrize("terminal", [(80, 24), (120, 40)])
async def test_the_mouse_drags_a_border_and_marks_nothing(terminal: tuple[int, int]) -> None:
    """Side by side on a wide screen, one above the other on a narrow one."""
    app = TestApp()
    async with app.run_test(size=terminal) as pilot:
        await settle(pilot)
        detail = view(pilot).query_one("#detail")
        start = detail.region.offset + Offset(3 if terminal[0] < 110 else 0, 0)
        end = start + (Offset(0, -5) if terminal[0] < 110 else Offset(-10, 0))
        await drag(pilot, start, end)
        await settle(pilot)
        assert (detail.region.x, detail.region.y) in ((end.x, 3), (0, end.y))
        assert app.mouse_captured is None


async def test_a_layout_of_another_size_is_left_alone() -> None:
    """The share of the wide layout is not that of the narrow one."""
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+left")
        await settle(pilot)
        wide = size(pilot, "#detail")
        await pilot.resize_terminal(80, 24)
        await settle(pilot, lambda: size(pilot, "#detail")[0] == 80)
        await pilot.resize_terminal(120, 40)
        await settle(pilot, lambda: size(pilot, "#detail") == wide)


async def test_jump_goes_where_the_letter_is() -> None:
    """To a widget of the view, to a field of a dialog, to another view."""
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+o")
        assert isinstance(app.screen, Jump)
        await pilot.press("s")
        assert view(pilot).query_one("#detail").has_focus
        await pilot.press("ctrl+o", "escape")
        assert view(pilot).query_one("#detail").has_focus
        await pilot.press("ctrl+o", "3")
        assert view(pilot).NAME == "tasks"
        await pilot.press("n")
        await settle(pilot)
        await pilot.press("ctrl+o")
        assert isinstance(app.screen, Jump)
        await pilot.press("s")
        assert app.screen.focused is not None
        assert app.screen.focused.id == "arguments"


async def test_copy_takes_the_row_and_the_marked_lines() -> None:
    """A toast says what."""
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("3", "j", "y")
        assert app.clipboard.startswith("spin-77aa01fe")
        assert "stm32f4@qemu" in app.clipboard
        await pilot.press("4")
        await settle(pilot)
        lines = view(pilot).query_one("#lines", LogView)
        await pilot.press("y")
        assert app.clipboard.count("\n") == min(lines.size.height, lines.count[0]) - 1
        at = lines.region.offset
        await drag(pilot, at + Offset(5, 2), at + Offset(9, 4))
        await pilot.press("y")
        copied = app.clipboard.splitlines()
        assert len(copied) == 3
        assert copied[0] == "".join(span.text for span in lines.line(2 + lines.scroll_offset.y)).strip()
        assert any("Copied" in notice.message for notice in app._notifications)


async def test_killing_all_wants_the_name() -> None:
    """y does not do it; the name does."""
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("x")
        assert isinstance(app.screen, Confirm)
        assert app.screen.query_one("#yes", Button).disabled
        await pilot.press("y", "enter")
        assert isinstance(app.screen, Confirm)
        await pilot.press("backspace", *"stm32f4@qem", "enter")
        assert isinstance(app.screen, Confirm)
        await pilot.press("u", "enter")
        await settle(pilot, lambda: len(app.backend.killed) == 2)
        assert isinstance(app.screen, View)
        await pilot.press("end", "x")
        await settle(pilot)
        assert isinstance(app.screen, View)  # nothing runs there
