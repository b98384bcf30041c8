"""Moving in whatever scrolls: tables, details, logs."""

from __future__ import annotations

from console.actions.action import Action, Group, Scope

MOVE: tuple[Action, ...] = (
    Action("list.down", ("down",), "Down", "One line down.", Group.MOVE, Scope.LIST, vim=("j",)),
    Action("list.up", ("up",), "Up", "One line up.", Group.MOVE, Scope.LIST, vim=("k",)),
    Action("list.top", ("home",), "Top", "To the first line.", Group.MOVE, Scope.LIST, vim=("g",)),
    Action("list.bottom", ("end",), "Bottom", "To the last line.", Group.MOVE, Scope.LIST, vim=("G",)),
    Action(
        "list.page_down",
        ("pagedown", "space"),
        "Page down",
        "One page down.",
        Group.MOVE,
        Scope.LIST,
        vim=("ctrl+d",),
    ),
    Action("list.page_up", ("pageup",), "Page up", "One page up.", Group.MOVE, Scope.LIST, vim=("ctrl+u",)),
    Action("list.open", ("enter",), "Detail", "All of the selected row.", Group.MOVE, Scope.TABLE, show=True),
    Action("list.sort", ("s",), "Sort", "Sort by the next column.", Group.MOVE, Scope.TABLE),
    Action("list.reverse", ("S",), "Reverse", "Sort the other way round.", Group.MOVE, Scope.TABLE),
    Action(
        "view.back",
        ("escape",),
        "Back",
        "Close the detail, then drop the filter.",
        Group.MOVE,
        Scope.VIEW,
    ),
    Action(
        "list.copy",
        ("y",),
        "Copy",
        "The selected row, or the lines that are marked or in sight.",
        Group.MOVE,
        Scope.LIST,
    ),
    Action(
        "pane.left",
        ("ctrl+left",),
        "Border left",
        "Move the border next to the focus; or drag it.",
        Group.MOVE,
        Scope.VIEW,
    ),
    Action(
        "pane.right",
        ("ctrl+right",),
        "Border right",
        "Move the border next to the focus.",
        Group.MOVE,
        Scope.VIEW,
    ),
    Action(
        "pane.up", ("ctrl+up",), "Border up", "Move the border next to the focus.", Group.MOVE, Scope.VIEW
    ),
    Action(
        "pane.down",
        ("ctrl+down",),
        "Border down",
        "Move the border next to the focus.",
        Group.MOVE,
        Scope.VIEW,
    ),
    Action(
        "view.match_next",
        ("N",),
        "Next match",
        "The next line that the filter found; in bytes, the next place.",
        Group.MOVE,
        Scope.VIEW,
    ),
    Action(
        "view.match_previous",
        ("P",),
        "Last match",
        "The line that it found before.",
        Group.MOVE,
        Scope.VIEW,
    ),
)
