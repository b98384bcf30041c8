"""`mma debug T`: start an emulated target and open GDB on its kernel."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import click

from console.completion import complete_target
from console.errors import EnvironmentMissing, Exit, UsageError

_GDBS = ("gdb-multiarch", "arm-none-eabi-gdb", "gdb")


@click.command()
@click.argument("target", shell_complete=complete_target)
@click.option("--halt", is_flag=True, help="Stop before the first instruction.")
@click.option(
    "-x", "--execute", multiple=True, metavar="COMMAND", help="Run a GDB command, then go on; several times."
)
@click.option("--batch", is_flag=True, help="End after the commands instead of taking more.")
def command(target: str, halt: bool, execute: tuple[str, ...], batch: bool) -> int:
    """Start TARGET and open GDB on its firmware, with symbols and sources. The target ends with GDB."""
    from console.fleet import parse_name
    from console.run_async import run_async

    name = parse_name(target)
    if name.board is None or name.emulator is None:
        remedy = "Name an emulated board, such as stm32f4@qemu."
        raise UsageError(f"{name.text} has no debugger that mma can open.", remedy=remedy)
    gdb = next(filter(None, map(shutil.which, _GDBS)), None)
    if gdb is None:
        raise EnvironmentMissing("There is no GDB that knows this board.", remedy="apt install gdb-multiarch")
    return run_async(_debug(name.text, gdb, halt, execute, batch))


async def _debug(target: str, gdb: str, halt: bool, execute: tuple[str, ...], batch: bool) -> int:
    import asyncio

    from console.fleet import build_firmware, parse_name
    from emulation.targets import open_machine

    name = parse_name(target)
    assert name.board is not None
    elf = await build_firmware(name.board, lambda text: click.echo(f"{target}: {text}", err=True))
    async with open_machine(f"{name.board.name}@{name.emulator}") as machine:
        await machine.start(elf, paused=halt)
        with tempfile.TemporaryDirectory(prefix="mma-debug-") as folder:
            # From a file, not from -ex: GDB then fails on the first error in batch mode.
            script = Path(folder) / "commands.gdb"
            script.write_text(_script(machine.gdb or "", execute), encoding="utf-8")
            arguments = [gdb, "-q", "-nx", *(["-batch"] if batch else []), "-x", str(script), str(elf)]
            # Ctrl-C belongs to GDB: it interrupts the target, not us.
            loop = asyncio.get_running_loop()
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            return await asyncio.to_thread(_wait, arguments)


def _script(address: str, execute: tuple[str, ...]) -> str:
    from importlib import resources

    # The firmware is built with its paths relative to the package, so that builds are reproducible.
    sources = Path(str(resources.files("firmware"))).parent
    lines = [
        "set confirm off",
        "set pagination off",
        "set backtrace limit 64",  # a function that never returns has no caller to stop at
        f"directory {sources}",
        f"target remote {address}",
        *execute,
    ]
    return "\n".join(lines) + "\n"


def _wait(arguments: list[str]) -> int:
    def restore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    process = subprocess.Popen(arguments, env=os.environ, preexec_fn=restore)
    return Exit.MET if process.wait() == 0 else Exit.NOT_MET
