"""Logs: what executors and devices say, with Mesos's messages between, of all or of one source."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget

from console.actions import Scope, bindings
from console.look.figures import counted
from console.look.spans import Line, Span, Tone, dim, line
from console.messages import Done, Trouble
from console.pages.log_line import Times, file_line
from console.pages.parts import nothing
from console.screens.view import View
from console.state.filters import Filter
from console.state.logbook import ALL, COMMANDS
from console.state.model import MESOS
from console.state.rows import LINK_MARKS, task_mark
from console.widgets.log_view import LogView
from console.widgets.panes import Split
from console.widgets.prompt import Prompt
from console.widgets.table import Column, Table


@dataclass(frozen=True, slots=True)
class Source:
    """One choice of what to read. `lines` is how many it said so far."""

    key: str
    label: str
    mark: str
    tone: Tone
    lines: int


class LogsScreen(View):
    """Sources at the left, lines at the right."""

    NAME = "logs"
    BINDINGS = bindings(Scope.LOGS)
    SPLITS = (Split("sources", "#sources", "#reading"),)

    DEFAULT_CSS = """
    LogsScreen #sources { width: 30; border-right: solid $rule; }
    LogsScreen #sources:focus { border-right: solid $primary; }
    LogsScreen.-narrow #sources { display: none; }
    LogsScreen.-sources #sources { display: block; }
    LogsScreen #reading { width: 1fr; height: 1fr; }
    LogsScreen #lines { width: 1fr; height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._source = ALL
        self._coap = False
        self._listed: tuple[object, ...] | None = None

    def body(self) -> ComposeResult:
        """Sources and lines."""
        columns: tuple[Column[Source], ...] = (
            Column("SOURCE", lambda one, _: (Span(f"{one.mark} ", one.tone), Span(one.label)), 12, grow=1),
            Column("LINES", lambda one, _: (dim(f"{one.lines:,}"),), 7, right=True),
        )
        yield Table(columns, key=lambda one: one.key, search=lambda one: one.label, widget_id="sources")
        with Vertical(id="reading"):
            yield LogView(widget_id="lines")
            yield Prompt()

    @property
    def lines(self) -> LogView:
        """The lines."""
        return self.query_one("#lines", LogView)

    @property
    def sources(self) -> Table[Source]:
        """The choices."""
        return self.query_one("#sources", Table)

    def main(self) -> Widget:
        """The lines."""
        return self.lines

    def read(self, source: str) -> None:
        """Show another source."""
        self._source = source
        if self.is_mounted:
            self.lines.follow(True)
            self.sources.select(source)
            self.redraw()
            self.redraw_frame()

    def redraw(self) -> None:
        """Both; the sources with their counts once a second, or when there are others."""
        facts = (self.state.targets, self.state.tasks, int(self.now))
        if facts != self._listed:
            self._listed = facts
            self.sources.show(self._sources())
        ring = self.state.logs.ring(self._source, coap=self._coap)
        self.lines.show(ring, self._source, self._empty())

    def _sources(self) -> list[Source]:
        logs = self.state.logs
        found = [
            Source(ALL, "everything", "*", Tone.MARK, logs.total),
            Source(MESOS, "Mesos", "◆", Tone.DIM, logs.ring(MESOS).total),
            Source(COMMANDS, "commands", "$", Tone.DIM, logs.ring(COMMANDS).total),
        ]
        for target in self.state.targets.values():
            mark, tone = LINK_MARKS[target.link]
            found.append(Source(target.name, target.name, mark, tone, logs.ring(target.name).total))
        for task in reversed(list(self.state.tasks.values())):
            mark, tone = task_mark(task.state)
            total = logs.ring(task.id).total
            if total:
                found.append(Source(task.id, task.id, mark, tone, total))
        return found

    def _empty(self) -> Sequence[Line]:
        if self._source == ALL:
            return nothing(
                "Nothing was said yet.", "Boards, executors and Mesos are heard here as they speak."
            )
        return nothing(f"{self._source} has said nothing yet.", "s chooses another source.")

    def note(self) -> Line:
        """Source and whether it follows."""
        view = self.lines
        name = "everything" if self._source == ALL else self._source
        if self._coap:
            name += " with CoAP"
        if view.times is not Times.HOST:
            name += f" · {view.times.value}"
        if view.wanted:
            name += f" · “{view.wanted}”"
        if view.following:
            tail = Span("following", Tone.GOOD)
        else:
            tail = Span(f"paused, {view.unseen:,} new: f follows", Tone.WARN)
        return line(dim(f"{name} · "), tail)

    def apply_filter(self, where: Filter) -> None:
        """On the lines."""
        self.lines.where = where

    def counted(self) -> tuple[int, int]:
        """Lines."""
        return self.lines.count

    def on_log_view_followed(self) -> None:
        """The note says so."""
        self.redraw_frame()

    def on_table_selected(self, event: Table.Selected) -> None:
        """Reading follows the cursor among the sources."""
        if event.key is not None and event.key != self._source:
            self._source = event.key
            self.lines.follow(True)
            self.redraw()
            self.redraw_frame()

    def on_table_opened(self, event: Table.Opened) -> None:
        """Enter: to the lines."""
        self.leave_detail()

    def leave_detail(self) -> bool:
        """From typing, from the sources to the lines; then what was searched for is dropped."""
        if self.query_one(Prompt).leave():
            return True
        if not self.sources.has_focus:
            dropped = self.lines.forget_search()
            self.redraw_frame()
            return dropped
        self.remove_class("-sources")
        self.set_focus(self.lines)
        return True

    def action_log_source(self) -> None:
        self.add_class("-sources")
        self.set_focus(self.sources)

    def action_log_follow(self) -> None:
        self.lines.follow(not self.lines.following)

    def action_log_wrap(self) -> None:
        self.lines.wrap(not self.lines.wrapping)

    def action_log_mesos(self) -> None:
        self.lines.mesos = not self.lines.mesos
        self.redraw_frame()

    def action_log_coap(self) -> None:
        self._coap = not self._coap
        self.redraw()
        self.redraw_frame()

    def action_log_clock(self) -> None:
        order = list(Times)
        self.lines.times = order[(order.index(self.lines.times) + 1) % len(order)]
        self.redraw_frame()

    # -- searching

    def action_log_find(self) -> None:
        self.query_one(Prompt).begin("find", "find", "a text; N and P go to the next and the one before")

    def go_match(self, by: int) -> None:
        """Through what was searched for, else through what the filter found."""
        if self.lines.wanted:
            self._find(self.lines.wanted, back=by < 0, again=True)
        else:
            super().go_match(by)

    def on_prompt_given(self, event: Prompt.Given) -> None:
        """What to search for: upwards, since the newest lines are below."""
        self._find(event.text, back=self.lines.following)

    def on_prompt_left(self) -> None:
        """Typing is over."""
        self.set_focus(self.lines)

    def _find(self, text: str, *, back: bool = False, again: bool = False) -> None:
        if not text:
            self.action_log_find()
            return
        if not self.lines.find(text, back=back, again=again):
            self.post_message(Trouble(f"No line here has “{text}”.", "Another source or filter may have it."))
        self.redraw_frame()

    # -- saving

    def action_log_save(self) -> None:
        lines = list(self.lines.lines())
        name = time.strftime("mma-logs-%Y%m%d-%H%M%S.txt", time.localtime(self.now))

        def write() -> None:
            text = "".join(f"{file_line(one)}\n" for one in lines)
            Path(name).write_text(text, encoding="utf-8")

        async def save() -> None:
            try:
                await asyncio.to_thread(write)
            except OSError as error:
                text = f"The log was not saved: {error.strerror}."
                self.post_message(Trouble(text, "Is the folder writable?"))
            else:
                self.post_message(Done(f"Saved {counted(len(lines), 'line')} as {name}."))

        self.run_worker(save(), group="save", exclusive=True)
