"""Keys, mouse, palette and help: all of them from the one registry."""

from __future__ import annotations

import re

import pytest
from textual.pilot import Pilot

from console.actions import ACTIONS, BY_ID, Group, Scope, keys_of
from console.pages.help import help_page
from console.screens.dialog import Confirm, Help
from console.screens.launch import Launch
from console.screens.view import View
from console.views import VIEWS as ENTRIES
from console.views import ViewEntry
from console.widgets.key_bar import KeyBar
from console.widgets.log_view import LogView
from console.widgets.table import Table
from tests.console.tui.scripted_session import NOW, TestApp, settle


def view(pilot: Pilot[None]) -> View:
    """The view that is in front."""
    screen = pilot.app.screen
    assert isinstance(screen, View)
    return screen


def keys_shown(pilot: Pilot[None]) -> str:
    """The bottom line."""
    return "".join(span.text for span in pilot.app.screen.query_one(KeyBar).spans(200))


# -- the registry


def test_ids_are_unique_and_actions_exist() -> None:
    """Each action has a method where its scope is bound."""
    from console.app import ConsoleApp
    from console.screens.debug import DebugScreen
    from console.screens.edit import EditScreen
    from console.screens.fleet import FleetScreen
    from console.screens.logs import LogsScreen
    from console.screens.memory import MemoryScreen
    from console.screens.offers import OffersScreen
    from console.screens.tasks import TasksScreen
    from console.widgets.lines import LinesView

    homes = {
        Scope.APP: ConsoleApp,
        Scope.VIEW: View,
        Scope.LIST: LinesView,
        Scope.TABLE: Table,
        Scope.FLEET: FleetScreen,
        Scope.OFFERS: OffersScreen,
        Scope.TASKS: TasksScreen,
        Scope.LOGS: LogsScreen,
        Scope.DEBUG: DebugScreen,
        Scope.MEMORY: MemoryScreen,
        Scope.EDIT: EditScreen,
        Scope.DIALOG: Help,
        Scope.CONFIRM: Confirm,
    }
    assert len(BY_ID) == len(ACTIONS)
    for action in ACTIONS:
        assert hasattr(homes[action.scope], f"action_{action.method}"), action.id


@pytest.mark.parametrize(
    "scope", [Scope.FLEET, Scope.OFFERS, Scope.TASKS, Scope.LOGS, Scope.DEBUG, Scope.MEMORY, Scope.EDIT]
)
def test_no_two_actions_share_a_key(scope: Scope) -> None:
    """Within what is bound at the same time. In Logs the lines have the focus, not a table."""
    together = {Scope.APP, Scope.VIEW, Scope.LIST, scope} | (set() if scope is Scope.LOGS else {Scope.TABLE})
    seen: dict[str, str] = {}
    for action in ACTIONS:
        if action.id == "app.picture" and scope is Scope.EDIT:
            continue  # ctrl+s saves there; the palette has the picture
        if action.scope in together:
            for key in (*action.keys, *action.vim):
                assert key not in seen, f"{key}: {action.id} and {seen[key]}"
                seen[key] = action.id


def test_help_is_the_registry() -> None:
    """Every action with its keys, its label and its words; nothing else is listed as a key."""
    text = "\n".join("".join(span.text for span in line) for line in help_page(100))
    flat = re.sub(r"\s+", " ", text)
    for action in ACTIONS:
        assert f"{' '.join(keys_of(action))} {action.label} {action.help}" in flat.replace("  ", " "), (
            action.id
        )
    for group in Group:
        assert group.value.upper() in text
    assert (
        sum(line.startswith("  ") and not line.startswith("   ") for line in text.splitlines())
        == len(ACTIONS) + 2
    )


# -- going about


async def test_digits_and_arrows_change_the_view() -> None:
    """And the list there has the focus."""
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        assert view(pilot).NAME == "fleet"
        for key, name in (
            ("3", "tasks"),
            ("right", "logs"),
            ("l", "debug"),
            ("l", "memory"),
            ("l", "edit"),
            ("l", "fleet"),
            ("h", "edit"),
            ("h", "memory"),
            ("[", "debug"),
            ("2", "offers"),
        ):
            await pilot.press(key)
            assert name == view(pilot).NAME
            assert view(pilot).main().has_focus


