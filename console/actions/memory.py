"""The memory of a board."""

from __future__ import annotations

from console.actions.action import Action, Group, Scope

MEMORY: tuple[Action, ...] = (
    Action("memory.target", ("a",), "Target", "The next board.", Group.MEMORY, Scope.MEMORY, show=True),
    Action(
        "memory.hex",
        ("x",),
        "Bytes",
        "The bytes of the selected region.",
        Group.MEMORY,
        Scope.MEMORY,
        show=True,
    ),
    Action(
        "memory.at",
        ("m",),
        "Go to",
        "Bytes at an address, a symbol, or a symbol + offset.",
        Group.MEMORY,
        Scope.MEMORY,
        show=True,
    ),
    Action(
        "memory.pointer",
        ("p",),
        "Follow",
        "Go where the word under the cursor points to.",
        Group.MEMORY,
        Scope.MEMORY,
        show=True,
    ),
    Action(
        "memory.find",
        ("f",),
        "Find",
        "Bytes (4f 4b), or a text in quotes, from here on.",
        Group.MEMORY,
        Scope.MEMORY,
        show=True,
    ),
    Action(
        "memory.edit",
        ("e",),
        "Edit",
        "Write bytes at the cursor.",
        Group.MEMORY,
        Scope.MEMORY,
        show=True,
        destructive=True,
        changes=True,
    ),
    Action(
        "memory.diff",
        ("d",),
        "Diff",
        "Sizes beside those of the last build.",
        Group.MEMORY,
        Scope.MEMORY,
        show=True,
    ),
    Action(
        "memory.back", ("b",), "Before", "Where the bytes were looked at before.", Group.MEMORY, Scope.MEMORY
    ),
)
