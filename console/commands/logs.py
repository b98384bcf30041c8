"""`mma logs TASK`: what an executor logged, read from its sandbox at the agent, and what was around it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import TYPE_CHECKING

import click

from console.commands.shared.master_option import master_option
from console.errors import UsageError

if TYPE_CHECKING:
    from console.state.trace_log import Entry


@click.command()
@click.argument("task")
@master_option
@click.option("-f", "--follow", is_flag=True, help="Go on until the task has ended.")
@click.option("--stderr", "errors", is_flag=True, help="What went wrong, in place of what it logged.")
@click.option(
    "--trace", is_flag=True, help="Mesos's states and the link's decoded CoAP messages between the lines."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(task: str, master: str, follow: bool, errors: bool, trace: bool, as_json: bool) -> None:
    """Print the log of TASK (its id, as `mma ps` lists it), whichever framework launched it.

    An agent keeps the messages of its link from the first --trace on, for as long as somebody asks.
    """
    from console.commands.shared.run_async import run_async

    if trace and errors:
        raise UsageError("--trace goes with the log, not with --stderr.")
    with contextlib.suppress(KeyboardInterrupt) if follow else contextlib.nullcontext():
        if trace:
            run_async(_trace(master, task, follow, as_json))
        else:
            run_async(_print(master, task, "stderr" if errors else "stdout", follow, as_json))


async def _print(master: str, task: str, file: str, follow: bool, as_json: bool) -> None:
    from console.cluster.tasks import log

    rest = b""
    async for data in log(master, task, file=file, follow=follow):
        if not as_json:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            continue
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            _object(task, line)
        await asyncio.sleep(0)
    if rest:
        _object(task, rest)


def _object(task: str, line: bytes) -> None:
    text = line.decode("utf-8", "backslashreplace")
    click.echo(json.dumps({"event": "log", "task": task, "text": text}))


async def _trace(master: str, task: str, follow: bool, as_json: bool) -> None:
    from console.state.loglines import Origin
    from console.state.trace_log import traced_log

    names = {Origin.EXECUTOR: "log"}
    async for entry in traced_log(master, task, follow=follow):
        if as_json:
            event = names.get(entry.origin, entry.origin.value)
            click.echo(json.dumps({"event": event, "time": entry.time, "task": task, "text": entry.text}))
        else:
            _say(entry)


def _say(entry: Entry) -> None:
    from console.look.figures import clock_text
    from console.state.loglines import Origin

    mark = {Origin.MESOS: "◆", Origin.COAP: "⇄"}.get(entry.origin, "|")
    text = entry.text if entry.origin is Origin.EXECUTOR else click.style(entry.text, dim=True)
    click.echo(f"{click.style(clock_text(entry.time, millis=True), dim=True)}  {mark} {text}")
