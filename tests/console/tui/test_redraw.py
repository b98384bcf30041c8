"""What changed is drawn anew, and nothing else: that is what keeps the console quick over a large fleet."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip

from console.look.spans import line
from console.look.theme import DARK, LIGHT, OURS, variables
from console.widgets.page import Page
from console.widgets.table import Column, Table

Row = tuple[str, int]
COLUMNS: tuple[Column[Row], ...] = (
    Column("NAME", lambda row, _: line(row[0]), 10),
    Column("VALUE", lambda row, _: line(str(row[1])), 10),
)


class Counting(Table[Row]):
    """Counts the lines that were drawn."""

    lines = 0

    def render_line(self, y: int) -> Strip:
        """Line `y` of the window."""
        self.lines += 1
        return super().render_line(y)


class Themed(App[None]):
    """Has our themes."""

    def __init__(self) -> None:
        super().__init__()
        for ours in OURS:
            self.register_theme(ours)
        self.theme = DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """As the console has them."""
        return variables(self.current_theme)


class Rows(Themed):
    """A table of twenty rows."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = [(f"n{number}", 0) for number in range(20)]

    def compose(self) -> ComposeResult:
        """The table alone."""
        yield Counting(COLUMNS, key=lambda row: row[0], search=lambda row: row[0])

    def on_mount(self) -> None:
        self.query_one(Counting).show(self.rows)

    def text(self) -> list[str]:
        """What the terminal has."""
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]


async def test_a_row_that_changed_is_drawn_and_the_others_are_not() -> None:
    app = Rows()
    async with app.run_test(size=(40, 30)) as pilot:
        table = app.query_one(Counting)
        await pilot.pause()
        table.lines = 0
        table.show([*app.rows])
        await pilot.pause()
        assert table.lines == 0
        table.show([*app.rows[:3], ("n3", 77), *app.rows[4:]])
        await pilot.pause()
        assert table.lines == 1
        assert app.text()[4] == "  n3          77"


async def test_fewer_rows_leave_nothing_behind() -> None:
    app = Rows()
    async with app.run_test(size=(40, 30)) as pilot:
        table = app.query_one(Counting)
        table.show(app.rows[:5])
        await pilot.pause()
        assert app.text()[5:8] == ["  n4          0", "", ""]


async def test_another_order_and_another_theme_are_drawn_whole() -> None:
    app = Rows()
    async with app.run_test(size=(40, 30)) as pilot:
        table = app.query_one(Counting)
        await pilot.press("j")
        table.show(app.rows[::-1])
        await pilot.pause()
        assert [text.split()[-2] for text in app.text()[1:4]] == ["n19", "n18", "n17"]
        assert app.text()[19].startswith("▌ n1")  # the cursor stayed on its row
        table.lines = 0
        app.theme = LIGHT.name
        await pilot.pause()
        assert table.lines == 30


class Pages(Themed):
    """A page longer than the window."""

    def compose(self) -> ComposeResult:
        """The page alone."""
        yield Page(lambda width: [line(f"line {number}") for number in range(100)])


async def test_a_page_that_was_scrolled_is_compared_with_what_is_in_sight() -> None:
    app = Pages()
    async with app.run_test(size=(40, 10)) as pilot:
        page = app.query_one(Page)
        page.go(50)
        await pilot.pause()
        told: list[Region] = []
        draw = page.refresh
        page.refresh = lambda *regions, **words: told.extend(regions) or draw(*regions, **words)  # type: ignore
        page.show(lambda width: [line("new" if number == 53 else f"line {number}") for number in range(100)])
        assert [region.y for region in told] == [3]
        await pilot.pause()
        told.clear()
        page.show(lambda width: [line("new" if number == 2 else f"line {number}") for number in range(100)])
        assert [region.y for region in told] == [3]  # back to what it was; line 2 is out of sight
