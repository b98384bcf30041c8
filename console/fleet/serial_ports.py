"""The serial ports of this computer, and which board each may be, by its USB ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from console.errors import EnvironmentMissing, UsageError
from hal.boards import Board, board_names, load_board


@dataclass(frozen=True, slots=True)
class Port:
    """One port. `usb` is VID:PID in lower-case hexadecimal, empty where it is not on USB; `boards` are those
    whose page names it."""

    device: str
    usb: str
    serial: str
    title: str
    boards: tuple[str, ...]


def ports() -> tuple[Port, ...]:
    """All that are there now."""
    from serial.tools.list_ports import comports

    pages = [load_board(name) for name in board_names()]
    found = []
    for one in comports():
        usb = f"{one.vid:04x}:{one.pid:04x}" if one.vid is not None else ""
        boards = tuple(page.name for page in pages if usb and usb in page.usb)
        title = one.description if one.description not in (None, "n/a") else ""
        found.append(Port(one.device, usb, one.serial_number or "", title, boards))
    return tuple(sorted(found, key=lambda port: port.device))


def choose(board: Board, found: Iterable[Port]) -> str:
    """The port that `board` is on: the only one that its page knows, else the only one on USB.

    UsageError where there are several, EnvironmentMissing where there is none.
    """
    present = tuple(found)
    likely = [port for port in present if board.name in port.boards] or [port for port in present if port.usb]
    if len(likely) == 1:
        return likely[0].device
    if likely:
        names = ", ".join(f"{port.device} ({port.title or port.usb})" for port in likely)
        raise UsageError(f"Several ports may be the {board.name}: {names}.", remedy="Choose one by --port.")
    raise EnvironmentMissing(
        f"No serial port looks like a {board.name}.", remedy="Plug it in, or name its port by --port DEV."
    )
