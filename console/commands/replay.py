"""`mma replay FOLDER`: the console at the failing instant of a recorded case."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from console.errors import ConsoleError, Exit, UsageError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--at", type=float, metavar="SECONDS", help="Since its begin; the task's end without it.")
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), help="Write a picture and open nothing."
)
@click.option("--log", "as_log", is_flag=True, help="Print the log up to that instant and open nothing.")
@click.option(
    "--debug", is_flag=True, help="Open GDB on the board as it was when the first thing went wrong."
)
@click.option(
    "-ex", "execute", multiple=True, metavar="COMMAND", help="With --debug: GDB's commands, then end."
)
def command(
    folder: Path, at: float | None, svg: Path | None, as_log: bool, debug: bool, execute: tuple[str, ...]
) -> int:
    """Open mma-console on the recording of a case that `mma ci` kept in FOLDER.

    Fleet, offers, tasks and logs are as they were when it failed; nothing runs, and nothing can be changed.
    With --debug the emulated board itself is there, and runs on from there as you like.
    """
    if debug:
        return _debug(folder, execute)
    from console.ci.recording import read_facts
    from console.ci.replay import Replay
    from console.commands.shared.run_async import run_async

    replay = Replay(folder, at)
    facts = read_facts(folder)
    if as_log:
        for line in replay.log():
            click.echo(line)
        return Exit.MET
    if svg is not None:
        try:
            svg.write_text(run_async(replay.picture()), encoding="utf-8")
        except OSError as error:
            raise ConsoleError(
                f"{svg} cannot be written: {(error.strerror or str(error)).lower()}."
            ) from error
        return Exit.MET
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The console needs a terminal.", remedy="Without one: --log or --svg FILE.")
    replay.app().run()
    for text in facts.get("failures", ()):
        click.echo(f"{facts.get('case')} [{facts.get('target')}]: {text}")
    return Exit.MET


def _debug(folder: Path, execute: tuple[str, ...]) -> int:
    from console.ci.recording import SNAPSHOT, read_facts
    from console.commands.debug import debug_snapshot

    target = str(read_facts(folder).get("target"))
    if not (folder / SNAPSHOT).exists():
        raise UsageError(
            f"{folder} has no snapshot of {target}.",
            remedy="hifive1@qemu, microbit@qemu and Renode's boards leave one when they fail.",
        )
    return debug_snapshot(target, folder, execute)
