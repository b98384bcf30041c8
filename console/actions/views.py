"""Going from view to view."""

from __future__ import annotations

from console.actions.action import Action, Group, Scope
from console.views import VIEWS as ENTRIES

VIEWS: tuple[Action, ...] = (
    *(
        Action(f"view.{one.name}", (one.key,), one.label, one.help, Group.VIEWS, Scope.VIEW)
        for one in ENTRIES
    ),
    Action(
        "view.next",
        ("right", "]"),
        "Next view",
        "The view to the right.",
        Group.VIEWS,
        Scope.VIEW,
        vim=("l",),
    ),
    Action(
        "view.previous",
        ("left", "["),
        "Previous view",
        "The view to the left.",
        Group.VIEWS,
        Scope.VIEW,
        vim=("h",),
    ),
)
