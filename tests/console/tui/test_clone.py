"""Restarting a task, and running the same on another target."""

from __future__ import annotations

from textual.pilot import Pilot
from textual.widgets import Button

from console.cluster.mesos import Status, TaskState
from console.screens.clone import Clone
from console.screens.dialog import Confirm
from console.screens.tasks import TasksScreen
from console.state.events import TaskChanged
from console.widgets.table import Table
from tests.console.tui.scripted_session import NOW, TestApp, settle


async def on_task(pilot: Pilot[None], name: str) -> TasksScreen:
    """The tasks, with the cursor on one."""
    await settle(pilot)
    await pilot.press("3")
    await settle(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, TasksScreen)
    screen.table.select(name)
    await settle(pilot)
    return screen


async def clone_of(pilot: Pilot[None], name: str) -> Clone:
    """The dialog for a clone of a task, once it can be launched."""
    await on_task(pilot, name)
    await pilot.press("c")
    await settle(pilot, lambda: isinstance(pilot.app.screen, Clone))
    dialog = pilot.app.screen
    assert isinstance(dialog, Clone)
    await settle(pilot, lambda: not dialog.query_one("#launch", Button).disabled)
    return dialog


async def test_an_ended_task_is_launched_again_as_it_was() -> None:
    """At once, with the same arguments and budgets."""
    app = TestApp()
    async with app.run_test() as pilot:
        await on_task(pilot, "fib-3fa29b10")
        await pilot.press("R")
        await settle(pilot, lambda: bool(app.backend.submitted))
        assert app.backend.submitted == [app.state.tasks["fib-3fa29b10"].spec]
        assert app.backend.killed == []


async def test_a_living_task_is_killed_first() -> None:
    """After a question, and it is launched when the other has ended."""
    app = TestApp()
    async with app.run_test() as pilot:
        await on_task(pilot, "spin-77aa01fe")
        await pilot.press("R")
        await settle(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await settle(pilot, lambda: app.backend.killed == ["spin-77aa01fe"])
        assert app.backend.submitted == []
        task = app.state.tasks["spin-77aa01fe"]
        ended = (*task.history, Status(TaskState.KILLED, NOW))
        app.backend.post(TaskChanged(type(task)(task.id, task.spec, ended, task.agent_id, task.hostname)))
        await settle(pilot, lambda: bool(app.backend.submitted))
        assert app.backend.submitted == [task.spec]


async def test_a_clone_says_where_it_fits_and_asks_the_same() -> None:
    """On its own kind of board for the same memory, on another for what it takes there."""
    app = TestApp()
    async with app.run_test() as pilot:
        dialog = await clone_of(pilot, "fib-3fa29b10")
        launch = dialog.query_one("#launch", Button)
        table = dialog.query_one(Table)
        assert table.selected_key == "stm32f4@qemu-2"
        table.select("hifive1@qemu")
        await settle(pilot)
        assert launch.disabled
        table.select("stm32f4@qemu-2")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot, lambda: bool(app.backend.submitted))
        before, spec = app.state.tasks["fib-3fa29b10"].spec, app.backend.submitted[0]
        assert spec.target == "stm32f4@qemu-2"
        assert (spec.resources, spec.labels) == (before.resources, before.labels)
        assert (spec.arguments, spec.module) == (before.arguments, before.module)


async def test_a_clone_on_another_kind_asks_what_it_takes_there() -> None:
    """The code has another size."""
    app = TestApp()
    async with app.run_test() as pilot:
        dialog = await clone_of(pilot, "fib-3fa29b10")
        dialog.query_one(Table).select("host")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot, lambda: bool(app.backend.submitted))
        spec = app.backend.submitted[0]
        assert spec.target == "host"
        assert spec.resources.scalars["mem"] != 0.012
        assert spec.labels["mma.stack"] == "2048"
