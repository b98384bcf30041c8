"""Our kernel's stand-in for sensors and pins that an emulator does not model: a place in RAM that the guests
read, and where the kernel tells the levels of outputs.

Its layout is `struct mma_stand_in` of firmware/kernel/pins.h: u32 magic, an i32 for each sensor, in
thousandths, then u32 masks over the board's pins: inputs, outputs, directions, driven.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

_SYMBOL = "mma_stand_in"
_MAGIC = 0x4E494D4D  # "MMIN"
_SENSORS = 4
_INPUTS = 4 + 4 * _SENSORS
_OUTPUTS = _INPUTS + 4
_DRIVEN = _INPUTS + 12

Read = Callable[[int, int], Awaitable[bytes]]
"""Reads bytes from a RAM address."""
Write = Callable[[int, bytes], Awaitable[None]]
"""Writes bytes to a RAM address."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """Where it is in one image."""

    address: int

    @classmethod
    def of(cls, image: Path) -> StandIn | None:
        """None if the image is not our kernel."""
        with image.open("rb") as file:
            table = ELFFile(file).get_section_by_name(".symtab")
            symbols = table.get_symbol_by_name(_SYMBOL) if isinstance(table, SymbolTableSection) else None
        return cls(int(symbols[0]["st_value"])) if symbols else None

    async def set(self, write: Write, sensor: int, value: float) -> None:
        """What a sensor, by its number on the board, reads from now on; `value` in its unit."""
        if not 0 <= sensor < _SENSORS:
            raise ValueError(f"sensor {sensor}: there is room for {_SENSORS}")
        await write(self.address + 4 + 4 * sensor, struct.pack("<i", round(value * 1000)))
        await write(self.address, struct.pack("<I", _MAGIC))  # last: with it the kernel looks here

    async def drive(self, read: Read, write: Write, pin: int, level: bool) -> None:
        """The level of a pin, by its number on the board, wherever it is an input."""
        for place, value in ((_INPUTS, level), (_DRIVEN, True)):
            mask = int.from_bytes(await read(self.address + place, 4), "little") & ~(1 << pin)
            await write(self.address + place, struct.pack("<I", mask | value << pin))
        await write(self.address, struct.pack("<I", _MAGIC))

    @property
    def outputs(self) -> int:
        """The address of the word with the levels of outputs: bit N is the board's pin N."""
        return self.address + _OUTPUTS

    async def output(self, read: Read, pin: int) -> bool:
        """The level that the kernel drives on a pin."""
        return bool(int.from_bytes(await read(self.outputs, 4), "little") >> pin & 1)
