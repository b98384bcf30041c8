"""Fleet: every target with its link, its memory to the byte and what runs on it."""

from __future__ import annotations

from collections.abc import Sequence

from console.actions import Scope, bindings
from console.look.figures import bar, bars, bytes_text, load_tone, share_text, size_text, trip_text
from console.look.spans import EMPTY, Line, Span, Tone, dim, line
from console.messages import DebugTargetAsked, FaultAsked, KillAllAsked, LogsAsked, MemoryTargetAsked
from console.pages.parts import nothing
from console.pages.target import target_page
from console.screens.view import ListView
from console.state.model import Link
from console.state.once import Once
from console.state.rows import LINK_MARKS, FleetRow, fleet_rows, grade
from console.widgets.table import Column, Table


def _is_host(row: FleetRow) -> bool:
    return row.target.name == "host" or row.target.name.startswith("host-")


def _state(row: FleetRow, cells: int) -> Line:
    if row.held:
        return (Span("■ held", Tone.WARN),)
    mark, tone = LINK_MARKS[row.target.link]
    return (Span(f"{mark} {row.target.link.value}", tone),)


def _link(row: FleetRow, cells: int) -> Line:
    quality = row.target.quality
    if quality is None:
        return (dim("–"),)  # noqa: RUF001 (a dash is meant)
    drawn = bars(*grade(row.target))
    trip = trip_text(quality.round_trip) if quality.round_trip and cells >= 11 else ""
    return (*drawn, Span(f" {trip:>6}")) if trip else drawn


def _cpu(row: FleetRow, cells: int) -> Line:
    if row.target.link is not Link.UP or not row.target.cpu:
        return (dim("–"),)  # noqa: RUF001 (a dash is meant)
    return (Span(share_text(row.load), load_tone(row.load) if row.load >= 0.8 else Tone.TEXT),)


def _memory(row: FleetRow, cells: int) -> Line:
    if not row.target.mem_bytes:
        tone = Tone.BAD if row.target.link is Link.FAILED else Tone.DIM
        return (Span(row.target.message, tone),)
    return bar(row.share, cells)


def _bytes(size: int, row: FleetRow, tone: Tone = Tone.TEXT) -> Line:
    return (Span(size_text(size), tone),) if row.target.mem_bytes else EMPTY


def _tasks(row: FleetRow, cells: int) -> Line:
    return (Span(str(row.tasks)) if row.tasks else dim("0"),)


COLUMNS: tuple[Column[FleetRow], ...] = (
    Column("TARGET", lambda row, _: line(row.target.name), 14, grow=2, sort=lambda row: row.target.name),
    Column("STATE", _state, 10, sort=lambda row: row.target.link.value),
    Column("LINK", _link, 4, grow=1, sort=lambda row: row.target.trouble),
    Column("CPU", _cpu, 4, right=True, sort=lambda row: row.load),
    Column("MEMORY", _memory, 8, grow=3, sort=lambda row: row.share),
    Column("FREE", lambda row, _: _bytes(row.free, row), 9, right=True, sort=lambda row: row.free),
    Column(
        "OF",
        lambda row, _: _bytes(row.target.mem_bytes, row, Tone.DIM),
        9,
        right=True,
        needs=79,
        sort=lambda row: row.target.mem_bytes,
    ),
    Column("TASKS", _tasks, 5, right=True, sort=lambda row: row.tasks),
)


@Once
def _free(rows: Sequence[FleetRow]) -> int | None:
    """Bytes that all boards have; None where there is none."""
    free = [row.free for row in rows if row.mem and not _is_host(row)]
    return sum(free) if free else None


def _search(row: FleetRow) -> str:
    description = row.target.description
    attributes = description.attributes.items() if description else ()
    words = " ".join(f"{name}:{value}" for name, value in attributes)
    return f"{row.target.name} {row.target.link.value} {words}"


class FleetScreen(ListView):
    """Targets and the detail of one."""

    NAME = "fleet"
    BINDINGS = bindings(Scope.FLEET)

    def __init__(self) -> None:
        super().__init__()
        self._fleet: Sequence[FleetRow] = ()

    def make_table(self) -> Table[FleetRow]:
        """The targets."""
        return Table(
            COLUMNS,
            key=lambda row: row.target.name,
            search=_search,
            empty=lambda: nothing(
                "No targets.",
                "Start the console with some: mma console --target stm32f4@qemu --target host",
            ),
            widget_id="list",
        )

    def facts(self) -> tuple[object, ...]:
        """Of the model, which makes them anew when they change."""
        debug = self.state.debug
        return (self.state.targets, self.state.tasks, self.state.executors, debug.target, debug.phase)

    def rows(self) -> Sequence[FleetRow]:
        """In the order they were named."""
        self._fleet = fleet_rows(self.state)
        return self._fleet

    def page(self, key: str | None, width: int) -> Sequence[Line]:
        """Memory, executors, resources, attributes."""
        return target_page(self.state, key, self.now, width) if key else ()

    def note(self) -> Line:
        """Memory of all boards; the gateway itself has a hundred thousand times as much."""
        free = _free(self._fleet)
        return EMPTY if free is None else line(dim(f"boards: {bytes_text(free)} free"))

    def launch_target(self) -> str:
        """The selected one."""
        return self.table.selected_key or ""

    def action_target_kill_all(self) -> None:
        if self.table.selected_key:
            self.post_message(KillAllAsked(self.table.selected_key))

    def action_target_fault(self) -> None:
        if self.table.selected_key:
            self.post_message(FaultAsked(self.table.selected_key))

    def action_target_debug(self) -> None:
        if self.table.selected_key:
            self.post_message(DebugTargetAsked(self.table.selected_key))

    def action_target_memory(self) -> None:
        if self.table.selected_key:
            self.post_message(MemoryTargetAsked(self.table.selected_key))

    def action_target_logs(self) -> None:
        if self.table.selected_key:
            self.post_message(LogsAsked(self.table.selected_key))
