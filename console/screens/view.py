"""What the views have in common: the lines above and below, a list with its detail, the filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import is_
from typing import Any, ClassVar, Protocol, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget

from console.actions import Scope, bindings
from console.look.spans import EMPTY, Line
from console.messages import LaunchAsked, LogsAsked, Trouble
from console.readonly import refusal
from console.state.filters import Filter
from console.state.logbook import ALL, COMMANDS
from console.state.model import State, start
from console.views import VIEWS
from console.widgets.filter_bar import FilterBar
from console.widgets.key_bar import KeyBar
from console.widgets.lines import LinesView
from console.widgets.log_view import LogView
from console.widgets.page import Page
from console.widgets.panes import Panes, Split, Way
from console.widgets.status_line import StatusLine
from console.widgets.tab_line import TabLine
from console.widgets.table import Table


class Host(Protocol):
    """What views need of the app."""

    @property
    def state(self) -> State:
        """The newest one."""
        ...

    @property
    def now(self) -> float:
        """The time, in seconds since the epoch."""
        ...

    readonly: bool

    def remembered(self, view: str) -> Mapping[str, Any]:
        """What a view was like when the last session ended."""
        ...


class View(Screen[None]):
    """One of the views. The app calls draw() after every change and once a second."""

    NAME: ClassVar[str] = ""
    SPLITS: ClassVar[Sequence[Split]] = ()
    """Neighbours whose border can be moved."""
    BINDINGS = bindings(Scope.VIEW)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 (Textual's own type)
    VERTICAL_BREAKPOINTS = [(0, "-low"), (28, "-high")]  # noqa: RUF012

    DEFAULT_CSS = """
    View { background: $background; color: $foreground; }
    View #body { height: 1fr; width: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.state: State = start()
        self.now = 0.0
        self.panes = Panes(self, self.SPLITS)

    def compose(self) -> ComposeResult:
        """The frame around body()."""
        yield StatusLine()
        yield TabLine(self.NAME)
        with Horizontal(id="body"):
            yield from self.body()
        yield from self.foot()
        yield FilterBar()
        yield KeyBar()

    # -- what a view says of itself

    def body(self) -> ComposeResult:
        """The widgets between the lines."""
        yield from ()

    def foot(self) -> ComposeResult:
        """Lines of its own below them, such as one to type in."""
        yield from ()

    def main(self) -> Widget:
        """The widget that keys belong to when nothing else is open."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Show self.state at self.now."""

    def note(self) -> Line:
        """What stands at the right of the tabs."""
        return EMPTY

    def apply_filter(self, where: Filter) -> None:
        """Show only what passes."""

    def counted(self) -> tuple[int, int]:
        """How much is shown, and of how much."""
        return 0, 0

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """Those of Textual; what a read-only console refuses is grey in the footer and not in the palette."""
        found = super().active_bindings
        if not cast("Host", self.app).readonly:
            return found
        return {
            key: one._replace(enabled=False) if refusal(one.binding.action) else one
            for key, one in found.items()
        }

    # -- drawing

    def draw(self) -> None:
        """Show the newest state."""
        host = cast("Host", self.app)
        self.state, self.now = host.state, host.now
        frame = self.query(StatusLine)
        if not self.is_mounted or not frame:  # not composed yet, or going away
            return
        frame.first().show(self.state, self.now, readonly=host.readonly)
        self.redraw()
        self.redraw_frame()

    def redraw_frame(self) -> None:
        """The lines around, after something in between changed."""
        self.query_one(TabLine).show(self.state, self.note())
        bar = self.query_one(FilterBar)
        if bar.has_class("-on"):
            bar.count(*self.counted())

    def on_mount(self) -> None:
        self.set_focus(self.main())
        self.draw()
        self.restore(cast("Host", self.app).remembered(self.NAME))

    # -- where it was left

    def remember(self) -> dict[str, Any]:
        """What the next session begins with, for JSON: filter and sorting. Others add theirs."""
        sorts = {table.id: table.sorting for table in self.query(Table) if table.id and table.sorting}
        return {"filter": self.query_one(FilterBar).where.text, "sort": sorts, "panes": self.panes.shares}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Make it so again, as far as it makes sense."""
        text, sorts = kept.get("filter"), kept.get("sort")
        if isinstance(text, str) and text:
            self.query_one(FilterBar).put(text)
        for table in self.query(Table):
            if isinstance(sorts, dict) and table.id in sorts:
                table.sorting = str(sorts[table.id])
        self.panes.restore(kept.get("panes"))

    # -- sizes of panes

    def on_resize(self, event: events.Resize) -> None:
        """Another size may have another layout."""
        self.panes.arrange()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """On a border: it is taken."""
        if event.button == 1 and self.panes.grab(event.screen_offset):
            event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """And moved."""
        self.panes.drag(event.screen_offset)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """And left there."""
        self.panes.drop()

    def _move_border(self, way: Way, by: int) -> None:
        if not self.panes.move(way, by):
            self.post_message(
                Trouble("There is no such border here.", "Another view or a larger window has one.")
            )

    def action_pane_left(self) -> None:
        self._move_border("across", -4)

    def action_pane_right(self) -> None:
        self._move_border("across", 4)

    def action_pane_up(self) -> None:
        self._move_border("down", -2)

    def action_pane_down(self) -> None:
        self._move_border("down", 2)

    def on_screen_resume(self) -> None:
        self.draw()

    # -- the filter

    def action_view_filter(self) -> None:
        self.query_one(FilterBar).begin()
        self.redraw_frame()

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        self.apply_filter(event.where)
        self.redraw_frame()

    def on_filter_bar_left(self) -> None:
        self.set_focus(self.main())

    def go_match(self, by: int) -> None:
        """Through what the filter left over."""
        main = self.main()
        if not self.query_one(FilterBar).where or not isinstance(main, LinesView):
            self.post_message(Trouble("There is nothing to go through.", "/ finds lines."))
        elif by > 0:
            main.action_list_down()
        else:
            main.action_list_up()

    def action_view_match_next(self) -> None:
        self.go_match(1)

    def action_view_match_previous(self) -> None:
        self.go_match(-1)

    # -- going elsewhere

    def action_view_back(self) -> None:
        """One step back: from typing, from the detail, from the filter."""
        bar = self.query_one(FilterBar)
        if self.leave_detail():
            return
        if bar.has_class("-on"):
            bar.clear()
            self.apply_filter(Filter())
            self.redraw_frame()
        self.set_focus(self.main())

    def leave_detail(self) -> bool:
        """Close what is open over the list; False when nothing was."""
        return False

    def go_to(self, name: str) -> None:
        """Another view; each has an action of its own, made below from the table of views."""
        self.app.switch_mode(name)

    def action_view_next(self) -> None:
        self._step(1)

    def action_view_previous(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        names = [one.name for one in VIEWS]
        self.app.switch_mode(names[(names.index(self.NAME) + by) % len(names)])

    def action_view_commands(self) -> None:
        self.post_message(LogsAsked(COMMANDS))

    def action_task_launch(self) -> None:
        self.post_message(LaunchAsked(self.launch_target()))

    def launch_target(self) -> str:
        """The target that a launch from here would be for; empty for any."""
        return ""


def _goer(name: str) -> Callable[[View], None]:
    return lambda view: view.go_to(name)


for _one in VIEWS:
    setattr(View, f"action_view_{_one.name}", _goer(_one.name))


class ListView(View):
    """A view of one table and the detail of its selected row.

    Wide: side by side, and where there is room a log below the list. Narrow: the detail below the list;
    enter gives it the whole height, esc takes it back.
    """

    DEFAULT_CSS = """
    ListView #left { width: 1fr; height: 1fr; }
    ListView #list { width: 1fr; height: 1fr; }
    ListView #below { display: none; height: 1fr; border-top: solid $rule; border-title-color: $dim; }
    ListView #detail { width: 1fr; height: 1fr; }
    ListView.-wide #body { layout: horizontal; }
    ListView.-wide #left { width: 3fr; }
    ListView.-wide.-high #list { height: auto; max-height: 60%; min-height: 8; }
    ListView.-wide.-high #below { display: block; }
    ListView.-wide #detail { width: 2fr; border-left: solid $rule; }
    ListView.-wide #detail:focus { border-left: solid $primary; }
    ListView.-narrow #body { layout: vertical; }
    ListView.-narrow #detail { border-top: solid $rule; }
    ListView.-narrow #detail:focus { border-top: solid $primary; }
    ListView.-zoomed #left { display: none; }
    """

    SPLITS = (Split("detail", "#left", "#detail"), Split("below", "#list", "#below"))

    _facts: tuple[object, ...] = ()
    _second = 0

    def body(self) -> ComposeResult:
        """List, log and detail."""
        with Vertical(id="left"):
            yield self.make_table()
            below = LogView(widget_id="below")
            below.can_focus = False
            yield below
        yield Page(widget_id="detail")

    def make_table(self) -> Table[Any]:
        """The list, with the id `list`."""
        raise NotImplementedError

    def rows(self) -> Sequence[Any]:
        """What is listed."""
        raise NotImplementedError

    def page(self, key: str | None, width: int) -> Sequence[Line]:
        """The detail of a row, or what to say when there is none."""
        raise NotImplementedError

    def below(self) -> tuple[str, str]:
        """Source and title of the log below the list."""
        return ALL, "activity"

    @property
    def table(self) -> Table[Any]:
        """The list."""
        return self.query_one("#list", Table)

    @property
    def log_below(self) -> bool:
        """Whether the log below the list is in sight."""
        return self.has_class("-wide") and self.has_class("-high")

    @property
    def detail(self) -> Page:
        """The detail."""
        return self.query_one("#detail", Page)

    def main(self) -> Widget:
        """The list."""
        return self.table

    def facts(self) -> tuple[object, ...]:
        """What rows are made of, beside the time; empty where that is not known: then they are made each
        time. Under thousands of lines a second a fleet of a thousand stays as it is."""
        return ()

    def redraw(self) -> None:
        """List and detail; the list only if it changed."""
        facts, second = self.facts(), int(self.now)
        same = len(facts) == len(self._facts) and all(map(is_, facts, self._facts))
        if not facts or not same or second != self._second:
            self._facts, self._second = facts, second
            self.table.show(self.rows())
        self.redraw_detail()

    def redraw_detail(self) -> None:
        """The detail of the row under the cursor."""
        key = self.table.selected_key
        self.detail.show(lambda width: self.page(key, width))
        self.call_after_refresh(self._redraw_below)  # a frame of its own: keys get in between

    def _redraw_below(self) -> None:
        source, title = self.below()
        below = self.query_one("#below", LogView)
        below.border_title = title
        below.show(self.state.logs.ring(source), source)

    def apply_filter(self, where: Filter) -> None:
        """On the list."""
        self.table.where = where

    def counted(self) -> tuple[int, int]:
        """Rows."""
        return self.table.count

    def on_table_selected(self, event: Table.Selected) -> None:
        """The cursor moved."""
        self.redraw_detail()
        self.detail.go(0)

    def on_table_opened(self, event: Table.Opened) -> None:
        """Enter: to the detail."""
        if self.has_class("-narrow"):
            self.add_class("-zoomed")
        self.set_focus(self.detail)

    def leave_detail(self) -> bool:
        """Back to the list."""
        if not self.has_class("-zoomed") and not self.detail.has_focus:
            return False
        self.remove_class("-zoomed")
        self.set_focus(self.table)
        return True
