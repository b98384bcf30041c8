"""The top line: which master, as which framework, how many agents and links, what runs, what time it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from console.look.figures import clock_text, counted
from console.look.spans import Line, Span, Tone, line, width
from console.state.model import Link, State, Target, short_id
from console.state.rows import LINK_MARKS
from console.widgets.lines import OneLine

_DOTS = 8
"""So many links are drawn one by one; more are counted."""


class StatusLine(OneLine):
    """Draws the state of the session."""

    DEFAULT_CSS = """
    StatusLine { background: $bar; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._state: State | None = None
        self._now = 0.0
        self._readonly = False

    def show(self, state: State, now: float, *, readonly: bool = False) -> None:
        """Newer facts."""
        self._state, self._now, self._readonly = state, now, readonly
        self.update()

    def spans(self, cells: int) -> Iterable[Span]:
        """As many facts as there is room for, the most important ones first; the clock at the right."""
        if self._state is None:
            return
        clock = Span(clock_text(self._now) + " ", Tone.DIM)
        left = list(line(Span(" mma ", Tone.MARK), " "))
        if self._readonly:
            left[1:] = [Span(" read-only ", Tone.WARN), Span(" ")]
        room = cells - width((clock,)) - width(left) - 1
        tight = cells < 100
        for fact in _facts(self._state, tight):
            gap = Span("" if left[-1].text == " " else "  " if tight else "   ")
            if width(fact) + width((gap,)) > room:
                continue
            left += [gap, *fact]
            room -= width(fact) + width((gap,))
        yield from left
        yield Span(" " * (room + 1))
        yield clock


def _facts(state: State, tight: bool) -> Iterable[Line]:
    master = state.master
    if master.connected:
        yield line(Span("● ", Tone.GOOD), master.url.removeprefix("http://"))
    else:
        tone = Tone.BAD if master.failed or master.url else Tone.WARN
        yield line(Span("✗ " if tone is Tone.BAD else "◐ ", tone), Span(_short(master.message), tone))
    if master.framework_id:
        yield line(Span("fw " if tight else "framework ", Tone.DIM), _framework(master.framework_id))
    yield line(counted(len(state.targets) - _unknown(state.targets), "agent"))
    if links := [target.link for target in state.targets.values()]:
        up = links.count(Link.UP) + links.count(Link.ELSEWHERE)
        dots = [Span(*LINK_MARKS[link]) for link in links] if len(links) <= _DOTS else []
        tone = Tone.TEXT if up == len(links) else Tone.WARN
        yield line(Span("link ", Tone.DIM), *dots, Span(f"{' ' if dots else ''}{up}/{len(links)}", tone))
    running = len(state.living_tasks)
    yield line(counted(running, "task"))


def _unknown(targets: Mapping[str, Target]) -> int:
    """Targets whose agent the master did not tell of yet."""
    return [target.agent_id for target in targets.values()].count("")


def _framework(identifier: str) -> str:
    """Mesos's ids are a UUID and a number: its first and its last part name it well enough."""
    head, _, tail = identifier.rpartition("-")
    return f"{head[:4]}…{tail}" if len(head) > 8 else short_id(identifier)


def _short(text: str) -> str:
    first = text.partition(". ")[0].rstrip(".")
    return first if len(first) <= 60 else first[:59] + "…"
