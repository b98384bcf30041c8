"""Every action of the console, once: keys, palette, footer and help are all made from this registry.

One file a topic, each a table of actions; a further topic is a file and a line in `ACTIONS`, whose order is
that of footer, palette and help. A class that is a scope binds its actions with
`BINDINGS = bindings(Scope.X)` and implements each as `action_` plus the id with dots as underscores. A user's
keymap gives an id other keys.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual.binding import Binding, BindingType

from console.actions.action import Action, Group, Scope
from console.actions.app import APP
from console.actions.debug import DEBUG
from console.actions.dialogs import DIALOGS
from console.actions.edit import EDIT
from console.actions.fleet import FLEET
from console.actions.key_names import key_name, keys_of
from console.actions.logs import LOGS
from console.actions.memory import MEMORY
from console.actions.move import MOVE
from console.actions.offers import OFFERS
from console.actions.session import SESSION
from console.actions.tasks import TASKS
from console.actions.views import VIEWS

__all__ = ["ACTIONS", "BY_ID", "Action", "Group", "Scope", "bindings", "borrowed", "key_name", "keys_of"]

ACTIONS: tuple[Action, ...] = (
    *VIEWS,
    *SESSION,
    *MOVE,
    *TASKS,
    *FLEET,
    *OFFERS,
    *LOGS,
    *DEBUG,
    *MEMORY,
    *EDIT,
    *APP,
    *DIALOGS,
)

BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}


def bindings(*scopes: Scope) -> list[BindingType]:
    """The Textual bindings of some scopes, with ids, so that a keymap can change their keys."""
    return [_binding(action, action.method) for action in ACTIONS if action.scope in scopes]


def borrowed(*ids: str) -> list[BindingType]:
    """The bindings of some actions of the app, for a dialog, which shuts out all others of the app's."""
    return [_binding(BY_ID[one], f"app.{BY_ID[one].method}") for one in ids]


def _binding(action: Action, method: str) -> Binding:
    return Binding(
        key=",".join((*action.keys, *action.vim)),
        action=method,
        description=action.label,
        show=action.show,
        tooltip=action.help,
        id=action.id,
    )
