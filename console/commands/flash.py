"""`mma flash BOARD`: a real board's flash through a probe. Says what is not there yet."""

from __future__ import annotations

import click

from console.completion import complete_board
from console.errors import EnvironmentMissing, UsageError


@click.command()
@click.argument("board", shell_complete=complete_board)
@click.option("--probe", metavar="UID", help="Which probe, when several are plugged in.")
def command(board: str, probe: str | None) -> None:
    """Write BOARD's firmware through a debug probe (not built yet)."""
    from hal.boards import load_board

    page = load_board(board)
    if page.probe is None:
        raise UsageError(f"No probe can flash {board}: its page names no probe target.")
    raise EnvironmentMissing(
        "`mma flash` is not built yet.",
        remedy=f"`mma firmware build {board}` prints the ELF: pyocd flash -t {page.probe} ELF",
    )
