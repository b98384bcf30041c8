"""What can be done with the session."""

from __future__ import annotations

from console.actions.action import Action, Group, Scope

SESSION: tuple[Action, ...] = (
    Action(
        "app.retry",
        ("r",),
        "Try again",
        "Open the session again after it failed.",
        Group.CONSOLE,
        Scope.APP,
        show=True,
    ),
)
