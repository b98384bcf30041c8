"""`mma replay FOLDER`: the console at the failing instant of a recorded case."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from console.errors import ConsoleError, UsageError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--at", type=float, metavar="SECONDS", help="Since its begin; the task's end without it.")
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), help="Write a picture and open nothing."
)
@click.option("--log", "as_log", is_flag=True, help="Print the log up to that instant and open nothing.")
def command(folder: Path, at: float | None, svg: Path | None, as_log: bool) -> None:
    """Open mma-console on the recording of a case that `mma ci` kept in FOLDER.

    Fleet, offers, tasks and logs are as they were when it failed; nothing runs, and nothing can be changed.
    """
    from console.ci.recording import read_facts
    from console.ci.replay import Replay
    from console.run_async import run_async

    replay = Replay(folder, at)
    facts = read_facts(folder)
    if as_log:
        for line in replay.log():
            click.echo(line)
        return
    if svg is not None:
        try:
            svg.write_text(run_async(replay.picture()), encoding="utf-8")
        except OSError as error:
            raise ConsoleError(
                f"{svg} cannot be written: {(error.strerror or str(error)).lower()}."
            ) from error
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The console needs a terminal.", remedy="Without one: --log or --svg FILE.")
    replay.app().run()
    for text in facts.get("failures", ()):
        click.echo(f"{facts.get('case')} [{facts.get('target')}]: {text}")
