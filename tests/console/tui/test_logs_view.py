"""Reading logs: CoAP between the lines, searching, the board's clock, saving."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.look.spans import Tone, plain
from console.screens.logs import LogsScreen
from console.state.events import ClockRead, Event, FromTarget, LinkSaid, TargetUp
from console.state.loglines import Origin
from console.widgets.log_view import LogView
from hal.target import Diagnostic
from tests.console.tui.scripted_session import NOW, TestApp, settle, stm32

BOARD = "stm32f4@qemu"


def said(count: int) -> list[tuple[float, Event]]:
    """A board that counts; every tenth line is a message of the link."""
    events: list[tuple[float, Event]] = [(NOW - 99, TargetUp(BOARD, stm32(BOARD)))]
    for number in range(count):
        text = f"line {number:04} of {count}"
        event: Event = FromTarget(BOARD, Diagnostic(text))
        if number % 10 == 9:
            event = LinkSaid(BOARD, "", f"> CON {number:04x} GET /s")
        events.append((NOW - 90 + number / 100, event))
    return events


async def logs(pilot: Pilot[None]) -> tuple[LogsScreen, LogView]:
    """The view, with everything that was said in it."""
    await settle(pilot)
    await pilot.press("4")
    await settle(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, LogsScreen)
    return screen, screen.lines


def texts(view: LogView) -> list[str]:
    """What is shown, all of it."""
    return [line.text for line in view.lines()]


def lit(view: LogView) -> list[str]:
    """What is lit in the lines of the window."""
    top = view.scroll_offset.y
    spans = [span for y in range(view.size.height) for span in view.line(top + y)]
    return [span.text for span in spans if span.tone is Tone.MARK]


async def test_coap_comes_between_the_lines() -> None:
    """By a key, in order, and goes again."""
    app = TestApp(said(100))
    async with app.run_test(size=(120, 30)) as pilot:
        _, view = await logs(pilot)
        assert not any("GET /s" in text for text in texts(view))
        await pilot.press("c")
        await settle(pilot)
        assert [text for text in texts(view) if "/s" in text or "0008" in text][:2] == [
            "line 0008 of 100",
            "> CON 0009 GET /s",
        ]
        await pilot.press("c")
        await settle(pilot)
        assert not any("GET /s" in text for text in texts(view))


async def test_a_search_goes_on_and_back_and_round() -> None:
    """It leads to lines, lights what was found, and esc forgets it."""
    app = TestApp(said(400))
    async with app.run_test(size=(120, 30)) as pilot:
        screen, view = await logs(pilot)

        def found() -> str:
            """The line that stands out."""
            return next(text for number, text in enumerated if number == view._match)

        enumerated = [(number, line.text) for number, line, _ in view._shown]
        await pilot.press("F", *"e 01", "enter")
        await settle(pilot)
        assert not view.following
        assert (found(), set(lit(view))) == ("line 0198 of 400", {"e 01"})
        await pilot.press("P")
        assert found() == "line 0197 of 400"
        await pilot.press("N", "N")
        assert found() == "line 0100 of 400"  # round
        await pilot.press("P")
        assert found() == "line 0198 of 400"
        assert "“e 01”" in plain(screen.note())
        await pilot.press("escape")
        await settle(pilot)
        assert lit(view) == []
        await pilot.press("F", *"nowhere", "enter")
        await settle(pilot, lambda: any("No line here" in str(n.message) for n in app._notifications))


def saved(folder: Path) -> list[str]:
    """The lines of what was saved."""
    return [line for file in folder.glob("mma-logs-*.txt") for line in file.read_text().splitlines()]


async def test_the_boards_clock_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both clocks are shown and saved."""
    monkeypatch.chdir(tmp_path)
    events = [
        *said(20),
        (NOW - 50, ClockRead(BOARD, 12.5)),
        (NOW - 49, FromTarget(BOARD, Diagnostic("late"))),
    ]
    app = TestApp(events)
    async with app.run_test(size=(150, 30)) as pilot:
        _, view = await logs(pilot)
        last = view.count[0] - 1
        assert plain(view.line(last)).split() == ["11:59:11.000", BOARD, "late"]
        await pilot.press("v")
        assert plain(view.line(last)).split() == ["13.500", "s", BOARD, "late"]
        await pilot.press("v")
        assert plain(view.line(last)).split() == ["11:59:11.000", "13.500", "s", BOARD, "late"]
        await pilot.press("W")
        await settle(pilot, lambda: len(saved(tmp_path)) == view.count[0])
        assert saved(tmp_path)[-1] == f"11:59:11.000     13.500 s  {BOARD}  device  late"


async def test_lines_that_come_do_not_lay_the_screen_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the scrollbar's coming does; else every line would cost what a resize costs."""
    app = TestApp(said(200))
    async with app.run_test(size=(100, 30)) as pilot:
        screen, view = await logs(pilot)
        laid_out: list[object] = []
        whole = type(screen)._refresh_layout
        monkeypatch.setattr(
            LogsScreen, "_refresh_layout", lambda *given, **more: (laid_out.append(1), whole(*given, **more))
        )
        before = view.max_scroll_y
        for number in range(20):
            app.state.logs.say(BOARD, BOARD, Origin.LINK, f"more {number}", NOW)
            screen.redraw()
            await pilot.pause()
        assert view.max_scroll_y == before + 20
        assert view.scroll_offset.y == view.max_scroll_y == view.vertical_scrollbar.position
        assert not laid_out
