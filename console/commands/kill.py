"""`mma kill TASK`: end a task, whichever framework launched it."""

from __future__ import annotations

import dataclasses
import json

import click

from console.commands.shared.master_option import master_option


@click.command()
@click.argument("task")
@master_option
@click.option("--now", "at_once", is_flag=True, help="Without the five seconds that a guest is given to end.")
@click.option(
    "--together", is_flag=True, help="Also where other tasks share its executor, which end with it."
)
@click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait for its end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: the task's end.")
def command(task: str, master: str, at_once: bool, together: bool, timeout: float, as_json: bool) -> None:
    """End TASK (its id, as `mma ps` lists it), whichever framework launched it, and tell its last state.

    Its agent does it, as an operator's wish: the framework is told TASK_FAILED, as when a native executor is
    sent a signal, and may launch it anew. A guest that asked for it (mma_on_stop) has five seconds to end.
    """
    from console.cluster.kill import kill
    from console.commands.shared.run_async import run_async

    ended = run_async(kill(master, task, at_once=at_once, together=together, timeout=timeout))
    if as_json:
        click.echo(json.dumps({"event": "ended", **dataclasses.asdict(ended)}))
    else:
        click.echo(f"{ended.id}  {ended.state}  {ended.message}".rstrip())
