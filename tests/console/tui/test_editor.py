"""The Edit view over scripted saves: open, edit, save, problems in place, find, the disk, unsaved edits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from console.debug.view import Phase
from console.edit.files import sources
from console.saved import Saved
from console.screens.dialog import Confirm
from console.screens.edit import EditScreen
from console.screens.launch import Launch
from console.widgets.edit_text import EditText, extent
from hal.problems import Problem
from tests.console.tui.scripted_edit import BLINKY, BROKEN, failed, files
from tests.console.tui.scripted_session import TestApp, settle


def shown(pilot: Pilot[None]) -> str:
    """All that is on the screen."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def read(path: Path) -> str:
    """What is on disk."""
    return path.read_text()


def write(path: Path, text: str) -> None:
    """As another program would."""
    path.write_text(text)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with sources, to begin in; its C file."""
    monkeypatch.chdir(tmp_path)
    return files(tmp_path)


async def editing(pilot: Pilot[None], *keys: str) -> tuple[EditScreen, EditText]:
    """The Edit view with the first file open, after some keys in it."""
    await settle(pilot)
    await pilot.press("7")
    screen = pilot.app.screen
    assert isinstance(screen, EditScreen)
    await settle(pilot, lambda: screen.files.count[0] > 3)
    await pilot.press("enter")
    await settle(pilot, lambda: screen.text is not None and screen.text.has_focus)
    await pilot.press(*keys)
    await settle(pilot)
    text = screen.text
    assert text is not None
    return screen, text


def test_own_sources_come_first_then_examples_then_the_kernel(source: Path) -> None:
    found = sources(source.parent)
    assert [one.label for one in found[:3]] == ["blinky.c", "hello.zig", "tick.wat"]
    kinds = [one.kind for one in found]
    assert kinds == sorted(kinds, key=("here", "example", "firmware").index)
    assert {"fib.c", "kernel/executor.c"} <= {one.label for one in found}


async def test_a_save_writes_builds_and_says_how_long_it_took(source: Path) -> None:
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        screen, _ = await editing(pilot, "X")
        assert "● unsaved" in shown(pilot)
        assert "1 unsaved" in shown(pilot)
        await pilot.press("ctrl+s")
        await settle(pilot, lambda: screen.build is not None)
        assert read(source) == "X" + BLINKY
        assert app.backend.editor.saved_texts == ["X" + BLINKY]
        assert "✓ TASK_RUNNING 0.48 s" in shown(pilot)
        assert "build 110 · fit 190 · kill 30 · offer 10 · start 140 ms" in shown(pilot)
        assert "unsaved" not in shown(pilot)


async def test_problems_are_in_place_and_in_a_list(source: Path) -> None:
    """F8 goes round them; esc and enter go from the text to the list of files and back."""
    write(source, BROKEN)
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        screen, text = await editing(pilot, "ctrl+s")
        await settle(pilot, lambda: screen.build is not None and screen.build.failed)
        assert "✗ 1 error" in shown(pilot)
        (line,) = (one for one in shown(pilot).splitlines() if "mma_gpio_write" in one)
        assert "12✗ " in line
        assert line.rstrip().endswith("use of undeclared identifier 'nn'")
        places = []
        for key in ("f8", "f8", "f8", "shift+f8"):
            await pilot.press(key)
            await settle(pilot)
            places.append(text.cursor_location)
        assert places == [(5, 22), (11, 28), (5, 22), (11, 28)]
        await pilot.press("escape")
        assert screen.files.has_focus
        await pilot.press("f2")
        assert text.has_focus


def test_what_a_problem_underlines() -> None:
    text = "    return nothing + 1;"
    assert extent(text, Problem("a.c", 1, 12, "error", "x")) == (11, 18)
    assert extent(text, Problem("a.c", 1, 12, "error", "x", 23)) == (11, 22)
    assert extent("", Problem("a.c", 1, 9, "error", "x")) == (0, 1)


async def test_new_lines_are_indented_and_edits_undone(source: Path) -> None:
    app = TestApp()
    async with app.run_test() as pilot:
        _, text = await editing(pilot, *["down"] * 7, "end", "enter", "x")
        assert text.document.get_line(8) == "    x"
        await pilot.press("enter", "y")
        assert text.document.get_line(9) == "    y"
        await pilot.press("ctrl+z", "ctrl+z", "ctrl+z", "ctrl+z", "ctrl+z")
        assert text.text == BLINKY


async def test_find_and_go_to_a_line(source: Path) -> None:
    app = TestApp()
    async with app.run_test() as pilot:
        screen, text = await editing(pilot, "ctrl+f", *"LEVEL", "enter")
        await settle(pilot, lambda: text.has_focus)
        assert text.cursor_location == (12, 18)
        await pilot.press("ctrl+g", *"4", "enter")
        await settle(pilot, lambda: text.has_focus and screen.focused is text)
        assert text.cursor_location[0] == 3


async def test_what_others_write_is_taken_over_or_asked_about(source: Path) -> None:
    """Without edits at once; with edits a save asks first."""
    app = TestApp()
    async with app.run_test() as pilot:
        screen, text = await editing(pilot)
        write(source, "// other\n" + BLINKY)
        await settle(pilot, lambda: text.text.startswith("// other"))
        await pilot.press("X")
        write(source, "// third\n" + BLINKY)
        os.utime(source, ns=(1, 1))
        screen.redraw()
        assert "changed on disk" in shown(pilot)
        await pilot.press("ctrl+s")
        await settle(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("n")
        assert read(source).startswith("// third")
        await pilot.press("ctrl+s")
        await settle(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await settle(pilot, lambda: "other" in read(source))


async def test_quitting_asks_for_what_is_not_saved(source: Path) -> None:
    app = TestApp([], targets=())
    async with app.run_test() as pilot:
        await editing(pilot, "X", "ctrl+q")
        await settle(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Edits of blinky.c are not saved" in shown(pilot)
        await pilot.press("n")
        assert not isinstance(app.screen, Confirm)


async def test_run_opens_the_launch_dialog_with_the_file(source: Path) -> None:
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await editing(pilot, "f5")
        await settle(pilot, lambda: isinstance(app.screen, Launch))
        assert app.screen.query_one("#module", Input).value == str(source)


async def test_a_new_executor_is_begun_and_opened(source: Path) -> None:
    app = TestApp()
    async with app.run_test() as pilot:
        screen, _ = await editing(pilot, "ctrl+n", *"mine", "space", *"zig", "space", *"rule", "enter")
        await settle(pilot, lambda: screen.text is not None and "fn tick" in screen.text.text)
        assert screen.text is not None
        assert screen.text.text == read(source.parent / "mine" / "mine.zig")


async def test_the_debuggers_source_is_edited_there(source: Path) -> None:
    """E in the Debug view; its breakpoints are in the gutter."""
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await editing(pilot)
        await pilot.press("escape", "5", "a")
        await settle(pilot, lambda: app.state.debug.phase is Phase.STOPPED)
        await pilot.press("E")
        await settle(pilot, lambda: isinstance(app.screen, EditScreen))
        # The scripted source is on no disk.
        await settle(
            pilot, lambda: any("filter.c cannot be read" in one.message for one in app._notifications)
        )
        await pilot.press("f2", "f9")
        await settle(pilot, lambda: ("toggle", str(source), 1) in app.backend.debugger.calls)


async def test_a_readonly_console_edits_nothing(source: Path) -> None:
    app = TestApp(readonly=True)
    async with app.run_test() as pilot:
        _, text = await editing(pilot, "X", "ctrl+s")
        assert text.text == BLINKY
        assert app.backend.editor.saved_texts == []
        assert read(source) == BLINKY


def test_the_scripted_problems_are_where_the_text_has_them(tmp_path: Path) -> None:
    """Else the tests above would show nothing."""
    lines = BROKEN.splitlines()
    for problem in failed(tmp_path / "blinky.c").problems:
        assert lines[problem.line - 1][problem.column - 1 : problem.end - 1] in ("nn", "half")


async def test_open_files_are_open_again_in_the_next_session(source: Path) -> None:
    """At their places; the list has the focus, and one that is gone is left out."""
    other = source.with_name("other.c")
    write(other, "int a;\nint b;\n")
    gone = source.with_name("gone.c")
    write(gone, "int c;\n")
    kept: list[Saved] = []
    async with TestApp(keep=kept.append).run_test() as pilot:
        screen, _ = await editing(pilot)
        await screen.open(gone)
        await screen.open(other, 2, 3)
        await settle(pilot, lambda: screen.text is not None and screen.text.cursor_location == (1, 2))
        await pilot.press("escape", "q")  # from the text to the list
        await settle(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await pilot.pause(0.3)
    os.unlink(gone)
    async with TestApp(saved=kept[-1]).run_test() as pilot:
        await settle(pilot)
        await pilot.press("7")
        screen = pilot.app.screen
        assert isinstance(screen, EditScreen)
        await settle(pilot, lambda: screen.text is not None and screen.text.cursor_location == (1, 2))
        assert sorted(path.name for path in screen._texts) == sorted([source.name, "other.c"])
        assert screen.files.has_focus
