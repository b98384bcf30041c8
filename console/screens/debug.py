"""Debug: source, stack, variables, registers and what else there is to see of a board that is held."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget

from console.actions import Scope, bindings
from console.debug.view import Break, DebugView, Phase, Value
from console.live.seam import Debugging, Step
from console.look.spans import Line, dim
from console.messages import DebugAsked, SourceAsked, Trouble
from console.pages import debug as pages
from console.screens.debug_columns import BREAKS, STACK, VARIABLES
from console.screens.view import View
from console.state.filters import Filter
from console.state.model import Link
from console.widgets.lines import OneLine
from console.widgets.page import Page
from console.widgets.panes import Split
from console.widgets.prompt import Prompt
from console.widgets.source_view import SourceView
from console.widgets.table import Column, Table

PANELS = {
    "variables": "variables",
    "stack": "stack",
    "registers": "registers",
    "code": "instructions",
    "breaks": "breakpoints",
    "slots": "executors",
    "peripherals": "peripherals",
    "memory": "memory",
    "console": "console",
}
_RIGHT = ("variables", "stack", "registers")

_PROMPTS = {
    "break": ("break at", "fib · kernel:mma_time · fib.c:5 if n == 2 · *0x20001164"),
    "watch": ("watch", "an expression in C, such as n or mma_usage"),
    "watchpoint": ("stop on write of", "an expression in C, such as mma_usage.switches"),
    "gdb": ("gdb", "any command of GDB; tab completes, esc leaves"),
    "bytes": ("memory at", "an address, $sp, &variable"),
    "peripheral": ("peripheral", "its name, such as USART1"),
    "ignore": ("let hits pass", "how many"),
    "source": ("source", "the end of its path, such as scheduler.c"),
    "assign": ("set", "count = n + 1 · r4 = 0x10 · GPIOA.ODR = 1 · RCC.CR.HSEON = 1"),
}


_COMPLETED_AS = {
    "break": "break ",
    "watch": "print ",
    "watchpoint": "watch ",
    "bytes": "print ",
    "assign": "set var ",
}
"""The command of GDB as whose argument a line is completed."""


class WhyLine(OneLine):
    """What the target does, why it stopped, how long it has been held."""

    DEFAULT_CSS = """
    WhyLine { background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__(id="why")
        self._facts: tuple[DebugView, float] = (DebugView(), 0.0)

    def show(self, view: DebugView, now: float) -> None:
        """Newer facts."""
        self._facts = (view, now)
        self.update()

    def spans(self, cells: int) -> Line:
        return pages.why_line(*self._facts, cells)


class DebugScreen(View):
    """Narrow: the source and one panel. Wide: variables, stack and registers at the right, one below."""

    NAME = "debug"
    BINDINGS = bindings(Scope.DEBUG)
    SPLITS = (Split("right", "#left", "#right"), Split("panel", "#top", "#left .panel.-on"))

    DEFAULT_CSS = """
    DebugScreen #desk { width: 1fr; height: 1fr; }
    DebugScreen #panes { width: 1fr; height: 1fr; layout: vertical; }
    DebugScreen.-wide #panes { layout: horizontal; }
    DebugScreen #left { width: 1fr; height: 1fr; }
    DebugScreen.-wide #left { width: 3fr; }
    DebugScreen #right { width: 1fr; height: 1fr; display: none; }
    DebugScreen #right.-on { display: block; }
    DebugScreen.-narrow #left { height: 3fr; }
    DebugScreen.-narrow #right { height: 2fr; }
    DebugScreen.-wide #right { display: block; width: 2fr; border-left: solid $rule; }
    DebugScreen #top { height: 3fr; layout: vertical; }
    DebugScreen #source { height: 1fr; width: 1fr; }
    DebugScreen .panel { display: none; height: 2fr; border-top: solid $rule; border-title-color: $dim; }
    DebugScreen .panel.-on { display: block; }
    DebugScreen .panel:focus { border-top: solid $primary; border-title-color: $tone-accent; }
    DebugScreen.-wide #registers { height: auto; max-height: 50%; }
    DebugScreen.-wide #left .panel { max-height: 18; }
    """

    class Completed(Message):
        """What could follow in the console."""

        def __init__(self, typed: str, text: str, matches: Sequence[str]) -> None:
            super().__init__()
            self.typed = typed
            self.text = text
            self.matches = matches

    def __init__(self) -> None:
        super().__init__()
        self._panel = "variables"
        self._code_at: object = None

    def body(self) -> ComposeResult:
        """Everything, once; what is in sight is a matter of classes."""
        with Vertical(id="desk"):
            yield WhyLine()
            with Horizontal(id="panes"):
                with Vertical(id="left"):
                    with Vertical(id="top"):
                        yield SourceView(widget_id="source")
                    yield from (
                        self._page(name) for name in ("code", "slots", "peripherals", "memory", "console")
                    )
                    yield self._table("breaks", BREAKS, lambda row: row.key, lambda row: row.what)
                with Vertical(id="right"):
                    yield self._table("variables", VARIABLES, lambda row: row.key, lambda row: row.name)
                    yield self._table(
                        "stack", STACK, lambda row: str(row.level), lambda row: row.spot.function
                    )
                    yield self._page("registers")
            yield Prompt()

    def _page(self, name: str) -> Page:
        page = Page(widget_id=name)
        page.add_class("panel")
        page.border_title = PANELS[name]
        return page

    def _table(
        self,
        name: str,
        columns: Sequence[Column[Any]],
        key: Callable[[Any], str],
        search: Callable[[Any], str],
    ) -> Table[Any]:
        table: Table[Any] = Table(
            columns, key=key, search=search, empty=lambda: self._nothing(name), head=False, widget_id=name
        )
        table.add_class("panel")
        table.border_title = PANELS[name]
        return table

    def _nothing(self, name: str) -> Sequence[Line]:
        words = {
            "breaks": "No breakpoints. b sets one at the cursor, B by name.",
            "variables": "No variable has a value here." if self.view.frames else "Read when it stops.",
            "stack": "Read when it stops.",
        }
        return [(dim(words[name]),)]

    # -- what it shows

    @property
    def view(self) -> DebugView:
        """The newest facts."""
        return self.state.debug

    @property
    def source(self) -> SourceView:
        """The source."""
        return self.query_one("#source", SourceView)

    @property
    def prompt(self) -> Prompt:
        """Where texts are typed."""
        return self.query_one(Prompt)

    def main(self) -> Widget:
        """The source."""
        return self.source

    def redraw(self) -> None:
        """All that is in sight."""
        view = self.view
        self.query_one(WhyLine).show(view, self.now)
        self.source.show(view)
        self._rows("variables", (*view.watches, *view.variables))
        self._rows("stack", view.frames)
        self._rows("breaks", view.breaks)
        hidden = f", {view.hidden} optimised away" if view.hidden else ""
        self.query_one("#variables").border_title = f"variables{hidden}"
        for name, builder in _PAGES.items():
            page = self.query_one(f"#{name}", Page)
            if page.has_class("-on"):
                page.show(partial(builder, view))
        if view.peripheral:
            self.query_one("#peripherals").border_title = view.peripheral
        self._follow()

    def _rows(self, name: str, rows: Sequence[Any]) -> None:
        table = self.query_one(f"#{name}", Table)
        if table.has_class("-on"):
            table.show(rows)
            if name == "stack" and rows and not table.has_focus:
                table.select(str(self.view.frame))

    def _follow(self) -> None:
        """Keep the present instruction, and the newest line of the console, in sight."""
        code, said = self.query_one("#code", Page), self.query_one("#console", Page)
        place = (self.view.serial, self.view.spot.address)
        if code.has_class("-on") and place != self._code_at and code.size.height:
            self._code_at = place
            row = pages.code_row(self.view, code.cells)
            code.go(max(0, row - code.size.height // 2))
        if said.has_class("-on") and not said.has_focus:
            said.go(said.max_scroll_y)

    def note(self) -> Line:
        """The target; where there is no room for it, the key: the panel has its name on its border."""
        if self.has_class("-narrow"):
            return (dim("v panels"),)
        return (dim(self.view.target or "no target"),)

    def on_mount(self) -> None:
        self._arrange()
        super().on_mount()

    def on_resize(self, event: events.Resize) -> None:
        """Another width shows other panels."""
        super().on_resize(event)
        self.call_after_refresh(self._arrange)

    def _arrange(self) -> None:
        """What is in sight."""
        wide = self.size.width >= 110
        if wide and self._panel in _RIGHT:
            self._panel = "console"
        for name in PANELS:
            on = name == self._panel or (wide and name in _RIGHT)
            self.query_one(f"#{name}").set_class(on, "-on")
        self.query_one("#right").set_class(self._panel in _RIGHT, "-on")
        self.panes.arrange()
        self.redraw()
        self.redraw_frame()

    # -- asking

    def _ask(self, work: Callable[[Debugging], Coroutine[Any, Any, object]]) -> None:
        if self.view.phase is Phase.ATTACHING:  # a step in between would take its stop away
            self.post_message(Trouble("The debugger is being attached.", "Ask again when the board runs on."))
            return
        self.post_message(DebugAsked(work))

    def _go(self, how: Step, *, reverse: bool = False) -> None:
        if reverse and not self.view.reverse:
            why = self.view.why_not or "Attach the debugger first."
            self.post_message(Trouble("This target cannot run backwards.", why))
            return
        self._ask(lambda debugger: debugger.go(how, reverse=reverse))

    def action_debug_attach(self) -> None:
        if self.view.phase in (Phase.RUNNING, Phase.STOPPED):
            self._ask(lambda debugger: debugger.detach())
            return
        boards = [
            one.name
            for one in self.state.targets.values()
            if one.link in (Link.UP, Link.DOWN) and "@" in one.name and "/" not in one.name
        ]
        if not boards:
            self.post_message(
                Trouble("There is no board to debug.", "Start the console with --target stm32f4@qemu.")
            )
            return
        target = self.view.target if self.view.target in boards else boards[0]
        self._ask(lambda debugger: debugger.attach(target))

    def action_debug_run(self) -> None:
        if self.view.phase is Phase.RUNNING:
            self._ask(lambda debugger: debugger.pause())
        else:
            self._go("continue")

    def action_debug_edit(self) -> None:
        place = self.source.location
        if place is None:
            self.post_message(Trouble("There is no source here.", "e opens one."))
        else:
            self.post_message(SourceAsked(*place))

    def action_debug_over(self) -> None:
        self._go("next")

    def action_debug_into(self) -> None:
        self._go("step")

    def action_debug_out(self) -> None:
        self._go("finish")

    def action_debug_until(self) -> None:
        self._go("until")

    def action_debug_instruction(self) -> None:
        self._go("stepi")

    def action_debug_over_instruction(self) -> None:
        self._go("nexti")

    def action_debug_back(self) -> None:
        self._go("step", reverse=True)

    def action_debug_back_run(self) -> None:
        self._go("continue", reverse=True)

    def action_debug_here(self) -> None:
        location, address = self.source.location, self.source.address
        if location is not None:
            place = f"{location[0]}:{location[1]}"
        elif address is not None:
            place = f"*{address:#x}"
        else:
            self._nowhere()
            return
        self._ask(lambda debugger: debugger.run_to(place))

    def _nowhere(self) -> None:
        """The cursor is on no line of a source and on no instruction."""
        remedy = "Put the cursor on a line with code; e opens a source, B takes a name or an address."
        self.post_message(Trouble("There is no code at the cursor to stop at.", remedy))

    def action_debug_break(self) -> None:
        location, address = self.source.location, self.source.address
        if location is not None:
            path, line = location
            self._ask(lambda debugger: debugger.toggle(path, line))
        elif address is not None:
            self._ask(lambda debugger: debugger.break_at(f"*{address:#x}"))
        else:
            self._nowhere()

    def on_source_view_toggled(self) -> None:
        """A click on the gutter."""
        self.action_debug_break()

    def action_debug_trap(self) -> None:
        on = not self.view.on_trap
        self._ask(lambda debugger: debugger.stop_on_trap(on))

    def _chosen(self) -> Break | None:
        """The breakpoint of the list, or that of the cursor's line."""
        table = self.query_one("#breaks", Table)
        if table.has_focus:
            row = table.selected
            return row if isinstance(row, Break) else None
        location = self.source.location
        return next((one for one in self.view.breaks if location in one.spots), None)

    def _with_chosen(self, do: Callable[[Break], None]) -> None:
        """Do it with that breakpoint, or say that there is none."""
        chosen = self._chosen()
        if chosen is not None:
            do(chosen)
            return
        remedy = "Go to a line that has one, or to one in the list of breakpoints (v)."
        self.post_message(Trouble("There is no breakpoint at the cursor.", remedy))

    def action_debug_enable(self) -> None:
        self._with_chosen(lambda one: self._ask(lambda debugger: debugger.enable(one.key, not one.enabled)))

    def action_debug_delete(self) -> None:
        self._with_chosen(lambda one: self._ask(lambda debugger: debugger.delete(one.key)))

    def action_debug_frame_up(self) -> None:
        self._frame(1)

    def action_debug_frame_down(self) -> None:
        self._frame(-1)

    def _frame(self, by: int) -> None:
        level = self.view.frame + by
        if 0 <= level < len(self.view.frames):
            self._ask(lambda debugger: debugger.select(level))

    def on_table_opened(self, event: Table.Opened) -> None:
        """Enter: a frame is looked at, a breakpoint switched, a variable opened or closed."""
        if event.table.id == "stack":
            self._ask(lambda debugger: debugger.select(int(event.key)))
        elif event.table.id == "breaks":
            self.action_debug_enable()
        elif event.table.id == "variables":
            row = event.table.selected
            if isinstance(row, Value) and row.opens:
                self._ask(lambda debugger: debugger.open_value(row.key))

    # -- panels

    def action_debug_panel(self) -> None:
        self._turn(1)

    def action_debug_panel_back(self) -> None:
        self._turn(-1)

    def _turn(self, by: int) -> None:
        wide = self.size.width >= 110
        names = [name for name in PANELS if not (wide and name in _RIGHT)]
        self._panel = names[(names.index(self._panel) + by) % len(names)]
        self._code_at = None
        self._arrange()
        self.call_after_refresh(self.redraw)

    def show_panel(self, name: str) -> None:
        """Bring one to the front."""
        if not (self.size.width >= 110 and name in _RIGHT):
            self._panel = name
        self._arrange()
        self.call_after_refresh(self.redraw)

    # -- typing

    def _type(self, kind: str, value: str = "") -> None:
        label, placeholder = _PROMPTS[kind]
        self.prompt.begin(kind, label, placeholder, value)

    def action_debug_break_at(self) -> None:
        self._type("break")

    def action_debug_watch(self) -> None:
        self._type("watch", self._variable())

    def action_debug_assign(self) -> None:
        name = self._variable()
        self._type("assign", name and f"{name} = ")

    def _variable(self) -> str:
        """The one under the cursor, while that is among the variables."""
        table = self.query_one("#variables", Table)
        row = table.selected if table.has_focus else None
        return row.path or row.name if isinstance(row, Value) else ""

    def action_debug_watchpoint(self) -> None:
        self._type("watchpoint")

    def action_debug_gdb(self) -> None:
        self.show_panel("console")
        self._type("gdb")

    def action_debug_bytes(self) -> None:
        self._type("bytes")

    def action_debug_peripheral(self) -> None:
        self.show_panel("peripherals")
        self._type("peripheral")

    def action_debug_ignore(self) -> None:
        self._with_chosen(lambda _: self._type("ignore"))

    def action_debug_source(self) -> None:
        self._type("source")

    def on_prompt_given(self, event: Prompt.Given) -> None:
        """What was typed, to whom it is for."""
        text, chosen = event.text, self._chosen()
        if event.kind == "break":
            self.show_panel("breaks")
            self._ask(lambda debugger: debugger.break_at(text))
        elif event.kind == "watch":
            self._ask(lambda debugger: debugger.watch(text))
        elif event.kind == "watchpoint":
            self.show_panel("breaks")
            self._ask(lambda debugger: debugger.watchpoint(text))
        elif event.kind == "gdb":
            self._ask(lambda debugger: debugger.command(text))
        elif event.kind == "bytes":
            self.show_panel("memory")
            self._ask(lambda debugger: debugger.look_at(text))
        elif event.kind == "peripheral":
            known = {name.lower(): name for name in self.view.peripherals}
            name = known.get(text.lower(), text)
            self._ask(lambda debugger: debugger.peripheral(name))
        elif event.kind == "source":
            self._ask(lambda debugger: debugger.open_source(text))
        elif event.kind == "assign":
            self._ask(lambda debugger: debugger.assign(text))
        elif event.kind == "ignore" and not text.isdecimal():
            self.post_message(
                Trouble(f"{text!r} is no number of hits.", "Write 3, say, or 0 to stop at each.")
            )
        elif event.kind == "ignore" and chosen is not None:
            self._ask(lambda debugger: debugger.ignore(chosen.key, int(text)))

    def on_prompt_completing(self, event: Prompt.Completing) -> None:
        """Tab: GDB knows for commands, the SVD file for peripherals."""
        typed = event.text
        if event.kind == "peripheral":
            names = [name for name in self.view.peripherals if name.lower().startswith(typed.lower())]
            self.post_message(self.Completed(typed, names[0] if len(names) == 1 else typed, names))
            return
        before = _COMPLETED_AS.get(event.kind, "")

        async def complete(debugger: Debugging) -> None:
            text, matches = await debugger.complete(before + typed)
            cut = [match.removeprefix(before) for match in matches]
            self.post_message(self.Completed(typed, text.removeprefix(before), cut))

        self._ask(complete)

    def on_debug_screen_completed(self, event: Completed) -> None:
        """Into the line, unless more was typed meanwhile."""
        prompt = self.prompt
        if prompt.field.value != event.typed:
            return
        if len(event.text) > len(event.typed):
            prompt.field.value = event.text
            prompt.field.cursor_position = len(event.text)
        prompt.note("  ".join(event.matches[:8]) if len(event.matches) > 1 else "")

    def on_prompt_left(self) -> None:
        """The keys belong to the source again."""
        self.source.focus()

    def leave_detail(self) -> bool:
        """Esc: out of the line, then back to the source."""
        if self.prompt.leave():
            return True
        if not self.source.has_focus and not self.query_one("FilterBar").has_class("-on"):
            self.source.focus()
            return True
        return False

    def apply_filter(self, where: Filter) -> None:
        """On variables and breakpoints."""
        self.query_one("#variables", Table).where = where
        self.query_one("#breaks", Table).where = where

    def counted(self) -> tuple[int, int]:
        """Variables."""
        return self.query_one("#variables", Table).count


_PAGES: dict[str, Callable[[DebugView, int], Sequence[Line]]] = {
    "registers": pages.registers_page,
    "code": pages.code_page,
    "slots": pages.slots_page,
    "peripherals": pages.peripherals_page,
    "memory": pages.memory_page,
    "console": pages.console_page,
}
