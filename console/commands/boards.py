"""`mma boards`: what boards there are and how each can be run."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hal.probe.find import Found

log = logging.getLogger(__name__)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(as_json: bool) -> None:
    """Boards, their memories, emulators and probes, and the serial ports that are there."""
    from console.fleet.serial_ports import ports

    rows, found, probes = list(_rows()), ports(), _probes()
    if as_json:
        serial = ({"port": port.device, **asdict(port)} for port in found)
        for row in (*rows, *serial, *({"probe": probe.uid, "title": probe.title} for probe in probes)):
            click.echo(json.dumps(row))
        return
    for row in rows:
        facts = [
            row["isa"],
            f"flash {row['flash_bytes'] // 1024} KB",
            f"RAM {row['ram_bytes'] // 1024} KB",
            f"link {row['uart']} at {row['baud']}",
        ]
        click.echo(f"{click.style(row['board'], bold=True)}  {row['title']}")
        click.echo(f"  {', '.join(facts)}")
        click.echo(f"  targets  {'  '.join(row['targets'])}")
        flash = f"mma flash {row['board']}" if row["probe"] else row["by_hand"] or "not by mma"
        click.echo(f"  flash    {flash}\n")
    click.echo(f"{click.style('host', bold=True)}  this computer, by wasmtime\n  targets  host")
    for port in found:
        what = " ".join(filter(None, (port.title, port.usb, port.serial)))
        click.echo(f"\n{click.style(port.device, bold=True)}  {what or 'a serial port'}")
        for board in port.boards:
            click.echo(f"  target   {board}@{port.device}")
    for probe in probes:
        click.echo(
            f"\n{click.style(probe.uid, bold=True)}  {probe.title}\n"
            f"  probe    mma flash BOARD --probe {probe.uid}"
        )


def _probes() -> tuple[Found, ...]:
    """The debug probes that are there; none where pyOCD is not installed or USB cannot be asked."""
    from hal.errors import ProbeError
    from hal.probe.find import present

    try:
        return present()
    except ProbeError as error:
        log.info("%s", error)
        return ()


def _rows() -> Iterator[dict[str, Any]]:
    from hal.boards import board_names, load_board

    for name in board_names():
        board = load_board(name)
        yield {
            "board": board.name,
            "title": board.title,
            "mcu": board.mcu,
            "isa": board.isa,
            "flash_bytes": board.flash.size,
            "ram_bytes": board.ram.size,
            "uart": board.uart,
            "baud": board.baud,
            "targets": [f"{board.name}@{emulator}" for emulator in board.emulators],
            "probe": board.probe.algorithm if board.probe else None,
            "by_hand": board.by_hand or None,
        }
