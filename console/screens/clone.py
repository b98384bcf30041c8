"""Clone: where else a task could run, to the byte, and what it would ask there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Label

from console.cluster.mesos import Task, TaskSpec
from console.fit.cells import free_cell, label_cell, needs_cell, verdict_cell
from console.fit.planner import Fit, clone_fits, cloned
from console.live.seam import Backend
from console.look.spans import Line, dim
from console.screens.dialog import Dialog
from console.state.model import State
from console.state.rows import FleetRow, fleet_rows
from console.trouble import words
from console.widgets.table import Column, Table


class Clone(Dialog[TaskSpec]):
    """Returns the task to submit, or None."""

    DEFAULT_CSS = """
    Clone #box { width: 84; }
    Clone Table { background: $surface; height: auto; min-height: 3; max-height: 12; }
    Clone #said { color: $dim; height: auto; }
    """

    def __init__(self, task: Task, backend: Callable[[], Backend | None], state: Callable[[], State]) -> None:
        super().__init__()
        self._original = task
        self._backend = backend
        self._state = state
        self._fits: Mapping[str, Fit] = {}

    def compose(self) -> ComposeResult:
        spec = self._original.spec
        columns: tuple[Column[FleetRow], ...] = (
            Column("TARGET", self._label, 22, grow=1),
            Column("FREE", lambda row, _: free_cell(row), 10, right=True),
            Column("NEEDS", lambda row, _: needs_cell(self._fit(row)), 10, right=True),
            Column("FITS", self._verdict, 26, grow=2),
        )
        with Vertical(id="box") as box:
            box.border_title = f"Clone {self._original.id}"
            box.border_subtitle = "enter launches it there · esc cancels"
            arguments = f" {' '.join(spec.arguments)}" if spec.arguments else ""
            said = f"{spec.name}{arguments}, as it was launched on {spec.target}"
            yield Label(said, id="said", markup=False)
            yield Table(
                columns,
                key=lambda row: row.target.name,
                search=lambda row: row.target.name,
                empty=lambda: [(dim("No targets."),)],
                widget_id="targets",
            )
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Launch", id="launch", variant="primary", compact=True, disabled=True)

    def on_mount(self) -> None:
        self.refresh_targets()
        table = self.query_one(Table)
        others = [row.target.name for row in table.rows if row.target.name != self._original.spec.target]
        if others:
            table.select(others[0])
        self.set_focus(table)
        self._judge()

    def refresh_targets(self) -> None:
        """Newer facts of the fleet."""
        if self.query(Table):
            self.query_one(Table).show(fleet_rows(self._state()))

    @work(exclusive=True)
    async def _judge(self) -> None:
        """Ask each target for the sizes."""
        backend = self._backend()
        try:
            if backend is not None:
                self._fits = await clone_fits(backend, self._original.spec, self._state())
        except Exception as error:
            self.query_one("#said", Label).update(" ".join(words(error)))
            return
        if self.query(Table):
            self.query_one(Table).refresh()
            self._allow()

    # -- cells

    def _fit(self, row: FleetRow) -> Fit | None:
        return self._fits.get(row.target.name)

    def _label(self, row: FleetRow, cells: int) -> Line:
        here = row.target.name == self._original.spec.target
        return (*label_cell(row), dim(" here" if here else ""))

    def _verdict(self, row: FleetRow, cells: int) -> Line:
        fit = self._fit(row)
        return (dim("…"),) if fit is None else verdict_cell(fit)

    # -- choosing

    @property
    def _chosen(self) -> Fit | None:
        fit = self._fits.get(self.query_one(Table).selected_key or "")
        return fit if fit is not None and fit.possible else None

    def _allow(self) -> None:
        fit, button = self._chosen, self.query_one("#launch", Button)
        button.disabled = fit is None
        button.label = "Queue" if fit is not None and fit.waits else "Launch"

    @on(Table.Selected)
    def _row_chosen(self) -> None:
        self._allow()

    @on(Table.Opened)
    def _row_opened(self) -> None:
        fit = self._chosen
        if fit is None:
            self.app.bell()
        else:
            self.dismiss(cloned(self._original.spec, fit))

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "launch":
            self._row_opened()
        else:
            self.dismiss(None)
