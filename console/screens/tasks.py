"""Tasks: their states, what they use, their results."""

from __future__ import annotations

from collections.abc import Sequence

from console.actions import Scope, bindings
from console.cluster.mesos import TaskState
from console.look.figures import age_text, share_text, size_text
from console.look.spans import EMPTY, Line, Span, Tone, dim, line
from console.messages import CloneAsked, KillAsked, LogsAsked, RestartAsked
from console.pages.parts import nothing
from console.pages.task import task_page
from console.screens.view import ListView
from console.state.logbook import ALL
from console.state.rows import TaskRow, task_mark, task_rows
from console.widgets.table import Column, Table


def _name(row: TaskRow, cells: int) -> Line:
    head, dash, tail = row.task.id.rpartition("-")
    return (Span(head or tail), dim(f"{dash}{tail}" if head else ""))


def _state(row: TaskRow, cells: int) -> Line:
    mark, tone = task_mark(row.task.state)
    return (Span(f"{mark} {row.task.state.short.lower()}", tone),)


def _cpu(row: TaskRow, cells: int) -> Line:
    if row.load is not None:
        return (Span(share_text(row.load)),)
    return (dim(share_text(row.task.spec.resources.scalars.get("cpus", 0.0))),)


def _outcome(row: TaskRow, cells: int) -> Line:
    tone = Tone.STRONG if row.task.state is TaskState.FINISHED else Tone.DIM
    return (Span(row.outcome, tone),)


COLUMNS: tuple[Column[TaskRow], ...] = (
    Column("TASK", _name, 15, grow=1, sort=lambda row: row.task.id),
    Column("STATE", _state, 10, sort=lambda row: row.task.state.value),
    Column(
        "TARGET", lambda row, _: line(row.task.spec.target), 12, grow=1, sort=lambda row: row.task.spec.target
    ),
    Column(
        "AGE", lambda row, _: (Span(age_text(row.age), Tone.DIM),), 6, right=True, sort=lambda row: row.age
    ),
    Column("CPU", _cpu, 4, right=True, sort=lambda row: row.load or 0.0),
    Column(
        "BYTES",
        lambda row, _: (Span(size_text(row.mem)),) if row.mem else EMPTY,
        8,
        right=True,
        sort=lambda row: row.mem,
        needs=72,
    ),
    Column("RESULT", _outcome, 8, grow=2, sort=lambda row: row.outcome),
)


class TasksScreen(ListView):
    """Tasks and the detail of one."""

    NAME = "tasks"
    BINDINGS = bindings(Scope.TASKS)

    def __init__(self) -> None:
        super().__init__()
        self._with_ended = True
        self._state_seen: TaskState | None = None

    def make_table(self) -> Table[TaskRow]:
        """The tasks."""
        return Table(
            COLUMNS,
            key=lambda row: row.task.id,
            search=lambda row: f"{row.task.id} {row.task.state.short} {row.task.spec.target} {row.outcome}",
            empty=self._empty,
            widget_id="list",
        )

    def _empty(self) -> Sequence[Line]:
        if self.state.tasks and not self._with_ended:
            return nothing("No task runs.", "a shows the ended ones; n launches another.")
        return nothing(
            "No tasks yet.",
            "n chooses a module (an example, or a .wasm, .wat, .c or .zig file) and launches it.",
        )

    def rows(self) -> Sequence[TaskRow]:
        """The newest first."""
        return task_rows(self.state, self.now, ended=self._with_ended)

    def page(self, key: str | None, width: int) -> Sequence[Line]:
        """Result, states, use, log."""
        return task_page(self.state, key, self.now, width, log=not self.log_below) if key else ()

    def below(self) -> tuple[str, str]:
        """The selected task's lines."""
        key = self.table.selected_key or ""
        return (key, f"log of {key}") if key else (ALL, "activity")

    def note(self) -> Line:
        """How many, and which."""
        living = len(self.state.living_tasks)
        text = f"{living} living · {len(self.state.tasks)} in all" if self._with_ended else "only living ones"
        return line(dim(text))

    def launch_target(self) -> str:
        """That of the selected task."""
        row = self.table.selected
        return row.task.spec.target if isinstance(row, TaskRow) else ""

    def on_table_selected(self, event: Table.Selected) -> None:
        """What can be done depends on the row."""
        super().on_table_selected(event)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only living tasks can be killed."""
        if action in ("task_kill", "task_logs", "task_restart", "task_clone"):
            row = self.table.selected if self.is_mounted else None
            if not isinstance(row, TaskRow):
                return None
            return None if action == "task_kill" and row.task.state.terminal else True
        return True

    def redraw(self) -> None:
        """And the keys, when the selected task ended."""
        super().redraw()
        row = self.table.selected
        state = row.task.state if isinstance(row, TaskRow) else None
        if state is not self._state_seen:
            self._state_seen = state
            self.refresh_bindings()

    def action_task_kill(self) -> None:
        if self.table.selected_key:
            self.post_message(KillAsked(self.table.selected_key))

    def action_task_restart(self) -> None:
        if self.table.selected_key:
            self.post_message(RestartAsked(self.table.selected_key))

    def action_task_clone(self) -> None:
        if self.table.selected_key:
            self.post_message(CloneAsked(self.table.selected_key))

    def action_task_logs(self) -> None:
        if self.table.selected_key:
            self.post_message(LogsAsked(self.table.selected_key))

    def action_task_living(self) -> None:
        self._with_ended = not self._with_ended
        self.redraw()
        self.redraw_frame()
