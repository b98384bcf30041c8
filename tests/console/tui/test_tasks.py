"""Launching and killing: what is asked of the backend, and what is refused before."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from console.cluster.mesos import mem_scalar
from console.errors import EnvironmentMissing, MasterError
from console.screens.dialog import Confirm
from console.screens.fault import FaultDialog
from console.screens.launch import Launch
from console.screens.offers import OffersScreen
from console.screens.tasks import TasksScreen
from console.widgets.page import Page
from console.widgets.table import Table
from tests.console.tui.scripted_session import TestApp, failing, settle


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules to choose from, beside the examples."""
    (tmp_path / "mine.wasm").write_bytes(b"\0asm")
    (tmp_path / "broken.wasm").write_bytes(b"text")
    (tmp_path / "kernel.c").write_text("int main(void) { return 0; }\n")
    (tmp_path / "guest.c").write_text('#include "mma.h"\nint main(void) { return 0; }\n')
    monkeypatch.chdir(tmp_path)


async def open_launch(pilot: Pilot[None], module: str = "mine") -> Launch:
    """The dialog with a module typed and judged."""
    await settle(pilot)
    await pilot.press("n")
    dialog = pilot.app.screen
    assert isinstance(dialog, Launch)
    await settle(pilot, lambda: dialog.query_one("#modules", Table).count[1] > 3)
    await pilot.press(*module)
    return dialog


def verdict(dialog: Launch) -> str:
    """What it says below the targets."""
    return " ".join(dialog.query_one("#verdict", Page).text.split())


def launchable(dialog: Launch) -> bool:
    """The button can be pressed."""
    return not dialog.query_one("#launch", Button).disabled


async def test_a_fault_is_checked_and_done_to_the_selected_target() -> None:
    """f asks for it in words; wrong words stay in the dialog with what is wrong."""
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        target = app.screen.query_one("#list", Table).selected_key
        await pilot.press("f")
        assert isinstance(app.screen, FaultDialog)
        app.screen.query_one(Input).value = "link bad"
        await pilot.press("enter")
        assert isinstance(app.screen, FaultDialog)
        app.screen.query_one(Input).value = "link drop=0.01"
        await pilot.press("enter")
        await settle(pilot, lambda: bool(app.backend.inflicted))
        assert app.backend.inflicted == [(target, "link drop=0.01")]


async def test_a_launch_says_where_it_fits_and_submits() -> None:
    """Module, arguments, budgets and grants arrive as they were typed."""
    app = TestApp()
    async with app.run_test() as pilot:
        dialog = await open_launch(pilot)
        for name, text in {
            "arguments": "20 'two words'",
            "cpus": "0.5",
            "gpio": "0-3",
            "sensors": "temp0",
        }.items():
            dialog.query_one(f"#{name}", Input).value = text
        await settle(pilot, lambda: launchable(dialog) and "code 640" in verdict(dialog))
        assert "Fits on stm32f4@qemu" in verdict(dialog)
        await pilot.press("enter")
        await settle(pilot, lambda: bool(app.backend.submitted))
        spec = app.backend.submitted[0]
        assert (spec.name, spec.target, spec.arguments) == ("mine", "stm32f4@qemu", ("20", "two words"))
        assert spec.resources.scalars == {"cpus": 0.5, "mem": mem_scalar(8_388)}
        assert spec.resources.ranges == {"gpio": ((0, 3),)}
        assert spec.resources.sets == {"sensors": frozenset({"temp0"})}
        await settle(pilot, lambda: isinstance(app.screen, TasksScreen))
        table = app.screen.query_one("#list", Table)
        await settle(pilot, lambda: table.selected_key == "mine-00000001")


async def test_a_launch_without_its_pin_is_told_first() -> None:
    """The first enter leads to what is not granted; the second launches it as it is."""
    app = TestApp()
    async with app.run_test() as pilot:
        dialog = await open_launch(pilot, "blink")
        await settle(pilot, lambda: launchable(dialog))
        said = "blink calls gpio_mode and gpio_write, but no pin is granted: they will be denied."
        assert said in verdict(dialog)
        await pilot.press("enter")
        await settle(pilot, lambda: dialog.query_one("#gpio", Input).has_focus)
        assert (app.screen, app.backend.submitted) == (dialog, [])
        assert "Enter launches it all the same." in verdict(dialog)
        await pilot.press("3")
        await settle(pilot, lambda: "no pin" not in verdict(dialog))
        await pilot.press("backspace")
        await settle(pilot, lambda: "no pin" in verdict(dialog) and launchable(dialog))
        await pilot.press("enter")
        await settle(pilot, lambda: bool(app.backend.submitted))
        assert app.backend.submitted[0].resources.ranges == {}


async def test_a_launch_accepted_too_early_waits_for_the_verdict() -> None:
    """It is of what was typed, and not of what had been judged before."""
    app = TestApp()
    async with app.run_test() as pilot:
        dialog = await open_launch(pilot)
        await settle(pilot, lambda: launchable(dialog))
        dialog.query_one("#arguments", Input).value = "20"
        await pilot.press("enter")
        await settle(pilot, lambda: bool(app.backend.submitted))
        assert app.backend.submitted[0].arguments == ("20",)


