"""docs/console.md says what the program does: every action with its keys, every option of `mma run`."""

from pathlib import Path

import pytest

from console.actions import ACTIONS, Action
from console.commands.run import command

TEXT = (Path(__file__).parents[2] / "docs" / "console.md").read_text(encoding="utf-8")
_NAMES = {"escape": "esc", "pagedown": "page down", "pageup": "page up"}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_is_in_the_table(action: Action) -> None:
    keys = " ".join(f"`{_NAMES.get(key, key)}`" for key in (*action.keys, *action.vim))
    assert f"| {action.label} | {keys} | {action.help} |" in TEXT


def test_every_option_of_run_is_told() -> None:
    told = {"--target", "--master"} | {
        word for word in TEXT.replace("`", " ").split() if word.startswith("--")
    }
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert options <= {word.rstrip(",") for word in told}
