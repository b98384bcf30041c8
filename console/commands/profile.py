"""`mma profile MODULE -t TARGET`: where a task's instructions went, in the kernel and in its executor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.commands.shared.completion import complete_target
from console.errors import ConsoleError, Exit

if TYPE_CHECKING:
    from console.runs.profiled import Profiled


@click.command()
@click.argument("module")
@click.option("-t", "--target", default="stm32f4", show_default=True, shell_complete=complete_target)
@click.option("--args", "arguments", multiple=True, help="The module's arguments, as a shell takes them.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds until the task is killed.")
@click.option("--gpio", metavar="PINS", help="Pins that it may use: 12 or 0-3,12.")
@click.option("--sensor", multiple=True, metavar="NAME", help="A sensor that it may read; several times.")
@click.option("--most", default=20, show_default=True, help="Functions in the table.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write all of it: speedscope's JSON for NAME.json, else collapsed stacks.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a function.")
def command(
    module: str,
    target: str,
    arguments: tuple[str, ...],
    timeout: float,
    gpio: str | None,
    sensor: tuple[str, ...],
    most: int,
    output: Path | None,
    as_json: bool,
) -> int:
    """Run MODULE on an emulated board and tell how many instructions each function ran, from its launch to
    its end: exact counts, of the kernel and of the executor. Exit 0 only if the task finishes."""
    from console.commands.run import split_arguments
    from console.commands.shared.run_async import run_async
    from console.fit.budgets import parse_ask
    from console.fleet.opening import parse_name
    from console.guests.modules import find
    from console.runs import profile
    from console.runs.profiled import profiled

    words = tuple(word for text in arguments for word in split_arguments(text))
    ask = parse_ask(mem=None, cpus=0.1, stack=None, memory=None, log=None, gpio=gpio, sensors=sensor)
    found: Profiled = run_async(profiled(find(module), parse_name(target), words, ask, timeout))
    rows = profile.rows(found.stacks)
    if as_json:
        for row in rows:
            facts = {"of": row.owner, "function": row.name, "instructions": row.instructions}
            click.echo(json.dumps({"event": "function", **facts}))
        click.echo(json.dumps({"event": "result", "state": found.task.state.value}))
    else:
        click.echo("\n".join(profile.table(rows, most)))
        if found.failure:
            click.echo(found.failure, err=True)
    if output is not None:
        as_speedscope = output.suffix == ".json"
        title = f"{module} on {target}"
        text = profile.speedscope(found.stacks, title) if as_speedscope else profile.collapsed(found.stacks)
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConsoleError(f"{output} cannot be written: {reason}.") from error
    return Exit.NOT_MET if found.failure else Exit.MET
