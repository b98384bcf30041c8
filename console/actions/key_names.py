"""Keys as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping

from console.actions.action import Action

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
    "less_than_sign": "<",
    "comma": ",",
    "full_stop": ".",
    "plus": "+",
    "minus": "-",
    "exclamation_mark": "!",
    "equals_sign": "=",
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
