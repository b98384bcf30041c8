"""`mma ps`: the tasks of a running master, their states, and what they use."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from console.commands.shared.master_option import master_option

_WIDTH = 240
"""Cells that the columns may take: a terminal wraps, a pipe does not care."""

if TYPE_CHECKING:
    from console.cluster.task_details import Moment, Used
    from console.cluster.tasks import TaskRow


@click.command()
@master_option
@click.option("-a", "--all", "ended", is_flag=True, help="Also tasks that have ended.")
@click.option("-u", "--usage", "used", is_flag=True, help="CPU and memory, measured for a second.")
@click.option("-H", "--history", is_flag=True, help="Every state with its time, reason and message.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a task.")
def command(master: str, ended: bool, used: bool, history: bool, as_json: bool) -> None:
    """List every framework's tasks: state, target, budget and age."""
    from console.commands.shared.run_async import run_async

    rows, usage, moments = run_async(_read(master, ended, used, history))
    if as_json:
        for row in rows:
            told = dataclasses.asdict(row)
            if used:
                told["usage"] = dataclasses.asdict(usage[row.id]) if row.id in usage else None
            if history:
                told["history"] = [dataclasses.asdict(one) for one in moments.get(row.id, ())]
            click.echo(json.dumps(told))
        return
    if not rows:
        click.echo("No tasks." if ended else "No living tasks; --all shows those that have ended.", err=True)
        return
    _print(rows, usage if used else None, moments)


async def _read(
    master: str, ended: bool, used: bool, history: bool
) -> tuple[list[TaskRow], Mapping[str, Used], Mapping[str, Sequence[Moment]]]:
    from console.cluster.task_details import histories, usage
    from console.cluster.tasks import tasks

    async def nothing() -> dict[str, object]:
        return {}

    rows, spent, moments = await asyncio.gather(
        tasks(master, ended=ended),
        usage(master) if used else nothing(),
        histories(master) if history else nothing(),
    )
    return rows, spent, moments  # type: ignore[return-value]  # gather() makes a union of both


def _print(
    rows: Sequence[TaskRow], usage: Mapping[str, Used] | None, moments: Mapping[str, Sequence[Moment]]
) -> None:
    from rich.console import Console
    from rich.table import Table

    from console.look.figures import age_text, share_text, size_text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("TASK", "STATE", "TARGET", "FRAMEWORK"):
        table.add_column(name, no_wrap=True)
    for name in ("CPUS", "MEM", "AGE", *(("CPU", "SPENT", "USED") if usage is not None else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        cells = [row.id, row.state.removeprefix("TASK_"), row.target, row.framework]
        cells += [f"{row.cpus:g}", f"{row.mem:g}", age_text(row.seconds)]
        if usage is not None:
            one = usage.get(row.id)
            cells += (
                ["", "", ""]
                if one is None
                else [share_text(one.share), f"{one.cpu_seconds:.2f} s", size_text(one.bytes)]
            )
        table.add_row(*cells)
    console = Console(width=_WIDTH, soft_wrap=True)
    with console.capture() as drawn:
        console.print(table)
    head, *lines = drawn.get().splitlines()
    click.echo(head.rstrip())
    for row, line in zip(rows, lines, strict=True):
        click.echo(line.rstrip())
        told = moments.get(row.id, ())
        for place, moment in enumerate(told):
            click.echo(click.style(_moment(moment, told[place - 1] if place else None), dim=True))


def _moment(moment: Moment, before: Moment | None) -> str:
    """A state below its task: when, which, how long after the one before, and why."""
    from console.look.figures import clock_text, duration_text

    took = f"+{duration_text(max(0.0, moment.time - before.time))}" if before is not None else ""
    reason = moment.reason.removeprefix("REASON_").lower().replace("_", " ")
    why = ": ".join(part for part in (reason, moment.message.partition("\n")[0]) if part)
    state = moment.state.removeprefix("TASK_")
    return f"  {clock_text(moment.time, millis=True)}  {state:<12}{took:>9}  {why}".rstrip()
