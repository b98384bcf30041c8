"""Dialogs and questions."""

from __future__ import annotations

from console.actions.action import Action, Group, Scope

DIALOGS: tuple[Action, ...] = (
    Action(
        "dialog.close", ("escape",), "Cancel", "Close it and change nothing.", Group.CONSOLE, Scope.DIALOG
    ),
    Action("confirm.yes", ("y",), "Yes", "Do it.", Group.CONSOLE, Scope.CONFIRM),
    Action("confirm.no", ("n",), "No", "Leave everything as it is.", Group.CONSOLE, Scope.CONFIRM),
)
