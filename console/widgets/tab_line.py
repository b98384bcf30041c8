"""The second line: the views with their digits and counts. A click goes there."""

from __future__ import annotations

from collections.abc import Iterable

from textual.strip import Strip

from console.actions import ACTIONS, Action, Group, Scope
from console.model import State
from console.spans import Line, Span, Tone, fit, width
from console.widgets.lines import OneLine

VIEWS: tuple[Action, ...] = tuple(
    action
    for action in ACTIONS
    if action.group is Group.VIEWS and action.scope is Scope.VIEW and action.keys[0].isdecimal()
)
"""The actions that go to a view, in the order of their digits."""


def view_name(action: Action) -> str:
    """`view.fleet` is `fleet`: the name of its mode."""
    return action.id.removeprefix("view.")


class TabLine(OneLine):
    """Draws the views, and on the right what the present one has to say of itself."""

    DEFAULT_CSS = """
    TabLine { background: $background; height: 2; }
    """

    def __init__(self, current: str) -> None:
        super().__init__()
        self._current = current
        self._state: State | None = None
        self._note: Line = ()
        self._here = (0, 0)

    def show(self, state: State, note: Line = ()) -> None:
        """Newer facts; `note` stands at the right."""
        self._state, self._note = state, note
        self.update()

    def render_line(self, y: int) -> Strip:
        """The tabs; below them a rule, heavy under the present one."""
        if y == 0:
            return super().render_line(0)
        start, end = self._here
        cells = self.size.width
        rule = (
            Span("─" * start, Tone.TRACK),
            Span("━" * (end - start), Tone.ACCENT),
            Span("─" * (cells - end), Tone.TRACK),
        )
        return self.strip(rule, cells)

    def spans(self, cells: int) -> Iterable[Span]:
        """Digit, name and count of each view."""
        tabs: list[Span] = [Span(" ")]
        for action in VIEWS:
            name = view_name(action)
            here = name == self._current
            begin = width(tabs)
            click = f"screen.{action.method}"
            tabs.append(Span(f" {action.keys[0]} ", Tone.MARK if here else Tone.DIM, click))
            tabs.append(Span(action.label, Tone.STRONG if here else Tone.DIM, click))
            count = self._count(name)
            tabs.append(Span(f" {count}" if count else "", Tone.ACCENT if here else Tone.DIM, click))
            if here:
                self._here = (begin, width(tabs) + 1)
            tabs.append(Span("  "))
        room = cells - width(tabs) - 1
        yield from tabs
        yield from fit(self._note, max(0, room), right=True)

    def _count(self, name: str) -> int:
        state = self._state
        if state is None:
            return 0
        counts = {
            "fleet": len(state.targets),
            "offers": len(state.open_offers),
            "tasks": len(state.living_tasks),
        }
        return counts.get(name, 0)