async def test_clicks_change_the_view_and_choose_rows() -> None:
    """Tabs and rows; a second click on a row opens it."""
    app = TestApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.click("TabLine", offset=(27, 0))
        assert view(pilot).NAME == "tasks"
        await settle(pilot)
        table = view(pilot).query_one("#list", Table)
        await pilot.click("#list", offset=(10, 4))
        assert table.selected_key == "fib-3fa29b10"
        await pilot.click("#list", offset=(10, 4), times=2)
        assert view(pilot).has_class("-zoomed")


async def test_vim_keys_move_the_cursor() -> None:
    """j k g G, with the ends held."""
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        table = view(pilot).query_one("#list", Table)
        names = [row.task.id for row in table.rows]
        for key, place in (("j", 1), ("j", 2), ("k", 1), ("G", 4), ("j", 4), ("g", 0), ("k", 0), ("down", 1)):
            await pilot.press(key)
            assert table.selected_key == names[place]


async def test_a_keymap_gives_other_keys() -> None:
    """By the action's id; the footer and the help follow, the old key does nothing."""
    app = TestApp(keymap={"task.launch": "L"})
    async with app.run_test() as pilot:
        await settle(pilot)
        assert "L Launch" in keys_shown(pilot)
        await pilot.press("n")
        assert not isinstance(app.screen, Launch)
        await pilot.press("L")
        assert isinstance(app.screen, Launch)
    text = "".join(span.text for line in help_page(100, {"task.launch": "L"}) for span in line)
    assert re.search(r"L\s+Launch", text)


async def test_enter_opens_the_detail_and_escape_goes_back_step_by_step() -> None:
    """From the detail to the list, then from the filter to everything."""
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("3", "/", *"fi", "enter", "enter")
        assert view(pilot).has_class("-zoomed")
        assert view(pilot).query_one("#detail").has_focus
        await pilot.press("escape")
        table = view(pilot).query_one("#list", Table)
        assert table.has_focus
        assert table.count == (2, 5)
        await pilot.press("escape")
        assert table.count == (5, 5)
        assert not view(pilot).query_one("FilterBar").has_class("-on")


@pytest.mark.parametrize(
    ("key", "word", "unwanted"),
    [("1", "qemu", "!qemu-2"), ("2", "open", "!host"), ("3", "run", "!spin"), ("4", "qemu", "!offer")],
)
async def test_every_view_filters(key: str, word: str, unwanted: str) -> None:
    """While one types; digits and letters are words then, not keys."""
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(key)
        before = view(pilot).counted()
        await pilot.press("/", *word)
        await settle(pilot)
        shown, total = view(pilot).counted()
        assert 0 < shown < total == before[1]
        await pilot.press("space", *unwanted)
        await settle(pilot)
        assert 0 < view(pilot).counted()[0] < shown
        assert ("fleet", "offers", "tasks", "logs")[int(key) - 1] == view(pilot).NAME


async def test_sorting_by_key_and_by_click() -> None:
    """s goes through the columns, S turns the order, a click on a title does both."""
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        table = view(pilot).query_one("#list", Table)
        await pilot.press("s")
        assert [row.target.name for row in table.rows] == sorted(row.target.name for row in table.rows)
        await pilot.press("S")
        assert next(row.target.name for row in table.rows) == "stm32f4@qemu-2"
        await pilot.click("#list", offset=(48, 0))
        shares = [row.share for row in table.rows]
        assert shares == sorted(shares)
        await pilot.click("#list", offset=(48, 0))
        assert [row.share for row in table.rows] == sorted(shares, reverse=True)


async def test_the_cursor_stays_on_its_row_when_rows_come() -> None:
    """A new task comes on top."""
    from console.cluster.mesos import Status, TaskState
    from console.state.events import TaskChanged
    from tests.console.tui.scripted_session import task

    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("3", "j")
        table = view(pilot).query_one("#list", Table)
        chosen = table.selected_key
        app.backend.post(TaskChanged(task("new-00000001", "host", Status(TaskState.WAITING, NOW))))
        await settle(pilot, lambda: len(table.rows) == 6)
        assert table.selected_key == chosen


async def test_the_palette_takes_actions() -> None:
    """By their names, also those that are not in the footer."""
    app = TestApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p")
        await pilot.press(*"light")
        await settle(pilot, lambda: app.screen.query_one("CommandList").option_count > 0)
        await pilot.press("enter")
        await settle(pilot, lambda: app.theme == "mma-light")
        await pilot.press(":")
        assert type(app.screen).__name__ == "CommandPalette"
        await pilot.press("escape")
        assert isinstance(app.screen, View)


