"""What the shell completes: boards, targets, modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def complete_board(context: click.Context, parameter: click.Parameter, text: str) -> list[str]:
    """Boards that begin so."""
    from hal.boards import board_names

    return [name for name in board_names() if name.startswith(text)]


def complete_target(context: click.Context, parameter: click.Parameter, text: str) -> list[str]:
    """Targets that begin so: the host and each emulator of each board."""
    from hal.boards import board_names, load_board

    names = ["host"]
    for board in board_names():
        names += [f"{board}@{emulator}" for emulator in load_board(board).emulators]
    return [name for name in names if name.startswith(text)]


def complete_module(context: click.Context, parameter: click.Parameter, text: str) -> list[CompletionItem]:
    """Examples by name, and files (the shell's own completion)."""
    from click.shell_completion import CompletionItem

    from console.guests.modules import examples

    found = [CompletionItem(path.stem, help="example") for path in examples() if path.stem.startswith(text)]
    return [*found, CompletionItem(text, type="file")]
