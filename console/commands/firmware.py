"""`mma firmware build BOARD` and `mma firmware size BOARD`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.commands.shared.completion import complete_board
from console.errors import ConsoleError, Exit, UsageError

if TYPE_CHECKING:
    from hal.firmware import Firmware, Sizes


@click.group()
def command() -> None:
    """Build a board's firmware or tell its sizes."""


@command.command()
@click.argument("board", shell_complete=complete_board)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Copy the ELF there.")
@click.option(
    "--key", metavar="NAME", help="Give it this key, made if there is none: only who has it may launch."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def build(board: str, output: Path | None, key: str | None, as_json: bool) -> None:
    """Compile the kernel for BOARD with the toolchain of the ziglang wheel; print where its ELF is.

    For a real board give --key and -o: without them the image has the development key, which anybody knows.
    """
    if key is not None and output is None:
        raise UsageError("--key needs -o: an image with a key of its own is kept where you say.")
    firmware = _build(board)
    elf = firmware.elf
    if key is not None and output is not None:
        elf = _provision(elf, key, output)
    elif output is not None:
        try:
            shutil.copyfile(elf, output)
        except OSError as error:
            raise ConsoleError(
                f"{output} cannot be written: {(error.strerror or str(error)).lower()}."
            ) from error
        elf = output
        click.echo(
            "This image has the development key, which anybody knows; --key NAME gives it its own.", err=True
        )
    if as_json:
        click.echo(json.dumps({"board": board, "elf": str(elf), "seconds": round(firmware.seconds, 3)}))
    else:
        click.echo(elf)


@command.command()
@click.argument("board", shell_complete=complete_board)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a figure.")
def size(board: str, as_json: bool) -> int:
    """What the kernel for BOARD takes of flash and RAM, by module, against its budget.

    Exit code 1 when a budget is exceeded.
    """
    from hal.firmware import sizes

    found = sizes(_build(board))
    if as_json:
        for metric, value, goal in _figures(found):
            met = goal is None or value <= goal
            line = {"bench": "firmware", "board": board, "metric": metric, "value": value, "unit": "bytes"}
            click.echo(json.dumps({**line, "goal": goal, "met": met}))
    else:
        _print_table(found)
    return Exit.MET if found.met else Exit.NOT_MET


def _provision(elf: Path, name: str, output: Path) -> Path:
    """A copy of the image with the key of that name."""
    from hal import keys

    key, made = keys.make(name)
    keys.provision(elf, key, output)
    where = keys.folder() / f"{name}.key"
    click.echo(f"{'Made' if made else 'Took'} the key {where}; who has that file may launch.", err=True)
    return output


def _build(board: str) -> Firmware:
    from hal.boards import load_board
    from hal.firmware import build as build_firmware

    return build_firmware(load_board(board))


def _figures(found: Sizes) -> list[tuple[str, int, int | None]]:
    return [
        ("kernel.flash", found.flash, found.flash_budget),
        ("kernel.ram", found.ram, found.ram_budget),
        ("arena", found.arena, None),
        *((f"{module.name}.flash", module.flash, None) for module in found.modules),
        *((f"{module.name}.ram", module.ram, None) for module in found.modules if module.ram),
    ]


def _print_table(found: Sizes) -> None:
    click.echo(click.style(f"{'module':<24}{'flash':>9}{'RAM':>9}", bold=True))
    for module in found.modules:
        click.echo(f"{module.name:<24}{module.flash:>9,}{module.ram:>9,}")
    click.echo(click.style(f"{'kernel':<24}{found.flash:>9,}{found.ram:>9,}", bold=True))
    click.echo(f"{'budget':<24}{found.flash_budget:>9,}{found.ram_budget:>9,}")
    for name, value, budget in (
        ("flash", found.flash, found.flash_budget),
        ("RAM", found.ram, found.ram_budget),
    ):
        room = budget - value
        words = f"{room:,} bytes of {name} to spare" if room >= 0 else f"{-room:,} bytes of {name} too many"
        click.secho(words, fg="green" if room >= 0 else "red")
    click.echo(f"{found.arena:,} bytes of RAM are left for executors")
