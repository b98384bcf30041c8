"""Worn flash: an image some of whose cells have lost their charge.

A programmed cell of NOR flash holds a charge and reads as 0; one that leaks reads as 1, as if it were erased.
A seed and what the flash holds decide which: the same wear comes out the same again, wherever the image was
built (its debug information has the folder's name in it), and more of it strikes other cells.
"""

from __future__ import annotations

import io
import random
import zlib

from elftools.elf.elffile import ELFFile

from emulation.errors import MachineError
from hal.boards import Board


def worn(elf: bytes, cells: int, board: Board, seed: int) -> bytes:
    """The ELF file with `cells` bits of what is in the board's flash read as 1 instead of 0.

    MachineError if it has no such bits.
    """
    places = _flashed(elf, board)
    charged = [(place, bit) for place in places for bit in range(8) if not elf[place] >> bit & 1]
    if cells > len(charged):
        raise MachineError(f"The image has no {cells} cells in flash that could wear.")
    found = bytearray(elf)
    held = zlib.crc32(bytes(elf[place] for place in places))
    for place, bit in random.Random(f"{seed} {held}").sample(charged, cells):
        found[place] |= 1 << bit
    return bytes(found)


def _flashed(elf: bytes, board: Board) -> list[int]:
    """Offsets in the file of every byte that lies in flash."""
    places: list[int] = []
    for segment in ELFFile(io.BytesIO(elf)).iter_segments():
        header = segment.header
        if header["p_type"] == "PT_LOAD" and board.flash.address <= header["p_paddr"] < board.flash.end:
            places += range(header["p_offset"], header["p_offset"] + header["p_filesz"])
    return places
