"""What an action is, where it can be taken, and under which heading the help has it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


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
    EDIT = "edit"
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
    EDIT = "Editor"
    CONSOLE = "Console"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person can do.

    `keys` in Textual's spelling, the first is the one that is shown; `vim` are further ones, bound unless
    the vim set is off. `show` puts it in the footer. `changes`: it changes a task, an offer or a board, so
    `--readonly` refuses it. `destructive` ones ask before they act.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    group: Group
    scope: Scope
    vim: tuple[str, ...] = ()
    show: bool = False
    changes: bool = False
    destructive: bool = False

    @property
    def method(self) -> str:
        """As Textual calls it: view.fleet is action_view_fleet."""
        return self.id.replace(".", "_")
