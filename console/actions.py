"""Every action of the console, once: keys, palette, footer and help are all made from this table.

A class that is a scope binds its actions with `BINDINGS = bindings(Scope.X)` and implements each as
`action_` plus the id with dots as underscores. A user's keymap gives an id other keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from textual.binding import Binding, BindingType

from console.views import VIEWS


class Scope(Enum):
    """Where an action can be taken: the part of the screen that binds it."""

    APP = "app"
    VIEW = "view"  # one of the views, not a dialog
    LIST = "list"  # anything that scrolls: tables, details, logs
    TABLE = "table"
    FLEET = "fleet"
    OFFERS = "offers"
    TASKS = "tasks"
    LOGS = "logs"
    DEBUG = "debug"
    MEMORY = "memory"
    DIALOG = "dialog"
    CONFIRM = "confirm"


class Group(Enum):
    """A heading of the help screen, in order."""

    VIEWS = "Views"
    MOVE = "Move"
    TASKS = "Tasks"
    OFFERS = "Offers"
    LOGS = "Logs"
    DEBUG = "Debugger"
    MEMORY = "Memory"
    CONSOLE = "Console"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person can do.

    `keys` in Textual's spelling, the first is the one that is shown; `vim` are further ones, bound unless
    the vim set is off. `show` puts it in the footer. `destructive` ones ask before they act.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    group: Group
    scope: Scope
    vim: tuple[str, ...] = ()
    show: bool = False
    destructive: bool = False

    @property
    def method(self) -> str:
        """As Textual calls it: view.fleet is action_view_fleet."""
        return self.id.replace(".", "_")


ACTIONS: tuple[Action, ...] = (
    # -- views
    *(Action(f"view.{one.name}", (one.key,), one.label, one.help, Group.VIEWS, Scope.VIEW) for one in VIEWS),
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
    # -- move
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
    Action(
        "app.retry",
        ("r",),
        "Try again",
        "Open the session again after it failed.",
        Group.CONSOLE,
        Scope.APP,
        show=True,
    ),
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
    # -- tasks
    Action(
        "task.launch",
        ("n",),
        "Launch",
        "Choose a module, a target and budgets; says before whether it fits.",
        Group.TASKS,
        Scope.VIEW,
        show=True,
    ),
    Action(
        "task.kill",
        ("x", "delete"),
        "Kill",
        "Kill the selected task, after a question.",
        Group.TASKS,
        Scope.TASKS,
        show=True,
        destructive=True,
    ),
    Action(
        "task.logs", ("o",), "Logs", "What the selected task logged.", Group.TASKS, Scope.TASKS, show=True
    ),
    Action("task.living", ("a",), "All / living", "Show ended tasks too, or not.", Group.TASKS, Scope.TASKS),
    Action(
        "target.logs", ("o",), "Logs", "What the selected target says.", Group.LOGS, Scope.FLEET, show=True
    ),
    # -- offers
    Action(
        "offer.decline",
        ("d",),
        "Decline",
        "Give the selected offer back to the master.",
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
    # -- logs
    Action("log.source", ("s",), "Source", "Choose whose lines to read.", Group.LOGS, Scope.LOGS, show=True),
    Action(
        "log.follow", ("f",), "Follow", "Keep the newest line in sight.", Group.LOGS, Scope.LOGS, show=True
    ),
    Action("log.wrap", ("w",), "Wrap", "Break long lines, or cut them.", Group.LOGS, Scope.LOGS, show=True),
    Action(
        "log.mesos", ("m",), "Mesos", "Mesos's messages between the lines, or not.", Group.LOGS, Scope.LOGS
    ),
    # -- debugger
    Action(
        "target.debug",
        ("d",),
        "Debug",
        "Attach the debugger to the selected board.",
        Group.DEBUG,
        Scope.FLEET,
        show=True,
    ),
    Action(
        "target.memory",
        ("m",),
        "Memory",
        "Flash and RAM of the selected board.",
        Group.MEMORY,
        Scope.FLEET,
        show=True,
    ),
    Action(
        "debug.run",
        (
            "c",
            "f5",
        ),
        "Run / pause",
        "Let it run, or stop it where it is.",
        Group.DEBUG,
        Scope.DEBUG,
        show=True,
    ),
    Action(
        "debug.over",
        (
            "o",
            "f10",
        ),
        "Over",
        "To the next line, over calls.",
        Group.DEBUG,
        Scope.DEBUG,
        show=True,
    ),
    Action(
        "debug.into",
        (
            "i",
            "f11",
        ),
        "Into",
        "To the next line, into calls.",
        Group.DEBUG,
        Scope.DEBUG,
        show=True,
    ),
    Action(
        "debug.out",
        (
            "f",
            "f12",
        ),
        "Out",
        "Until this function returns.",
        Group.DEBUG,
        Scope.DEBUG,
        show=True,
    ),
    Action(
        "debug.break",
        (
            "b",
            "f9",
        ),
        "Break",
        "A breakpoint at the cursor, or none.",
        Group.DEBUG,
        Scope.DEBUG,
        show=True,
    ),
    Action(
        "debug.panel",
        ("v",),
        "Panel",
        "The next panel below the source.",
        Group.DEBUG,
        Scope.DEBUG,
        show=True,
    ),
    Action(
        "debug.attach",
        ("a",),
        "Attach",
        "Attach to a board, or let go of it; it runs on.",
        Group.DEBUG,
        Scope.DEBUG,
        show=True,
    ),
    Action(
        "debug.break_at",
        ("B",),
        "Break at",
        "At a function, also of executors to come; file:line, *address; if condition.",
        Group.DEBUG,
        Scope.DEBUG,
        show=True,
    ),
    Action(
        "debug.gdb",
        ("greater_than_sign",),
        "GDB",
        "A command for GDB; tab completes.",
        Group.DEBUG,
        Scope.DEBUG,
        show=True,
    ),
    Action("debug.until", ("u",), "Until", "To a later line: out of loops.", Group.DEBUG, Scope.DEBUG),
    Action(
        "debug.here",
        (
            "z",
            "f4",
        ),
        "Run to cursor",
        "Until the line under the cursor.",
        Group.DEBUG,
        Scope.DEBUG,
    ),
    Action(
        "debug.instruction", ("I",), "Instruction", "One instruction, into calls.", Group.DEBUG, Scope.DEBUG
    ),
    Action(
        "debug.over_instruction",
        ("O",),
        "Over instr.",
        "One instruction, over calls.",
        Group.DEBUG,
        Scope.DEBUG,
    ),
    Action(
        "debug.back", ("U",), "Back", "One line backwards, where the target can.", Group.DEBUG, Scope.DEBUG
    ),
    Action(
        "debug.back_run",
        ("C",),
        "Run back",
        "Backwards to the last breakpoint, where the target can.",
        Group.DEBUG,
        Scope.DEBUG,
    ),
    Action(
        "debug.trap",
        ("T",),
        "Stop on trap",
        "Stop when an executor traps, or no longer.",
        Group.DEBUG,
        Scope.DEBUG,
    ),
    Action(
        "debug.enable",
        ("d",),
        "On / off",
        "Switch the selected breakpoint on or off.",
        Group.DEBUG,
        Scope.DEBUG,
    ),
    Action(
        "debug.delete",
        (
            "x",
            "delete",
        ),
        "Delete",
        "Remove the selected breakpoint.",
        Group.DEBUG,
        Scope.DEBUG,
    ),
    Action(
        "debug.ignore",
        ("y",),
        "Ignore hits",
        "Let hits of the selected breakpoint pass.",
        Group.DEBUG,
        Scope.DEBUG,
    ),
    Action(
        "debug.watch",
        ("w",),
        "Watch",
        "Show an expression at every stop; again, no longer.",
        Group.DEBUG,
        Scope.DEBUG,
    ),
    Action(
        "debug.watchpoint",
        ("W",),
        "Watchpoint",
        "Stop when an expression is written.",
        Group.DEBUG,
        Scope.DEBUG,
    ),
    Action("debug.frame_up", ("K",), "Caller", "Look at the caller of this frame.", Group.DEBUG, Scope.DEBUG),
    Action(
        "debug.frame_down", ("J",), "Callee", "Back towards the innermost frame.", Group.DEBUG, Scope.DEBUG
    ),
    Action(
        "debug.peripheral",
        ("p",),
        "Peripheral",
        "Registers of a peripheral, with their fields.",
        Group.DEBUG,
        Scope.DEBUG,
    ),
    Action(
        "debug.bytes", ("m",), "Memory at", "Bytes at an address or expression.", Group.DEBUG, Scope.DEBUG
    ),
    Action("debug.source", ("e",), "Source", "Open another source file.", Group.DEBUG, Scope.DEBUG),
    Action("debug.panel_back", ("V",), "Last panel", "The panel before.", Group.DEBUG, Scope.DEBUG),
    # -- memory
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
    Action("memory.again", ("N",), "Find next", "The next place with it.", Group.MEMORY, Scope.MEMORY),
    Action(
        "memory.edit",
        ("e",),
        "Edit",
        "Write bytes at the cursor.",
        Group.MEMORY,
        Scope.MEMORY,
        show=True,
        destructive=True,
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
    # -- console
    Action(
        "view.filter",
        ("/",),
        "Filter",
        "Only the lines with these words; !word leaves lines out.",
        Group.CONSOLE,
        Scope.VIEW,
        show=True,
    ),
    Action(
        "app.palette",
        (":", "ctrl+p"),
        "Commands",
        "Every action by its name.",
        Group.CONSOLE,
        Scope.APP,
        show=True,
    ),
    Action("app.help", ("?", "f1"), "Help", "This page.", Group.CONSOLE, Scope.APP, show=True),
    Action("app.theme", ("t",), "Light / dark", "Change the colours.", Group.CONSOLE, Scope.APP),
    Action(
        "app.picture", ("ctrl+s",), "Picture", "Save the screen as an SVG file.", Group.CONSOLE, Scope.APP
    ),
    Action(
        "app.leave",
        ("q", "ctrl+q"),
        "Quit",
        "Leave; asks when tasks run.",
        Group.CONSOLE,
        Scope.APP,
        show=True,
    ),
    # -- dialogs
    Action(
        "dialog.close", ("escape",), "Cancel", "Close it and change nothing.", Group.CONSOLE, Scope.DIALOG
    ),
    Action("confirm.yes", ("y",), "Yes", "Do it.", Group.CONSOLE, Scope.CONFIRM),
    Action("confirm.no", ("n",), "No", "Leave everything as it is.", Group.CONSOLE, Scope.CONFIRM),
)

BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}


def bindings(*scopes: Scope) -> list[BindingType]:
    """The Textual bindings of some scopes, with ids, so that a keymap can change their keys."""
    return [
        Binding(
            key=",".join((*action.keys, *action.vim)),
            action=action.method,
            description=action.label,
            show=action.show,
            tooltip=action.help,
            id=action.id,
        )
        for action in ACTIONS
        if action.scope in scopes
    ]


_NAMES = {
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "delete": "del",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "greater_than_sign": ">",
}


def key_name(key: str) -> str:
    """A key as a person reads it: `ctrl+p` is ^p."""
    if key.startswith("ctrl+"):
        return "^" + key_name(key.removeprefix("ctrl+"))
    if key.startswith("f") and key[1:].isdecimal():
        return key.upper()
    return _NAMES.get(key, key)


def keys_of(action: Action, keymap: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The keys that do it, as a person reads them; `keymap` is the user's, as in Textual."""
    override = (keymap or {}).get(action.id)
    keys = override.split(",") if override else (*action.keys, *action.vim)
    return tuple(key_name(key.strip()) for key in keys)
