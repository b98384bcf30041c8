"""`mma console`, also `mma-console`: the terminal IDE."""

from __future__ import annotations

import sys

import click

from console.completion import complete_target
from console.errors import UsageError
from console.master_option import given_master


@click.command()
@click.option(
    "-t", "--target", "targets", multiple=True, shell_complete=complete_target, help="Several times."
)
@given_master
@click.option("--demo", is_flag=True, help="Open on the demo fleet: two emulated boards and the host.")
@click.option("--readonly", is_flag=True, help="Look only: nothing that changes a task, an offer or a board.")
@click.option("--serve", is_flag=True, help="Serve it to a browser (not built yet).")
def command(targets: tuple[str, ...], master: str | None, demo: bool, readonly: bool, serve: bool) -> None:
    """Open mma-console; without --target on an emulated stm32f4 and the host."""
    from console.fleet import parse_names

    if serve:
        raise UsageError("`--serve` is not built yet.", remedy="Run mma-console in a terminal.")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("mma-console needs a terminal.", remedy="Without one: mma demo, mma run, mma agent.")
    if demo:
        from console.scenario import TARGETS

        targets = (*TARGETS, *(target for target in targets if target not in TARGETS))
    names = parse_names(targets or ("stm32f4@qemu", "host"))
    from console.app import ConsoleApp
    from console.live import live

    ConsoleApp(live(names, master=master), targets=[name.text for name in names], readonly=readonly).run()
