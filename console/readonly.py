"""What `--readonly` switches off: every action that changes a task, an offer or a board."""

from __future__ import annotations

from collections.abc import Mapping

from console.actions import ACTIONS, BY_ID

METHODS: Mapping[str, str] = {action.method: action.id for action in ACTIONS}
"""Ids by the names that Textual runs actions under."""


def action_name(action: str) -> str | None:
    """The id of an action as Textual spells it; None where it is none of ours."""
    return METHODS.get(action.rpartition(".")[2].partition("(")[0])


def refusal(action: str) -> tuple[str, str] | None:
    """What is said, and the remedy, of an action as Textual spells it; None when it only looks."""
    name = action_name(action)
    if name is None or not BY_ID[name].changes:
        return None
    return f"{BY_ID[name].label} is off: the console is read-only.", "Start it without --readonly."
