"""`mma memory T`: who has what of a board's flash and RAM, to the byte."""

from __future__ import annotations

import json
import shlex

import click

from console.commands.shared.completion import complete_module, complete_target
from console.errors import ConsoleError, Exit, UsageError


@click.command()
@click.argument("target", shell_complete=complete_target)
@click.option(
    "--run", "module", metavar="MODULE", shell_complete=complete_module, help="Launch it there first."
)
@click.option("-a", "--args", "arguments", multiple=True, metavar="ARGS", help="Its arguments.")
@click.option("--symbols", is_flag=True, help="Functions and variables, too.")
@click.option("--json", "as_json", is_flag=True, help="One object a region, then one a memory.")
def command(target: str, module: str | None, arguments: tuple[str, ...], symbols: bool, as_json: bool) -> int:
    """Start TARGET and draw up its memory: the kernel by module, executors by part, free runs.

    Beside each module stands how it grew since the build before.
    """
    from console.commands.shared.run_async import run_async
    from console.fleet.opening import parse_name

    name = parse_name(target)
    if name.board is None or name.emulator is None:
        raise UsageError(
            f"{name.text} has no memory to draw.", remedy="Name an emulated board: stm32f4@qemu."
        )
    words = tuple(word for text in arguments for word in shlex.split(text))
    return run_async(_survey(name.text, module or "", words, symbols, as_json))


async def _survey(name: str, module: str, arguments: tuple[str, ...], symbols: bool, as_json: bool) -> int:
    import asyncio

    from console.fleet.opening import Member, parse_name
    from console.memory import report, survey
    from hal.mcu import McuTarget

    member = Member(parse_name(name))
    await member.open(lambda text: click.echo(f"{name}: {text}", err=True))
    try:
        board, machine, elf, target = member.name.board, member.machine, member.firmware, member.target
        assert board is not None
        assert machine is not None
        assert elf is not None
        assert isinstance(target, McuTarget)
        kernel = await asyncio.to_thread(survey.kernel_of, board, elf)
        if module:
            await _launch(target, module, arguments)
        view = await survey.survey(name, kernel, machine, target)
    finally:
        await member.close()
    if as_json:
        for one in report.as_json(view):
            click.echo(json.dumps(one))
    else:
        for line in report.as_lines(view, symbols):
            click.echo(line)
    return Exit.MET


async def _launch(target: object, module: str, arguments: tuple[str, ...]) -> None:
    """Until it runs, or has ended, which is an error: then it has no memory any more."""
    from console.guests import modules
    from console.runs.runner import prepare
    from hal.mcu import McuTarget
    from hal.target import Ended, Launch, Started

    assert isinstance(target, McuTarget)
    path = modules.find(module)
    heard = target.events()
    await target.spawn(Launch(f"memory/{path.stem}", await prepare(path), arguments))
    async for event in heard:
        if isinstance(event, Started):
            return
        if isinstance(event, Ended):
            raise ConsoleError(f"{path.stem} did not run: {event.message}")
