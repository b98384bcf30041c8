"""Draws up who has what of a device's memory: the kernel by its ELF and map, executors by its own table.

Nothing is halted for it: the table is read through the emulator's memory, peaks come over the link.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from console.debug.kernel import Row, Table, table_of
from console.debug.tenants import task_of
from console.memory.view import Area, Kind, MemoryView, Region, Symbol
from emulation.machine import Machine
from hal import firmware
from hal.aot.dwarf_types import type_text
from hal.boards import Board
from hal.errors import DeviceError, LinkError
from hal.mcu import McuTarget, Placed

_FLASH = (".text",)
_RAM = (".data", ".bss", ".noinit")


@dataclass(frozen=True, slots=True)
class Kernel:
    """What is known of one built kernel; made once, then only looked at."""

    flash: tuple[Region, ...]
    ram: tuple[Region, ...]
    arena: int
    """Where the executors' part of RAM begins."""
    table: Table | None
    build: str
    last_build: str


def kernel_of(board: Board, elf: Path) -> Kernel:
    """Read an ELF, its map, and the sizes of the build before it. Blocks for some tenths of a second."""
    made = firmware.Firmware(board, elf, elf.with_name("kernel.map"), elf.parent.name.rpartition("-")[2], 0.0)
    last = next((one for one in firmware.kept(board) if one.elf.parent != elf.parent), None)
    symbols = _symbols(elf)
    if last is not None:
        old = {one.name: one.size for one in _symbols(last.elf)}
        symbols = [replace(one, before=old.get(one.name, 0)) for one in symbols]
    pieces = firmware.pieces(made)
    before = firmware.pieces(last) if last is not None else None
    flash = _regions(pieces, before, _FLASH, Kind.CODE, symbols)
    ram = _regions(pieces, before, _RAM, Kind.DATA, symbols)
    stack = next(piece for piece in _sections(elf) if piece.section == ".stack")
    ram.append(Region("stack", Kind.KERNEL_STACK, stack.address, stack.size, "kernel"))
    return Kernel(
        (*flash, *_initial_data(elf)),
        tuple(ram),
        made.symbol("mma_arena_low"),
        table_of(elf),
        made.digest,
        last.digest if last is not None else "",
    )


async def survey(name: str, kernel: Kernel, machine: Machine, target: McuTarget | None) -> MemoryView:
    """The map as it is now. EmulationError when the machine is gone."""
    board = machine.board
    rows = await kernel.table.read(machine.read_memory) if kernel.table is not None else ()
    placed = {one.slot: one for one in target.placed()} if target is not None else {}
    peak = None
    if target is not None and target.link.up:
        with contextlib.suppress(DeviceError, LinkError, TimeoutError):
            async with asyncio.timeout(1.0):
                await target.usage()
                peak = (await target.link.counters()).stack_peak
                placed = {one.slot: one for one in target.placed()}
    guests = [region for row in rows for region in _guest(row, placed.get(row.slot))]
    own = [_with_peak(one, peak) for one in kernel.ram]
    flash = _filled(kernel.flash, board.flash.address, board.flash.end)
    ram = _filled([*own, *guests], board.ram.address, board.ram.end)
    areas = (
        Area("ram", board.ram.address, board.ram.size, ram),
        Area("flash", board.flash.address, board.flash.size, flash),
    )
    return MemoryView(name, areas=areas, build=kernel.build, last_build=kernel.last_build)


def _guest(row: Row, placed: Placed | None) -> list[Region]:
    """The parts of a slot, in the order in which they lie."""
    owner = task_of(placed.key) if placed is not None else f"slot {row.slot}"
    usage = placed.usage if placed is not None else None
    symbols: tuple[Symbol, ...] = ()
    linear: tuple[Symbol, ...] = ()
    if placed is not None:
        symbols = tuple(Symbol(name, address, size) for address, size, name, _ in placed.image.symbols)
        bytes_ = placed.image.linear_memory
        memory = row.base + row.code + row.stack
        linear = (Symbol("linear memory", memory, bytes_),)
        if row.memory > bytes_:
            linear += (Symbol("globals and tables", memory + bytes_, row.memory - bytes_),)
    parts = (
        (Kind.GUEST_CODE, row.code, None, symbols),
        (Kind.GUEST_STACK, row.stack, usage.stack_peak if usage else None, ()),
        (Kind.GUEST_MEMORY, row.memory, usage.memory_peak if usage else None, linear),
        (Kind.GUEST_LOG, row.log, None, ()),
        (Kind.GUEST_RESULT, row.result, None, ()),
    )
    regions: list[Region] = []
    at = row.base
    for kind, size, peak, within in parts:
        if size:
            regions.append(Region(kind.value, kind, at, size, owner, peak, None, within))
        at += size
    return regions


