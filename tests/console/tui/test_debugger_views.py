"""The Debug and Memory views over a scripted board: keys, panels, prompts, the map, bytes."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from console.debug.view import DebugView, Phase
from console.pages.debug import why_line
from console.screens.debug import DebugScreen
from console.screens.memory import MemoryScreen
from console.widgets.hex_view import HexView
from console.widgets.prompt import Prompt
from console.widgets.source_view import SourceView
from console.widgets.table import Table
from tests.console.tui.scripted_debug import AT, PATH, TASK
from tests.console.tui.scripted_session import TestApp, settle


def text(pilot: Pilot[None]) -> str:
    """All that is on the screen."""
    screen = pilot.app.screen
    return "\n".join(
        "".join(segment.text for segment in strip) for strip in screen._compositor.render_strips()
    )


def toasts(pilot: Pilot[None]) -> list[str]:
    """What they say."""
    return [one.message for one in pilot.app._notifications]


async def debugging(pilot: Pilot[None]) -> DebugScreen:
    """Attached, and held in the guest."""
    app = pilot.app
    await settle(pilot)
    await pilot.press("5", "a")
    await settle(pilot, lambda: app.state.debug.phase is Phase.STOPPED)  # type: ignore[attr-defined]
    assert isinstance(app.screen, DebugScreen)
    return app.screen


async def test_a_held_board_shows_where_it_is() -> None:
    """Source with its marks, the reason, how long it is held; the cursor is there."""
    app = TestApp()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await debugging(pilot)
        assert app.backend.debugger.calls[0] == ("attach", "stm32f4@qemu")
        shown = text(pilot)
        assert f"breakpoint in smooth of {TASK}" in shown
        assert "held 12s" in shown
        assert "▶  13 │     sum += reading - *oldest;" in shown
        assert "●   11 │ static int32_t smooth" in shown.replace("● ", "● ")
        assert screen.source.location == (PATH, 13)
        assert "reading" in shown
        assert "→ 29400" in shown


@pytest.mark.parametrize(
    ("key", "call"),
    [
        ("o", ("go", "next", False)),
        ("i", ("go", "step", False)),
        ("f", ("go", "finish", False)),
        ("u", ("go", "until", False)),
        ("I", ("go", "stepi", False)),
        ("O", ("go", "nexti", False)),
        ("c", ("go", "continue", False)),
        ("f10", ("go", "next", False)),
        ("b", ("toggle", PATH, 13)),
        ("z", ("run_to", f"{PATH}:13")),
        ("K", ("select", 1)),
        ("T", ("stop_on_trap", False)),
        ("a", ("detach",)),
    ],
)
async def test_keys_are_what_the_debugger_does(key: str, call: tuple[object, ...]) -> None:
    """One key, one call."""
    app = TestApp()
    async with app.run_test() as pilot:
        await debugging(pilot)
        await pilot.press(key)
        await settle(pilot, lambda: call in app.backend.debugger.calls)


async def test_a_running_board_is_paused_by_the_same_key() -> None:
    """c runs, c pauses."""
    app = TestApp()
    async with app.run_test() as pilot:
        await debugging(pilot)
        await pilot.press("c")
        await settle(pilot, lambda: app.state.debug.phase is Phase.RUNNING)
        assert "running" in text(pilot)
        await pilot.press("c")
        await settle(pilot, lambda: ("pause",) in app.backend.debugger.calls)


async def test_backwards_says_why_not() -> None:
    """A toast, and no call."""
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await debugging(pilot)
        await pilot.press("U")
        await settle(pilot, lambda: any("cannot run backwards" in n.message for n in app._notifications))
        assert not any(call[0] == "go" for call in app.backend.debugger.calls)


@pytest.mark.parametrize(
    ("key", "typed", "call"),
    [
        ("B", "blink if n == 2", ("break_at", "blink if n == 2")),
        ("w", "sum", ("watch", "sum")),
        ("W", "sum", ("watchpoint", "sum")),
        ("equals_sign", "n = 41", ("assign", "n = 41")),
        ("m", "$sp", ("look_at", "$sp")),
        ("p", "usart1", ("peripheral", "USART1")),
        ("e", "main.c", ("open_source", "main.c")),
        ("greater_than_sign", "bt", ("command", "bt")),
    ],
)
async def test_what_is_typed_goes_where_it_belongs(key: str, typed: str, call: tuple[object, ...]) -> None:
    """Enter gives it; letters are text meanwhile; esc leaves the line and the keys come back."""
    app = TestApp()
    async with app.run_test() as pilot:
        screen = await debugging(pilot)
        await pilot.press(key)
        for char in typed:
            await pilot.press(
                {" ": "space", "$": "dollar_sign", "=": "equals_sign", ".": "full_stop"}.get(char, char)
            )
        await pilot.press("enter")
        await settle(pilot, lambda: call in app.backend.debugger.calls)
        await pilot.press("escape")
        assert not screen.query_one(Prompt).has_class("-on")
        assert screen.source.has_focus


async def test_enter_opens_a_variable_and_only_one_that_has_members() -> None:
    """The row's key goes to the debugger; = begins with the whole path."""
    app = TestApp()
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await debugging(pilot)
        assert "▾ window" in text(pilot)
        table = screen.query_one("#variables", Table)
        table.focus()
        table.select("reading")
        await pilot.press("enter")
        table.select("oldest")
        await pilot.press("enter")
        await settle(pilot, lambda: ("open_value", "oldest") in app.backend.debugger.calls)
        assert ("open_value", "reading") not in app.backend.debugger.calls
        table.select("window.count")
        await pilot.press("equals_sign")
        assert screen.query_one(Prompt).field.value == "window.count = "


