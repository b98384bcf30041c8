"""`mma attach BOARD`: what a real board says on its serial port. Says what is not there yet."""

from __future__ import annotations

import click

from console.completion import complete_board
from console.errors import EnvironmentMissing


@click.command()
@click.argument("board", shell_complete=complete_board)
@click.option("--port", metavar="DEV", help="The serial port.")
def command(board: str, port: str | None) -> None:
    """Show what BOARD says on its serial port (not built yet)."""
    from hal.boards import load_board

    load_board(board)
    raise EnvironmentMissing(
        "`mma attach` is not built yet: there is no serial port support.",
        remedy="Use an emulated board, such as stm32f4@qemu.",
    )
