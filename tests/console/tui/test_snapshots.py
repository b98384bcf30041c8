"""How every screen looks, small and large, dark and light: `make snapshots` draws them anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from console.errors import EnvironmentMissing
from console.screens.clone import Clone
from console.screens.edit import EditScreen
from console.widgets.edit_text import EditText
from tests.console.tui.scripted_edit import BROKEN, files
from tests.console.tui.scripted_session import TestApp, failing, settle

Compare = Callable[..., bool]

SIZES = [pytest.param((80, 24), id="80x24"), pytest.param((120, 40), id="120x40")]
THEMES = [pytest.param("mma-dark", id="dark"), pytest.param("mma-light", id="light")]
VIEWS = [
    pytest.param(key, id=name)
    for key, name in zip("123456", ("fleet", "offers", "tasks", "logs", "debug", "memory"), strict=True)
]


def after(
    *keys: str, done: Callable[[Any], bool] = lambda app: True
) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Wait for the script, press keys, and wait for what they lead to."""

    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
        await settle(pilot, lambda: done(pilot.app))
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False

    return run


def planned(app: TestApp) -> bool:
    """The launch dialog has its verdict."""
    return not app.screen.query_one("#launch", Button).disabled


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("key", VIEWS)
def test_view(snap_compare: Compare, key: str, size: tuple[int, int], theme: str) -> None:
    """The views over the scripted session."""
    assert snap_compare(TestApp(theme=theme), terminal_size=size, run_before=after(key))


@pytest.mark.parametrize("key", [VIEWS[1], VIEWS[3]])
def test_wide_view(snap_compare: Compare, key: str) -> None:
    """Those whose columns gain most by a large screen."""
    assert snap_compare(TestApp(), terminal_size=(200, 50), run_before=after(key))


@pytest.mark.parametrize("keys", [pytest.param(("1",), id="fleet"), pytest.param(("3", "G"), id="tasks")])
def test_held_elsewhere(snap_compare: Compare, keys: tuple[str, ...]) -> None:
    """What the fleet and the tasks say of a board that the debugger holds."""
    done = after("5", "a", *keys, done=lambda app: app.state.debug.serial > 0)
    assert snap_compare(TestApp(), terminal_size=(120, 40), run_before=done)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", [*SIZES, pytest.param((200, 50), id="200x50")])
def test_held(snap_compare: Compare, size: tuple[int, int], theme: str) -> None:
    """A board that is held in a guest's source."""
    done = after("5", "a", done=lambda app: app.state.debug.serial > 0)
    assert snap_compare(TestApp(theme=theme), terminal_size=size, run_before=done)


@pytest.mark.parametrize("panel", range(1, 9))
def test_panel(snap_compare: Compare, panel: int) -> None:
    """Each panel below the source on a small screen."""
    keys = ("5", "a", *"v" * panel)
    assert snap_compare(TestApp(), run_before=after(*keys, done=lambda app: app.state.debug.serial > 0))


@pytest.mark.parametrize("size", SIZES)
def test_bytes(snap_compare: Compare, size: tuple[int, int]) -> None:
    """The bytes of a region beside or below the map."""
    keys = ("6", "j", "x")
    done = after(*keys, done=lambda app: app.state.memory.bytes is not None)
    assert snap_compare(TestApp(), terminal_size=size, run_before=done)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
def test_launch(
    snap_compare: Compare, size: tuple[int, int], theme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launch dialog with a module chosen: what fits where."""
    monkeypatch.chdir(tmp_path)
    keys = ("n", *"spin")
    assert snap_compare(TestApp(theme=theme), terminal_size=size, run_before=after(*keys, done=planned))


@pytest.mark.parametrize("size", [SIZES[0], pytest.param((200, 50), id="200x50")])
def test_clone(snap_compare: Compare, size: tuple[int, int]) -> None:
    """The same on another target: where it fits, to the byte."""
    done = after("3", "j", "c", done=lambda app: isinstance(app.screen, Clone) and planned(app))
    assert snap_compare(TestApp(), terminal_size=size, run_before=done)


@pytest.mark.parametrize("size", SIZES)
def test_help(snap_compare: Compare, size: tuple[int, int]) -> None:
    """All keys."""
    assert snap_compare(TestApp(), terminal_size=size, run_before=after("?"))


def test_kill_asks(snap_compare: Compare) -> None:
    """The question before a kill."""
    assert snap_compare(TestApp(), run_before=after("3", "j", "x"))


def test_killing_all_asks_for_the_name(snap_compare: Compare) -> None:
    """Only the target's name does it."""
    assert snap_compare(TestApp(), run_before=after("x"))


@pytest.mark.parametrize("size", [*SIZES, pytest.param((200, 50), id="200x50")])
def test_jump(snap_compare: Compare, size: tuple[int, int]) -> None:
    """A letter on everything that can have the focus."""
    assert snap_compare(TestApp(), terminal_size=size, run_before=after("3", "ctrl+o"))


def test_detail_takes_the_whole_height(snap_compare: Compare) -> None:
    """Enter on a narrow screen."""
    assert snap_compare(TestApp(), run_before=after("3", "j", "j", "enter"))


def test_filter(snap_compare: Compare) -> None:
    """While it is typed."""
    assert snap_compare(TestApp(), run_before=after("3", "/", *"fib"))


def test_wide(snap_compare: Compare) -> None:
    """A large terminal."""
    assert snap_compare(TestApp(), terminal_size=(200, 50), run_before=after("3", "j"))


def test_no_targets(snap_compare: Compare) -> None:
    """An empty fleet says what to do."""
    assert snap_compare(TestApp([], targets=()), run_before=after())


def test_failed(snap_compare: Compare) -> None:
    """A session that does not come up says why, and what to do."""
    error = EnvironmentMissing(
        "The Mesos master needs x86-64.", remedy="Name another with --master HOST:PORT."
    )
    assert snap_compare(TestApp(backend=failing(error)), run_before=after("2"))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", [SIZES[0], pytest.param((200, 50), id="200x50")])
@pytest.mark.parametrize("state", ["broken", "running", "files"])
def test_edit(
    snap_compare: Compare,
    state: str,
    size: tuple[int, int],
    theme: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The editor: what does not compile, what runs anew, and the files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    monkeypatch.setattr("hal.firmware.files", lambda: ())
    source = files(tmp_path)
    if state == "broken":
        source.write_text(BROKEN)
    keys = {"broken": ("enter", "ctrl+s", "f8", "f8"), "running": ("enter", "ctrl+s"), "files": ()}[state]

    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await pilot.press("7")
        screen = pilot.app.screen
        assert isinstance(screen, EditScreen)
        await settle(pilot, lambda: screen.files.count[0] > 3)
        for key in keys:
            await pilot.press(key)
            await settle(pilot, lambda: screen.text is not None and screen.text.has_focus)
        await settle(pilot, lambda: state == "files" or screen.build is not None)
        for text in screen.query(EditText):
            text.cursor_blink = False

    assert snap_compare(TestApp(theme=theme), terminal_size=size, run_before=run)
