"""The editor."""

from __future__ import annotations

from console.actions.action import Action, Group, Scope

_WORDS = {
    "save": (
        "ctrl+s",
        "Save",
        "Save, build, and run it anew where it runs; a build that fails touches nothing.",
    ),
    "launch": ("f5", "Run", "Launch this executor: where, and with which arguments."),
    "next": ("f8", "Next problem", "To what the compiler complains of next."),
    "previous": ("shift+f8", "Last problem", "To the problem before."),
    "files": ("f2", "Files", "To the list of files, or back to the text."),
    "find": ("ctrl+f", "Find", "A text in this file, from here on."),
    "again": ("f3", "Find next", "The next place with it."),
    "line": ("ctrl+g", "Go to line", "By its number."),
    "break": ("f9", "Break", "A breakpoint at the cursor, or none; the debugger must be attached."),
    "external": ("f4", "$EDITOR", "This file in your own editor; what it saves is built and run as well."),
    "reload": ("ctrl+r", "Reload", "The file as it is on disk, after a question where edits would be lost."),
    "new": ("ctrl+n", "New", "Begin an executor, in C, Zig or WebAssembly text."),
}
_SHOWN = ("save", "launch", "next", "files", "find", "external")
_CHANGES = ("save", "launch", "break", "external", "new")

EDIT: tuple[Action, ...] = tuple(
    Action(
        f"edit.{name}",
        (key,),
        label,
        words,
        Group.EDIT,
        Scope.EDIT,
        show=name in _SHOWN,
        changes=name in _CHANGES,
    )
    for name, (key, label, words) in _WORDS.items()
)