async def test_bytes_are_told_by_their_types() -> None:
    """Where they are, what they are called, and which of them the cursor is in."""
    app = TestApp()
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await remembering(pilot)
        screen.show_bytes(0x20000400)
        await settle(pilot, lambda: bool(app.state.memory.fields))
        await pilot.press("right", "right", "right", "right", "right")
        await settle(pilot)
        shown = text(pilot)
        assert "mma_usage.next: struct mma_usage * = 0x20000418" in shown
        assert "▌20000404  mma_usage.next" in shown
        screen.show_bytes(AT)
        await settle(pilot, lambda: not app.state.memory.fields)
        await settle(pilot)
        assert not screen.query_one("#fields").display


@pytest.mark.parametrize("key", ["d", "x", "H"])
async def test_what_needs_a_breakpoint_says_so(key: str) -> None:
    """And what to do about it."""
    app = TestApp()
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await debugging(pilot)
        before = list(app.backend.debugger.calls)
        assert screen.source.location == (PATH, 13)
        await pilot.press(key)
        said = "There is no breakpoint at the cursor."
        await settle(pilot, lambda: any(said in toast for toast in toasts(pilot)))
        assert "Go to a line that has one" in toasts(pilot)[-1]
        assert app.backend.debugger.calls == before


async def test_hits_are_a_number() -> None:
    """Anything else is told, and nothing is asked."""
    app = TestApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await debugging(pilot)
        await pilot.press("up", "up", "H", *"many", "enter")
        await settle(pilot, lambda: any("'many' is no number of hits." in one for one in toasts(pilot)))
        assert not any(call[0] == "ignore" for call in app.backend.debugger.calls)
        await pilot.press("H", "3", "enter")
        await settle(pilot, lambda: ("ignore", "name:smooth", 3) in app.backend.debugger.calls)


async def test_a_place_without_code_is_told() -> None:
    """Where no source is shown, there is nothing to stop at."""
    app = TestApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("5")
        said = "There is no code at the cursor to stop at."
        for times, key in enumerate(("b", "z"), 1):
            await pilot.press(key)
            await settle(pilot, lambda times=times: sum(said in one for one in toasts(pilot)) == times)
        assert app.backend.debugger.calls == []


@pytest.mark.parametrize("cells", [60, 80, 120, 200])
def test_what_the_master_does_is_never_cut_off(cells: int) -> None:
    """The reason is, with an ellipsis."""
    view = DebugView(
        target="stm32f4@qemu",
        phase=Phase.STOPPED,
        sentence="breakpoint in a_function_with_a_long_name of an-executor-with-one-3f2a6b1e, hit 12",
        held_since=100.0,
        gives_up=90.0,
        on_trap=True,
    )
    shown = "".join(span.text for span in why_line(view, 112.0, cells))
    assert len(shown) <= cells
    assert "held 12s" in shown
    assert "in 78 s" in shown
    assert ("…" in shown) == (cells < 200)


