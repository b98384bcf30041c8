"""docs/keys.md, made from the registry: `python -m console.actions.doc > docs/keys.md`; a test holds it."""

from __future__ import annotations

from console.actions import ACTIONS, Action, Group, key_name

_HEAD = """\
# Keys

Made from `console/actions`, which footer, palette and help are made from as well, by
`python -m console.actions.doc > docs/keys.md`. The name is what `[keys]` of the
[configuration](console.md#configuration) gives other keys to.
"""


def page() -> str:
    """The whole file."""
    return _HEAD + "".join(_chapter(group) for group in Group)


def _chapter(group: Group) -> str:
    rows = "".join(_row(action) for action in ACTIONS if action.group is group)
    return f"\n## {group.value}\n\n| action | keys | what | name |\n|---|---|---|---|\n{rows}"


def _row(action: Action) -> str:
    keys = " ".join(f"`{key_name(key)}`" for key in (*action.keys, *action.vim))
    return f"| {action.label} | {keys} | {action.help} | `{action.id}` |\n"


if __name__ == "__main__":
    print(page(), end="")
