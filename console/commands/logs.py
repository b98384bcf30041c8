"""`mma logs TASK`: what an executor logged, read from its sandbox at the agent."""

from __future__ import annotations

import asyncio
import json
import sys

import click

from console.master_option import master_option


@click.command()
@click.argument("task")
@master_option
@click.option("-f", "--follow", is_flag=True, help="Go on until the task has ended.")
@click.option("--stderr", "errors", is_flag=True, help="What went wrong, in place of what it logged.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(task: str, master: str, follow: bool, errors: bool, as_json: bool) -> None:
    """Print the log of TASK (its id, as `mma ps` lists it), whichever framework launched it."""
    from console.run_async import run_async

    run_async(_print(master, task, "stderr" if errors else "stdout", follow, as_json))


async def _print(master: str, task: str, file: str, follow: bool, as_json: bool) -> None:
    from console.cluster import log

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
