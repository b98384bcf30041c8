"""What can be done with offers."""

from __future__ import annotations

from console.actions.action import Action, Group, Scope

OFFERS: tuple[Action, ...] = (
    Action(
        "offer.decline",
        ("d",),
        "Decline",
        "Give the selected offer back to the master.",
        Group.OFFERS,
        Scope.OFFERS,
        show=True,
        changes=True,
    ),
    Action(
        "offer.why",
        ("w",),
        "Why",
        "Look at offers with a module: which fit it, by how much not, and what would.",
        Group.OFFERS,
        Scope.OFFERS,
        show=True,
    ),
    Action(
        "offer.revive",
        ("v",),
        "Revive",
        "Forget all refusals: the master offers again at once.",
        Group.OFFERS,
        Scope.OFFERS,
        show=True,
        changes=True,
    ),
    Action(
        "offer.open",
        ("a",),
        "All / open",
        "Show closed offers too, or not.",
        Group.OFFERS,
        Scope.OFFERS,
        show=True,
    ),
)
