"""docs/console.md and docs/keys.md say what the program does."""

from pathlib import Path

from console.actions import ACTIONS
from console.actions.doc import page
from console.commands.run import command
from console.config import KEYS

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "console.md").read_text(encoding="utf-8")


def test_the_keys_are_those_of_the_registry() -> None:
    """If not: python -m console.actions.doc > docs/keys.md"""
    assert (DOCS / "keys.md").read_text(encoding="utf-8") == page()
    assert all(f"`{action.id}`" in page() for action in ACTIONS)


def test_every_option_of_run_is_told() -> None:
    told = {"--target", "--master"} | {
        word for word in TEXT.replace("`", " ").split() if word.startswith("--")
    }
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert options <= {word.rstrip(",") for word in told}


def test_every_key_of_the_configuration_is_told() -> None:
    assert all(f"| `{key}` |" in TEXT for key in KEYS)
