"""The help: every action with its keys, by group, made from the registry; and what the marks mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from console.actions import ACTIONS, Action, Group, Scope, keys_of
from console.cluster.mesos import TaskState
from console.look.spans import EMPTY, Line, Span, Tone, dim, wrap
from console.pages.parts import heading
from console.state.model import Link
from console.state.rows import LINK_MARKS, task_mark

_WHERE = {
    Scope.FLEET: "in Fleet",
    Scope.OFFERS: "in Offers",
    Scope.TASKS: "in Tasks",
    Scope.LOGS: "in Logs",
    Scope.DEBUG: "in Debug",
    Scope.MEMORY: "in Memory",
    Scope.DIALOG: "in dialogs",
    Scope.CONFIRM: "in questions",
}
_KEYS = 16
_LABEL = 16


def help_page(cells: int, overrides: Mapping[str, str] | None = None) -> Sequence[Line]:
    """All of it."""
    lines: list[Line] = []
    for group in Group:
        lines += heading(group.value)
        for action in ACTIONS:
            if action.group is group:
                lines += _action(action, cells, overrides)
    lines += heading("marks")
    lines.append((dim("  links  "), *_marks([(*LINK_MARKS[link], link.value) for link in Link])))
    states = (TaskState.WAITING, TaskState.STAGING, TaskState.RUNNING, TaskState.FINISHED)
    others = (TaskState.KILLED, TaskState.FAILED, TaskState.UNREACHABLE)
    lines += [
        (
            dim("  tasks  " if place == 0 else "         "),
            *_marks([(*task_mark(s), s.short.lower()) for s in some]),
        )
        for place, some in enumerate((states, others))
    ]
    return [*lines[1:], EMPTY]


def _action(action: Action, cells: int, overrides: Mapping[str, str] | None) -> list[Line]:
    keys = " ".join(keys_of(action, overrides))
    where = _WHERE.get(action.scope, "")
    words = action.help + (f" ({where})" if where else "")
    room = max(20, cells - 2 - _KEYS - _LABEL)
    lines: list[Line] = []
    for place, piece in enumerate(wrap(words, room)):
        if place == 0:
            label = Span(f"{action.label:<{_LABEL}}", Tone.BAD if action.destructive else Tone.TEXT)
            lines.append((Span(f"  {keys:<{_KEYS - 1}} ", Tone.MARK), label, dim(piece)))
        else:
            lines.append((Span(" " * (2 + _KEYS + _LABEL)), dim(piece)))
    return lines


def _marks(marks: Sequence[tuple[str, Tone, str]]) -> list[Span]:
    spans: list[Span] = []
    for glyph, tone, name in marks:
        spans += [Span(f"{glyph} ", tone), Span(f"{name}   ")]
    return spans
