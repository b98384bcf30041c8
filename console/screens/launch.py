"""The launch dialog: module, target, arguments, budgets, grants; and before the launch whether it fits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence, Set
from pathlib import Path

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label

from console.cluster.mesos import TaskSpec
from console.fit.cells import free_cell, label_cell, needs_cell, verdict_cell
from console.fit.planner import Draft, Fit, Plan, make_plan
from console.guests.picker import Candidate, candidates, matching
from console.live.seam import Backend
from console.look.spans import EMPTY, Line, Span, Tone, dim, line, wrap
from console.screens.dialog import Dialog
from console.state.model import Link, State
from console.state.rows import FleetRow, fleet_rows
from console.trouble import words
from console.widgets.page import Page
from console.widgets.table import Column, Table

_PAUSE = 0.12
"""Seconds without a key before a draft is judged."""

_FIELDS: tuple[tuple[tuple[str, str, str], ...], ...] = (
    (("arguments", "Arguments", "words for the module, as a shell splits them"),),
    (("cpus", "CPU share", "0.1"), ("mem", "Memory", "what it needs")),
    (("stack", "Stack", "chosen"), ("memory", "Linear", "chosen"), ("log", "Log", "chosen")),
    (("gpio", "Pins", "none, or 0-3,12"), ("sensors", "Sensors", "none, or temp0")),
)
"""Rows of (id, label, placeholder)."""


class Launch(Dialog[TaskSpec]):
    """Returns the task to submit, or None."""

    DEFAULT_CSS = """
    Launch #box { width: 94; max-height: 100%; }
    Launch .row { height: 1; }
    Launch .row Label { width: 11; color: $dim; }
    Launch .row Label.next { width: 10; padding-left: 2; }
    Launch Input, Launch Input.-textual-compact { width: 1fr; height: 1; border: none; padding: 0 1; }
    Launch Input { background: $field; }
    Launch Input:focus { background: $cursor; }
    Launch Table { background: $surface; }
    Launch #modules { height: 5; margin: 0 0 1 9; }
    Launch #targets { height: auto; min-height: 3; max-height: 7; margin-top: 1; }
    Launch #verdict { height: 4; margin-top: 1; background: $surface; padding: 0 2; }
    Launch #buttons { margin-top: 0; }
    Launch.-low #modules { height: 3; }
    Launch.-low #targets { max-height: 4; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]  # noqa: RUF012 (Textual's own type)

    def __init__(
        self,
        backend: Callable[[], Backend | None],
        state: Callable[[], State],
        *,
        target: str = "",
        module: Path | None = None,
        folder: Path | None = None,
    ) -> None:
        """`target` and `module` are chosen at first; modules are looked for below `folder`, else the working
        one."""
        super().__init__()
        self._backend = backend
        self._state = state
        self._target = target
        self._module = module
        self._folder = folder or Path.cwd()
        self._found: list[Candidate] = []
        self._plan: Plan | None = None
        self._hasty = False
        """It was accepted before what is typed had been judged: to be launched as soon as it is."""
        self._said: Sequence[Line] = ()
        self._judged: object = None
        self._warned: set[str] = set()
        """Resources whose lack was pointed out: the next enter launches without."""

    # -- composition

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Launch"
            box.border_subtitle = "enter launches · tab goes on · esc cancels"
            with Horizontal(classes="row"):
                yield Label("Module")
                yield Input(
                    value=str(self._module or ""),
                    placeholder="an example, or a .wasm, .wat, .c or .zig file",
                    id="module",
                    compact=True,
                )
            yield self._module_table()
            for row in _FIELDS:
                with Horizontal(classes="row"):
                    for place, (name, label, hint) in enumerate(row):
                        yield Label(label, classes="next" if place else "")
                        yield Input(placeholder=hint, id=name, compact=True)
            yield self._target_table()
            yield Page(widget_id="verdict")
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Launch", id="launch", variant="primary", compact=True, disabled=True)

    def _module_table(self) -> Table[Candidate]:
        columns: tuple[Column[Candidate], ...] = (
            Column("MODULE", lambda one, _: line(one.label), 18, grow=1),
            Column("KIND", lambda one, _: (dim(one.kind),), 7),
            Column("ABOUT", lambda one, _: (dim(one.about),), 20, grow=3),
        )
        return Table(
            columns,
            key=lambda one: one.label,
            search=lambda one: one.label,
            empty=lambda: [(dim("No module of that name here."),)],
            head=False,
            widget_id="modules",
        )

    def _target_table(self) -> Table[FleetRow]:
        columns: tuple[Column[FleetRow], ...] = (
            Column("TARGET", lambda row, _: label_cell(row), 18, grow=1),
            Column("FREE", lambda row, _: free_cell(row), 10, right=True),
            Column("NEEDS", lambda row, _: needs_cell(self._fit(row)), 10, right=True),
            Column("FITS", lambda row, _: self._fits(row), 22, grow=2),
        )
        return Table(
            columns,
            key=lambda row: row.target.name,
            search=lambda row: row.target.name,
            empty=lambda: [(dim("No targets."),)],
            widget_id="targets",
        )

    # -- cells

    def _fit(self, row: FleetRow) -> Fit | None:
        return self._plan.fits.get(row.target.name) if self._plan else None

    def _fits(self, row: FleetRow) -> Line:
        fit = self._fit(row)
        if fit is None:
            return (dim(row.target.link.value),) if row.target.link is not Link.UP else EMPTY
        return verdict_cell(fit)

    # -- coming up

    def on_mount(self) -> None:
        for name in ("#modules", "#verdict"):  # tab goes from field to field; ↑ ↓ and clicks reach the list
            self.query_one(name).can_focus = False
        self.set_focus(self.query_one("#arguments" if self._module else "#module", Input))
        self.refresh_targets()
        if self._target:
            self.query_one("#targets", Table).select(self._target)
        self._say([(dim("Choose a module."),)])
        self._find_modules()

    @work(group="find")
    async def _find_modules(self) -> None:
        self._found = await asyncio.to_thread(candidates, self._folder)
        self._list_modules()

    @property
    def composed(self) -> bool:
        """Its widgets are there: not before they are made, nor while it goes away."""
        return len(self.query("#launch, #verdict, #modules, #targets")) == 4

    def refresh_targets(self) -> None:
        """Newer facts of the fleet; a plan is judged anew when they touch it."""
        if not self.composed:
            return
        state = self._state()
        self.query_one("#targets", Table).show(fleet_rows(state))
        facts = (state.targets, state.tasks, state.offers)
        seen, self._judged = self._judged, facts
        if isinstance(seen, tuple) and any(a is not b for a, b in zip(seen, facts, strict=True)):
            self._judge()

    def _list_modules(self) -> None:
        if not self.composed:
            return
        table = self.query_one("#modules", Table)
        table.show(matching(self._found, self.query_one("#module", Input).value))
        table.action_list_top()
        self._judge()

    # -- what is chosen

    @property
    def chosen(self) -> str:
        """The target under the cursor."""
        return self.query_one("#targets", Table).selected_key or ""

    def _draft(self) -> Draft | None:
        row = self.query_one("#modules", Table).selected
        if not isinstance(row, Candidate):
            return None
        values = {
            name: self.query_one(f"#{name}", Input).value for fields in _FIELDS for name, _, _ in fields
        }
        return Draft(row.path, **values)

    @work(exclusive=True, group="judge")
    async def _judge(self) -> None:
        await asyncio.sleep(_PAUSE)
        if not self.composed:
            return
        draft, backend = self._draft(), self._backend()
        if draft is None:
            self._planned(None, [(Span("There is no such module. Examples need no path.", Tone.WARN),)])
            return
        if backend is None:
            self._planned(None, [(Span("The session is not up yet.", Tone.WARN),)])
            return
        if self._plan is None:
            self._say([(dim(f"Compiling {draft.module.name} …"),)])
        try:
            plan = await make_plan(backend, draft, self._state())
        except Exception as error:
            if not self.composed:
                return
            width = self.query_one("#verdict", Page).size.width
            self._planned(
                None, [(Span(piece, Tone.BAD),) for piece in _wrapped(" ".join(words(error)), width)]
            )
            return
        self._planned(plan, ())

    def _planned(self, plan: Plan | None, said: Sequence[Line]) -> None:
        self._plan = plan
        if not self.composed:
            return
        self.query_one("#targets", Table).refresh()
        self._said = said
        self._show_verdict()
        if self._hasty:
            self._hasty = False
            self._launch_if_it_fits()

    def _show_verdict(self) -> None:
        if not self.composed:
            return
        plan, button = self._plan, self.query_one("#launch", Button)
        fit = plan.fits.get(self.chosen) if plan else None
        button.disabled = fit is None or not fit.possible
        button.label = "Launch" if fit is None or not fit.waits else "Queue"
        width = self.query_one("#verdict", Page).size.width
        self._say(self._said if plan is None else _verdict(plan, fit, self._warned, width))

    def _say(self, lines: Sequence[Line]) -> None:
        self.query_one("#verdict", Page).show(lambda _: lines)

    # -- keys and mouse

    def on_key(self, event: events.Key) -> None:
        """In the module's field up and down go through the list below it."""
        if event.key in ("up", "down") and self.query_one("#module", Input).has_focus:
            table = self.query_one("#modules", Table)
            (table.action_list_up if event.key == "up" else table.action_list_down)()
            event.stop()

    @on(Input.Changed, "#module")
    def _module_typed(self) -> None:
        self._list_modules()

    @on(Input.Changed)
    def _field_typed(self) -> None:
        self._hasty = False
        self._judge()

    @on(Table.Selected)
    def _row_chosen(self, event: Table.Selected) -> None:
        if event.table.id == "targets":
            self._show_verdict()
        else:
            self._plan = None
            self._judge()

    @on(Table.Opened)
    def _row_opened(self) -> None:
        self._accept()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self._accept()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "launch":
            self._accept()
        else:
            self.dismiss(None)

    def _accept(self) -> None:
        draft = self._draft()
        self._hasty = draft is not None and (self._plan is None or self._plan.draft != draft)
        if self._hasty:
            self._judge()
        else:
            self._launch_if_it_fits()

    def _launch_if_it_fits(self) -> None:
        fit = self._plan.fits.get(self.chosen) if self._plan else None
        if self._plan is None or fit is None or not fit.possible:
            self.app.bell()
            return
        for one in self._plan.ungranted:
            if one.resource not in self._warned:
                self._warned.add(one.resource)
                self.query_one(f"#{one.resource}", Input).focus()
                self._show_verdict()
                self.app.bell()
                return
        self.dismiss(self._plan.spec(self.chosen))