def _with_peak(region: Region, peak: int | None) -> Region:
    if region.kind is not Kind.KERNEL_STACK:
        return region
    return Region(region.name, region.kind, region.address, region.size, region.owner, peak)


def _filled(regions: Iterable[Region], start: int, end: int) -> tuple[Region, ...]:
    """In order of addresses, with the free runs between. Gaps within the kernel are nobody's to give."""
    ordered = sorted(regions, key=lambda region: region.address)
    kernel = max((one.address + one.size for one in ordered if one.owner == "kernel"), default=start)
    found: list[Region] = []
    at = start
    for one in (*ordered, None):
        stop = one.address if one is not None else end
        if stop > at:
            inner = at < kernel and bool(found)
            kind = found[-1].kind if inner else Kind.FREE
            name, owner = ("padding", "kernel") if inner else ("free", "")
            found.append(Region(name, kind, at, stop - at, owner))
        if one is not None:
            found.append(one)
            at = max(at, one.address + one.size)
    return tuple(found)


def _regions(
    pieces: Sequence[firmware.Piece],
    before: Sequence[firmware.Piece] | None,
    sections: Sequence[str],
    kind: Kind,
    symbols: Sequence[Symbol],
) -> list[Region]:
    """One region for each stretch that a module has; how it grew stands at its largest one."""
    mine = sorted(
        (one for one in pieces if one.section in sections and one.size), key=lambda one: one.address
    )
    was = _sums(before, sections) if before is not None else {}
    grown = {name: size - was.get(name, 0) for name, size in _sums(pieces, sections).items()}
    runs = [(name, list(run)) for (name, _), run in groupby(mine, key=lambda one: (one.module, one.section))]
    largest = {
        name: max(sum(p.size for p in run) for other, run in runs if other == name) for name, _ in runs
    }
    found: list[Region] = []
    for name, own in runs:
        start, end = own[0].address, max(one.address + one.size for one in own)
        within = tuple(one for one in symbols if start <= one.address < end)
        told = before is not None and sum(piece.size for piece in own) == largest[name]
        by = grown.pop(name, None) if told else None
        old = end - start - by if by is not None else None
        found.append(Region(name, kind, start, end - start, "kernel", None, old, within))
    return found


def _initial_data(elf: Path) -> list[Region]:
    """What variables begin as lies in flash, too."""
    with elf.open("rb") as file:
        parsed = ELFFile(file)
        data = parsed.get_section_by_name(".data")
        if data is None:
            return []
        for segment in parsed.iter_segments():
            low = int(segment["p_vaddr"])
            if segment["p_type"] == "PT_LOAD" and low <= data["sh_addr"] < low + int(segment["p_memsz"]):
                at = int(segment["p_paddr"]) + int(data["sh_addr"]) - low
                return [Region("initial data", Kind.CODE, at, int(data["sh_size"]), "kernel")]
    return []


def _sums(pieces: Sequence[firmware.Piece], sections: Sequence[str]) -> Mapping[str, int]:
    sums: dict[str, int] = {}
    for piece in pieces:
        if piece.section in sections:
            sums[piece.module] = sums.get(piece.module, 0) + piece.size
    return sums


def _sections(elf: Path) -> list[firmware.Piece]:
    with elf.open("rb") as file:
        return [
            firmware.Piece(one.name, int(one["sh_addr"]), int(one["sh_size"]), "")
            for one in ELFFile(file).iter_sections()
        ]


def _symbols(elf: Path) -> list[Symbol]:
    """Functions and variables by address, variables with their types."""
    with elf.open("rb") as file:
        parsed = ELFFile(file)
        types: dict[str, str] = {}
        if parsed.has_dwarf_info():
            for unit in parsed.get_dwarf_info().iter_CUs():
                for die in unit.get_top_DIE().iter_children():
                    name = die.attributes.get("DW_AT_name")
                    if die.tag == "DW_TAG_variable" and name is not None and "DW_AT_type" in die.attributes:
                        types[name.value.decode("utf-8", "replace")] = type_text(die).text
        table = parsed.get_section_by_name(".symtab")
        found = [
            Symbol(one.name, int(one["st_value"]) & ~1, int(one["st_size"]), types.get(one.name, ""))
            for one in (table.iter_symbols() if isinstance(table, SymbolTableSection) else ())
            if one["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT") and one["st_size"]
        ]
    return sorted(found, key=lambda one: one.address)