async def test_the_palette_lists_what_can_be_done_here() -> None:
    """Every action of the view and of the app; none of other views."""
    from console.look.palette import ActionProvider

    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        titles = [hit.display async for hit in ActionProvider(app.screen).discover()]
        text = "\n".join(str(title) for title in titles)
        for action in ACTIONS:
            here = action.scope in (Scope.APP, Scope.VIEW, Scope.LIST, Scope.TABLE, Scope.TASKS)
            if action.id in ("app.palette", "view.back", "app.retry"):
                continue
            assert (f"{action.group.value}: {action.label}  (" in text) == here or action.label == "Logs", (
                action.id
            )


async def test_logs_follow_until_one_scrolls() -> None:
    """f and the end follow again; lines that came meanwhile are counted."""
    from console.state.events import FromTarget
    from hal.target import Diagnostic

    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        lines = view(pilot).query_one("#lines", LogView)
        assert lines.following
        await pilot.press("k", "k")
        assert not lines.following
        before = lines.scroll_offset.y
        app.backend.post(FromTarget("host", Diagnostic("one\ntwo")))
        await settle(pilot, lambda: lines.unseen == 2)
        assert lines.scroll_offset.y == before
        await pilot.press("f")
        assert lines.following
        assert lines.scroll_offset.y == lines.max_scroll_y
        await pilot.press("g")
        assert not lines.following
        await pilot.press("G")
        assert lines.following


async def test_logs_of_one_source() -> None:
    """o on a task shows its lines alone, s chooses another source."""
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("3", "G", "o")
        await settle(pilot)
        assert view(pilot).NAME == "logs"
        lines = view(pilot).query_one("#lines", LogView)
        texts = ["".join(span.text for span in lines.line(n)) for n in range(lines.count[0])]
        assert all("mean of 8" in text or "limit" in text for text in texts)
        await pilot.press("s", "g", "enter")
        await settle(pilot)
        assert lines.count[0] > len(texts)
        assert lines.has_focus


async def test_the_theme_changes_everything_drawn() -> None:
    """Dark, light, high contrast, and back."""
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        dark = app.export_screenshot()
        await pilot.press("t")
        await pilot.pause()
        assert app.theme == "mma-light"
        assert app.export_screenshot() != dark
        await pilot.press("t")
        await pilot.pause()
        assert app.theme == "mma-contrast"
        await pilot.press("t")
        await pilot.pause()
        assert app.theme == "mma-dark"


async def test_quit_asks_while_tasks_run() -> None:
    """Esc and n stay, y leaves; without tasks q leaves at once."""
    app = TestApp()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("q")
        assert isinstance(app.screen, Confirm)
        await pilot.press("enter")  # the button that has the focus keeps things
        assert isinstance(app.screen, View)
        await pilot.press("ctrl+q", "n")
        assert isinstance(app.screen, View)
        await pilot.press("q", "y")
        await pilot.pause(0.3)
        assert not app.is_running
    idle = TestApp([])
    async with idle.run_test() as pilot:
        await settle(pilot)
        await pilot.press("q")
        await pilot.pause(0.3)
        assert not idle.is_running


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
async def test_every_action_of_a_view_has_a_key_and_is_in_the_palette(entry: ViewEntry) -> None:
    """What is bound there is what the registry has for it, and the palette has all of that."""
    from console.look.palette import HIDDEN, ActionProvider

    app = TestApp()
    async with app.run_test(size=(160, 50)) as pilot:
        await settle(pilot)
        await app.switch_mode(entry.name)
        await settle(pilot)
        bound = {one.binding.id for one in app.screen.active_bindings.values() if one.enabled}
        titles = [str(hit.display) async for hit in ActionProvider(app.screen).discover()]
        scopes = {Scope.APP, Scope.VIEW} | {one for one in Scope if one.value == entry.name}
        for action in ACTIONS:
            assert action.keys, action.id
            if (
                action.scope in scopes
                and app.screen.check_action(action.method, ())
                and action.id != "app.retry"
            ):
                assert action.id in bound, action.id
                title = f"{action.group.value}: {action.label}  ({keys_of(action)[0]})"
                assert (title in titles) != (action.id in HIDDEN), action.id
