"""The configuration file: what it gives, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.actions import ACTIONS
from console.actions.keymaps import clashes, keymap, spelled
from console.config import Config, parse, read
from console.errors import UsageError


def test_all_of_it() -> None:
    found = parse(
        """
keymap = "vim"
theme = "mma-light"
readonly = true
restore = false
[keys]
"task.kill" = ["D", "F7"]
app.help = "?"
""",
        "c.toml",
    )
    assert (found.theme, found.readonly, found.restore) == ("mma-light", True, False)
    assert found.keys["task.kill"] == "D,f7"
    assert found.keys["app.help"] == "question_mark"
    assert found.keys["view.match_next"] == "n"


def test_an_empty_one_and_none_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert parse("", "c.toml") == read() == Config()
    (tmp_path / "mesos-micro-agent").mkdir()
    (tmp_path / "mesos-micro-agent" / "console.toml").write_text('theme = "nord"')
    assert read().theme == "nord"
    with pytest.raises(UsageError, match="no file"):
        read(tmp_path / "other.toml")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a = =", 1, "no TOML"),
        ('\ntheme = "pink"', 2, "`theme` is one of mma-dark, mma-light"),
        ('keymap = "emacs"', 1, "`keymap` is one of standard, vim, plain"),
        ("# x\n\nreadonly = 1", 3, "`readonly` is true or false"),
        ('thme = "nord"', 1, "Did you mean `theme`?"),
        ('[keys]\n"task.lunch" = "L"', 2, "Did you mean `task.launch`?"),
        ('[keys]\n\ntask.lunch = "L"', 3, "no action `task.lunch`"),
        ('[keys]\n"task.launch" = "hyper"', 2, "`hyper` is no key"),
        ('[keys]\n"task.launch" = 7', 2, "a text, or a list of texts"),
        ('[keys]\n"task.launch" = []', 2, "a text, or a list of texts"),
        ('[keys]\n"task.launch" = "j"', 2, "also the key of `list.down`"),
        ("keys = 3", 1, "is a table"),
    ],
)
def test_mistakes_are_told_with_their_line(text: str, line: int, words: str) -> None:
    with pytest.raises(UsageError) as found:
        parse(text, "c.toml")
    assert f"c.toml, line {line}: " in str(found.value)
    assert words in str(found.value)


def test_a_key_may_move_to_another_action() -> None:
    """What had it must get another one."""
    found = parse('[keys]\n"task.launch" = "j"\n"list.down" = "down"', "c.toml")
    assert found.keys["list.down"] == "down"


@pytest.mark.parametrize("name", ["standard", "vim", "plain"])
def test_the_sets_have_no_clashes(name: str) -> None:
    overrides = keymap(name, ACTIONS)
    for action in ACTIONS:
        assert list(clashes(ACTIONS, overrides, action.id)) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("esc", "escape"),
        ("Ctrl+L", "ctrl+L"),
        ("?", "question_mark"),
        ("F5", "f5"),
        ("", None),
        ("zap", None),
    ],
)
def test_keys_are_spelled_as_people_do(text: str, key: str | None) -> None:
    assert spelled(text) == key
