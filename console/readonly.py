"""What `--readonly` switches off: every action that changes a task, an offer or a board."""

from __future__ import annotations

from collections.abc import Mapping

from console.actions import BY_ID

CHANGING: frozenset[str] = frozenset(
    {
        "task.launch",
        "task.kill",
        "offer.decline",
        "offer.revive",
        "target.debug",  # attaching stops the board for a moment, and breakpoints stop it for long
        "debug.attach",
        "debug.gdb",
        "memory.edit",
    }
)
"""Ids of actions. What only looks (lists, logs, sizes, bytes) stays."""

METHODS: Mapping[str, str] = {BY_ID[name].method: name for name in CHANGING}
"""Ids by the names that Textual runs actions under."""


def refusal(action: str) -> tuple[str, str] | None:
    """What is said, and the remedy, of an action as Textual spells it; None when it only looks."""
    name = METHODS.get(action.rpartition(".")[2].partition("(")[0])
    if name is None:
        return None
    return f"{BY_ID[name].label} is off: the console is read-only.", "Start it without --readonly."