async def test_tab_completes_in_the_console() -> None:
    """GDB's answer comes into the line."""
    app = TestApp()
    async with app.run_test() as pilot:
        screen = await debugging(pilot)
        await pilot.press("greater_than_sign", *"inf", "tab")
        await settle(pilot, lambda: screen.query_one(Prompt).field.value == "info registers")


async def test_panels_in_turn_and_at_every_size() -> None:
    """Narrow: one. Wide: variables, stack and registers stay. Each has something to say."""
    words = {
        "variables": "oldest",
        "stack": "main",
        "registers": "0x00001111",
        "code": "ldr",
        "breaks": "waits for an executor",
        "slots": "spin-77aa01fe",
        "peripherals": "RXNE=0",
        "memory": "$sp",
        "console": "info registers",
    }
    app = TestApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await debugging(pilot)
        for name, word in words.items():
            shown = text(pilot)
            assert word in shown, name
            await pilot.press("v")
            await settle(pilot)
        await pilot.resize_terminal(160, 48)
        await settle(pilot)
        shown = text(pilot)
        assert all(
            word in shown for word in ("oldest", "0x00001111", "filter.c:23", "the gateway answers pings")
        )


async def test_a_click_on_the_gutter_is_a_breakpoint() -> None:
    """Into the text it is only the cursor."""
    app = TestApp()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await debugging(pilot)
        source = screen.query_one("#source", SourceView)
        row = 13 - source.scroll_offset.y
        await pilot.click("#source", offset=(20, row))
        assert source.location == (PATH, 14)
        await pilot.click("#source", offset=(1, row))
        await settle(pilot, lambda: ("toggle", PATH, 14) in app.backend.debugger.calls)


async def test_fleet_opens_the_debugger_and_errors_are_toasts() -> None:
    """d on the board that is selected; the host has none."""
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("G", "d")
        await settle(pilot, lambda: any("no debug stub" in n.message for n in app._notifications))
        assert isinstance(app.screen, DebugScreen)


# -- memory


async def remembering(pilot: Pilot[None]) -> MemoryScreen:
    """The map is drawn."""
    app: Any = pilot.app
    await settle(pilot)
    await pilot.press("6")
    await settle(pilot, lambda: bool(app.state.memory.areas))
    assert isinstance(app.screen, MemoryScreen)
    return app.screen


async def test_the_map_and_what_is_in_it() -> None:
    """Bars, regions, their peaks; enter goes to symbols, then to bytes; esc back step by step."""
    app = TestApp()
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await remembering(pilot)
        shown = text(pilot)
        assert "116,576 free" in shown
        assert TASK[:8] in shown
        table = screen.query_one("#list", Table)
        table.select(next(row.key for row in table.rows if row.owner == TASK and row.name == "code"))
        await pilot.press("enter")
        await settle(pilot)
        assert [row.name for row in table.rows] == ["smooth", "main"]
        await pilot.press("enter")
        await settle(pilot, lambda: app.state.memory.bytes is not None)
        view = screen.query_one(HexView)
        assert view.address == AT
        assert f"{AT:08x}  smooth + 0x0" in text(pilot)
        await pilot.press("right", "right")
        assert view.address == AT + 2
        await pilot.press("escape")
        assert not screen.has_class("-bytes")
        await pilot.press("escape")
        await settle(pilot)
        assert len(table.rows) > 5


async def test_go_find_follow_and_write() -> None:
    """By name; the next place; a pointer; bytes only after a question."""
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await remembering(pilot)
        await pilot.press("m", *"smooth", "enter")
        await settle(pilot, lambda: app.state.memory.bytes is not None)
        view = screen.query_one(HexView)
        assert view.address == AT
        await pilot.press("f", *"4f4b", "enter")
        await settle(pilot, lambda: view.address == AT + 8)
        await pilot.press("e", *"0102", "enter")
        await settle(pilot)
        await pilot.press("y")
        await settle(pilot, lambda: app.backend.memory.written == [(AT + 8, b"\x01\x02")])
        await pilot.press("p")
        await settle(pilot, lambda: any("leads nowhere" in n.message for n in app._notifications))


async def test_only_what_grew() -> None:
    """d: beside the last build."""
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await remembering(pilot)
        await pilot.press("d")
        await settle(pilot)
        table = screen.query_one("#list", Table)
        assert [row.name for row in table.rows] == ["kernel/executor", "kernel/coap"]
        assert "+64" in text(pilot)
        assert "-14" in text(pilot)
