"""Sets of keys to choose from, and the rules that a person's own must keep.

A keymap gives actions other keys, by the actions' ids, in Textual's spelling: `{"list.down": "down,j"}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from textual.keys import KEY_ALIASES, Keys, _character_to_key

from console.actions.action import Action, Scope

Keymap = Mapping[str, str]

_FRAME = {Scope.APP, Scope.VIEW, Scope.LIST}
_DIALOG = {Scope.DIALOG, Scope.CONFIRM}
_MODIFIERS = ("ctrl+", "shift+", "alt+", "super+", "meta+", "hyper+")
_NAMED = {one.value for one in Keys if "<" not in one.value} | {
    _character_to_key(chr(code)) for code in range(0x21, 0x7F)
}

_VIM: Keymap = {
    "view.match_next": "n",
    "view.match_previous": "N",
    "task.launch": "L",
}


def keymap(name: str, actions: tuple[Action, ...]) -> Keymap:
    """`standard`: the actions' own keys, with those of vim where nothing else has them. `vim`: n and N go
    through what was found, so launching is L. `plain`: none of vim's. KeyError for others."""
    plain = {action.id: ",".join(action.keys) for action in actions if action.vim}
    return {"standard": {}, "vim": _VIM, "plain": plain}[name]


NAMES = ("standard", "vim", "plain")


def spelled(key: str) -> str | None:
    """A key as Textual spells it: `L`, `?`, `ctrl+l`, `f5`, `page down`; None where it is none."""
    text = key.strip() or key
    before = ""
    while (found := next((one for one in _MODIFIERS if text.lower().startswith(one)), None)) is not None:
        before, text = before + found, text[len(found) :]
    if len(text) == 1:
        return before + _character_to_key(text) if text.isprintable() else None
    name = text.lower().replace(" ", "").replace("-", "_")
    name = {"esc": "escape", "return": "enter", "del": "delete", "pgdn": "pagedown", "pgup": "pageup"}.get(
        name, name
    )
    return before + name if name in _NAMED or name in KEY_ALIASES else None


def keys_in(action: Action, overrides: Keymap) -> tuple[str, ...]:
    """The keys that do it, as Textual spells them."""
    keys = overrides[action.id].split(",") if action.id in overrides else (*action.keys, *action.vim)
    return tuple(_character_to_key(key) if len(key) == 1 else key for key in keys)


def clashes(actions: tuple[Action, ...], overrides: Keymap, of: str) -> Iterator[tuple[str, str]]:
    """(key, other action's id) for each key of action `of` that another has where both can be taken."""
    mine = next(action for action in actions if action.id == of)
    for other in actions:
        if other.id != of and _together(mine.scope, other.scope):
            for key in set(keys_in(mine, overrides)) & set(keys_in(other, overrides)):
                yield key, other.id


def _together(one: Scope, other: Scope) -> bool:
    """Whether both can be bound at the same time."""
    pair = {one, other}
    if len(pair) == 1 or Scope.APP in pair:
        return True
    if pair & _DIALOG:
        return pair <= _DIALOG or pair <= {Scope.DIALOG, Scope.LIST, Scope.TABLE}  # no list in a question
    if pair == {Scope.TABLE, Scope.LOGS}:
        return False  # where the lines have the focus there is no table
    return bool(pair & (_FRAME | {Scope.TABLE}))
