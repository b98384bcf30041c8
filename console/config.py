"""What a person prefers: a TOML file in the user's configuration folder, or the one that --config names.

keymap = "vim"           # standard, vim or plain
theme = "mma-light"      # mma-dark, mma-light, mma-contrast, or one of Textual's
readonly = false         # true: nothing that changes a task, an offer or a board
restore = true           # begin where the last session on this fleet ended

[keys]                   # by the action's name, as docs/keys.md has them
"task.launch" = "L"
"app.help" = ["?", "f1"]
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.actions import ACTIONS, BY_ID
from console.actions.keymaps import NAMES, clashes, keymap, spelled
from console.errors import UsageError
from console.look.theme import names as theme_names

_CHOICES: Mapping[str, Callable[[], Sequence[str]]] = {"keymap": lambda: NAMES, "theme": theme_names}
_SWITCHES = ("readonly", "restore")
KEYS = (*_CHOICES, *_SWITCHES, "keys")
"""All that the file may have."""


@dataclass(frozen=True, slots=True)
class Config:
    """`keys` gives actions other keys, by their ids, as Textual's keymaps do. An empty `theme` means none
    was chosen: then that of the last session."""

    keys: Mapping[str, str] = field(default_factory=dict)
    theme: str = ""
    readonly: bool = False
    restore: bool = True


def default_path() -> Path:
    """Where it is looked for."""
    import platformdirs

    return platformdirs.user_config_path("mesos-micro-agent") / "console.toml"


def read(path: Path | None = None) -> Config:
    """From a file; from the user's, if there is one, without `path`. UsageError, with the line."""
    asked = path is not None
    path = path or default_path()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not asked:
            return Config()
        raise UsageError(f"There is no file {path}.", remedy="Name one, or leave --config away.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Config:
    """From TOML; `name` is the file's, for sentences. UsageError, with the line."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", where)
        place = f", line {line[1]}" if line else ", at its end"
        raise UsageError(f"{name}{place}: this is no TOML: {_sentence(what)}") from error
    return _Reader(text, name).config(found)


def _sentence(text: str) -> str:
    return f"{text[:1].lower()}{text[1:].rstrip('.')}."


class _Reader:
    def __init__(self, text: str, name: str) -> None:
        self._lines = text.splitlines()
        self._name = name

    def config(self, found: Mapping[str, Any]) -> Config:
        for key in found:
            if key not in KEYS:
                raise self._wrong(key, f"there is no `{key}`.", _near(key, KEYS))
        for key, choices in _CHOICES.items():
            if key in found and found[key] not in choices():
                raise self._wrong(key, f"`{key}` is one of {', '.join(choices())}.")
        for key in _SWITCHES:
            if not isinstance(found.get(key, True), bool):
                raise self._wrong(key, f"`{key}` is true or false.")
        keys = self._keys(found.get("keys", {}), found.get("keymap", NAMES[0]))
        return Config(keys, found.get("theme", ""), found.get("readonly", False), found.get("restore", True))

    def _keys(self, table: object, set_name: str) -> Mapping[str, str]:
        if not isinstance(table, dict):
            raise self._wrong("keys", "`[keys]` is a table of actions and their keys.")
        overrides = dict(keymap(set_name, ACTIONS))
        flat = dict(_flat(table))
        for action, value in flat.items():
            if action not in BY_ID:
                raise self._wrong(action, f"there is no action `{action}`.", _near(action, tuple(BY_ID)))
            wanted = [value] if isinstance(value, str) else value
            if not isinstance(wanted, list) or not wanted or not all(isinstance(one, str) for one in wanted):
                raise self._wrong(action, f"the keys of `{action}` are a text, or a list of texts.")
            made = [(one, spelled(one)) for one in wanted]
            for one, key in made:
                if key is None:
                    raise self._wrong(action, f"`{one}` is no key.", "Write L, ?, f5, ctrl+l or page down.")
            overrides[action] = ",".join(key for _, key in made if key)
        for action in flat:
            for key, other in clashes(ACTIONS, overrides, action):
                raise self._wrong(
                    action, f"`{key}` is also the key of `{other}`.", "Give one of them another."
                )
        return overrides

    def _wrong(self, key: str, what: str, remedy: str = "") -> UsageError:
        return UsageError(f"{self._name}, line {self._line(key)}: {what}", remedy=remedy)

    def _line(self, key: str) -> int:
        """Where a key stands; dotted ones may be quoted, or the end of one under a table's heading."""
        last = re.escape(key.rpartition(".")[2])
        for pattern in (
            rf'\s*["\']?{re.escape(key)}["\']?\s*=',
            rf"\s*\[{re.escape(key)}",
            rf'.*\b{last}["\']?\s*=',
        ):
            for number, line in enumerate(self._lines, 1):
                if re.match(pattern, line):
                    return number
        return 1


def _flat(table: Mapping[str, Any], before: str = "") -> Sequence[tuple[str, Any]]:
    """`task.launch = …` without quotes is a table in a table: the same is meant."""
    found: list[tuple[str, Any]] = []
    for key, value in table.items():
        found += _flat(value, f"{before}{key}.") if isinstance(value, dict) else [(before + key, value)]
    return found


def _near(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean `{close[0]}`?" if close else "docs/console.md lists what there is."
