"""`mma ps`: the tasks of a running master."""

from __future__ import annotations

import dataclasses
import json

import click

from console.master_option import master_option


@click.command()
@master_option
@click.option("-a", "--all", "ended", is_flag=True, help="Also tasks that have ended.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a task.")
def command(master: str, ended: bool, as_json: bool) -> None:
    """List every framework's tasks: state, target, budget and age."""
    from console.cluster import tasks
    from console.figures import age_text
    from console.run_async import run_async

    rows = run_async(tasks(master, ended=ended))
    if as_json:
        for row in rows:
            click.echo(json.dumps(dataclasses.asdict(row)))
        return
    if not rows:
        click.echo("No tasks." if ended else "No living tasks; --all shows those that have ended.", err=True)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("TASK", "STATE", "TARGET", "FRAMEWORK"):
        table.add_column(name, no_wrap=True)
    for name in ("CPUS", "MEM", "AGE"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        state = row.state.removeprefix("TASK_")
        table.add_row(
            row.id, state, row.target, row.framework, f"{row.cpus:g}", f"{row.mem:g}", age_text(row.seconds)
        )
    Console(soft_wrap=True).print(table)