async def test_a_launch_that_never_fits_says_by_how_many_bytes() -> None:
    """And cannot be submitted."""
    app = TestApp()
    async with app.run_test() as pilot:
        dialog = await open_launch(pilot)
        dialog.query_one("#mem", Input).value = "128K"
        await settle(pilot, lambda: "16,384 bytes more than it has" in verdict(dialog))
        assert not launchable(dialog)
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is dialog
        assert app.backend.submitted == []


async def test_a_launch_that_fits_later_may_wait() -> None:
    """What is free now is too little, what the target has is enough."""
    app = TestApp()
    async with app.run_test() as pilot:
        dialog = await open_launch(pilot)
        dialog.query_one("#mem", Input).value = "100K"
        await settle(pilot, lambda: "17,431 bytes short now" in verdict(dialog))
        assert str(dialog.query_one("#launch", Button).label) == "Queue"
        assert launchable(dialog)


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [
        ("mem", "lots", "'lots' is not a size"),
        ("cpus", "7", "7 is no share of a core"),
        ("cpus", "half", "'half' is no share"),
        ("gpio", "x", "'x' names no pins"),
        ("gpio", "0-31", "gpio [16-31]"),
        ("sensors", "sonar", "sensors sonar"),
        ("arguments", "'open", "Close the quotes"),
        ("mem", "2K", "2048 bytes are not enough"),
        ("stack", "16", "A stack of 32 bytes is too small"),
    ],
)
async def test_a_wrong_field_is_told_before_the_launch(field: str, text: str, says: str) -> None:
    """In a sentence, and the button is off."""
    app = TestApp()
    async with app.run_test() as pilot:
        dialog = await open_launch(pilot)
        await settle(pilot, lambda: launchable(dialog))
        dialog.query_one(f"#{field}", Input).value = text
        await settle(pilot, lambda: says in verdict(dialog))
        assert not launchable(dialog)


async def test_a_module_at_fault_is_told_before_the_launch() -> None:
    """In the validator's words."""
    app = TestApp()
    async with app.run_test() as pilot:
        dialog = await open_launch(pilot, "broken")
        await settle(pilot, lambda: "This is no WebAssembly" in verdict(dialog))
        assert not launchable(dialog)
        dialog.query_one("#module", Input).value = "no such thing"
        await settle(pilot, lambda: "There is no such module" in verdict(dialog))


async def test_modules_are_picked_with_the_arrows() -> None:
    """Examples first, then files; C files that are no guests are left out."""
    app = TestApp()
    async with app.run_test() as pilot:
        dialog = await open_launch(pilot, "")
        table = dialog.query_one("#modules", Table)
        labels = [row.label for row in table.rows]
        assert labels[-3:] == ["broken.wasm", "guest.c", "mine.wasm"]
        assert "fib" in labels
        await pilot.press("down", "down", "up")
        assert table.selected_key == labels[1]
        assert dialog.query_one("#module", Input).has_focus


async def test_a_launch_from_a_selected_target_is_for_that_target() -> None:
    """The dialog opens on it."""
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("j")
        dialog = await open_launch(pilot)
        assert dialog.chosen == "stm32f4@qemu-2"
        await pilot.press("escape")
        assert app.backend.submitted == []


async def test_a_kill_asks_first() -> None:
    """Keep is where enter goes; y kills."""
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("3", "j", "x")
        assert isinstance(app.screen, Confirm)
        await pilot.press("enter")
        assert isinstance(app.screen, TasksScreen)
        await pilot.press("x", "escape", "x", "n")
        assert app.backend.killed == []
        await pilot.press("x", "y")
        await settle(pilot, lambda: bool(app.backend.killed))
        assert app.backend.killed == ["spin-77aa01fe"]


async def test_an_ended_task_cannot_be_killed() -> None:
    """The key does nothing."""
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("3", "j", "j", "x")
        await pilot.pause()
        assert isinstance(app.screen, TasksScreen)


async def test_offers_are_declined_and_revived() -> None:
    """Only open ones can be declined; a shows the open ones alone."""
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("2")
        await settle(pilot)
        assert isinstance(app.screen, OffersScreen)
        await pilot.press("d", "v", "G", "d")
        await settle(pilot, lambda: app.backend.revived == 1)
        assert [name.rpartition("-")[2] for name in app.backend.declined] == ["O8"]
        assert app.screen.counted() == (6, 6)
        await pilot.press("a")
        assert app.screen.counted() == (4, 4)


async def test_a_session_that_fails_says_why_and_can_be_tried_again() -> None:
    """In the status line, and by the key r."""
    error = EnvironmentMissing("The Mesos master needs x86-64.", remedy="Name another.")
    app = TestApp(backend=failing(error))
    async with app.run_test() as pilot:
        await settle(pilot)
        assert app.state.master.message == "The Mesos master needs x86-64. Name another."
        await pilot.press("n")
        dialog = app.screen
        assert isinstance(dialog, Launch)
        await settle(pilot, lambda: "not up yet" in verdict(dialog))
        await pilot.press("escape")
        app.replace_backend()
        await pilot.press("r")
        await settle(pilot, lambda: app.state.master.connected)


async def test_an_error_of_the_backend_is_a_toast() -> None:
    """With its remedy, and nothing else breaks."""
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)

        async def refuse() -> None:
            raise MasterError("The master refused it.", remedy="Try later.")

        app.backend.revive = refuse  # type: ignore[method-assign]
        await pilot.press("2", "v")
        await settle(pilot, lambda: bool(app._notifications))
        (toast,) = app._notifications
        assert toast.message == "The master refused it.\nTry later."
        assert toast.severity == "error"
