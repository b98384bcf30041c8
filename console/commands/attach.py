"""`mma attach BOARD`: a real board on its serial port, as an agent of a master."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from console.commands.shared.completion import complete_board
from console.commands.shared.master_option import METAVAR

if TYPE_CHECKING:
    from console.commands.shared.output import Reporter


@click.command()
@click.argument("board", shell_complete=complete_board)
@click.option("--port", metavar="DEV", help="Its serial port; without it the one that looks like it.")
@click.option("-m", "--master", metavar=METAVAR, help="A running master; without it one is started.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(board: str, port: str | None, master: str | None, as_json: bool) -> None:
    """Bring up the agent of a real BOARD over its serial port, and show what it says, until Ctrl-C.

    The baud rate is found; a board that is unplugged is found again when it is back. The name BOARD@PORT is a
    target for every other command: mma run, mma ci, mma-console.
    """
    from console.commands.shared.output import JsonReporter, TextReporter
    from console.commands.shared.run_async import run_async
    from console.fleet.serial_ports import choose, ports
    from hal.boards import load_board

    page = load_board(board)
    device = port or choose(page, ports())
    reporter: Reporter = JsonReporter() if as_json else TextReporter()
    run_async(_attach(f"{board}@{device}", master, reporter))


async def _attach(target: str, master: str | None, reporter: Reporter) -> None:
    from console.commands.agent import make_plan, serve

    async with AsyncExitStack() as stack:
        if master is None:
            from emulation.master import Master

            reporter.step("master", "starting the genuine Mesos master")
            master = (await stack.enter_async_context(Master())).address
            reporter.step("master", f"listens at {master}: mma-console --master {master}")
        await serve(make_plan(master, (target,), None, (), {}, os.environ), reporter)