def _verdict(plan: Plan, fit: Fit | None, warned: Set[str], width: int) -> Sequence[Line]:
    """`warned` are the resources whose lack was pointed out before."""
    if fit is None:
        return [(dim("Choose a target."),)]
    said = [(f"Not on {fit.target}: {reason}.", Tone.BAD) for reason in fit.never]
    said += [(f"It would wait on {fit.target}: {reason}.", Tone.WARN) for reason in fit.waits]
    if not said:
        said.append((f"Fits on {fit.target}: {fit.mem:,} of {fit.free:,} free bytes.", Tone.GOOD))
    for one in plan.ungranted if fit.possible else ():
        anyway = " Enter launches it all the same." if one.resource in warned else ""
        said.append((f"{plan.draft.module.stem} {one.text}.{anyway}", Tone.WARN))
    if fit.parts is not None:
        parts = fit.parts
        split = (
            f"{len(plan.module):,} bytes of WebAssembly become code {parts.code:,} · stack {parts.stack:,} · "
            f"memory {parts.memory:,} · log {parts.log:,} · result {parts.result:,}"
        )
        said.append((split, Tone.DIM))
    return [(Span(piece, tone),) for text, tone in said for piece in _wrapped(text, width)]


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(text.replace("..", "."), max(20, width))
