"""The kernel's own table of executors, read out of a device's memory: where each lies, and what it does.

Offsets come from the DWARF of the very kernel that runs (struct mma_executor of firmware/kernel/executor.h),
so that the table can be read whether the target runs or is held, and whoever launched what is in it.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.dwarf.die import DIE
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from hal.abi import State

Read = Callable[[int, int], Awaitable[bytes]]

_FIELDS = (
    *("place.base", "place.used", "parts.code", "parts.stack", "parts.memory", "parts.log", "parts.result"),
    *("memory", "switches", "state", "cause", "generation"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One slot that is taken. Parts are bytes, in the order in which they lie from `base` on."""

    slot: int
    state: State
    base: int
    used: int
    code: int
    stack: int
    memory: int
    log: int
    result: int
    linear: int
    """Bytes of linear memory at present."""
    switches: int
    generation: int
    current: bool
    """It ran last."""


@dataclass(frozen=True, slots=True)
class Table:
    """Where the table is in one kernel. `fields` are (offset, bytes) by name."""

    address: int
    slots: int
    size: int
    last: int
    """Address of the pointer to who ran last; 0 where it is not known."""
    fields: Mapping[str, tuple[int, int]]

    async def read(self, read: Read) -> tuple[Row, ...]:
        """All slots that are taken."""
        data = await read(self.address, self.slots * self.size)
        last = struct.unpack("<I", await read(self.last, 4))[0] if self.last else 0
        rows = (self._row(data, slot, last) for slot in range(self.slots))
        return tuple(row for row in rows if row is not None)

    def _row(self, data: bytes, slot: int, last: int) -> Row | None:
        def field(name: str) -> int:
            offset, size = self.fields[name]
            at = slot * self.size + offset
            return int.from_bytes(data[at : at + size], "little")

        try:
            state = State(field("state"))
        except ValueError:
            return None
        if state is State.FREE:
            return None
        return Row(
            slot=slot,
            state=state,
            base=field("place.base"),
            used=field("place.used"),
            code=field("parts.code"),
            stack=field("parts.stack"),
            memory=field("parts.memory"),
            log=field("parts.log"),
            result=field("parts.result"),
            linear=field("memory"),
            switches=field("switches"),
            generation=field("generation"),
            current=last == self.address + slot * self.size,
        )


def table_of(elf: Path) -> Table | None:
    """From a kernel's ELF; None where it is none of ours. Blocks for some tenths of a second."""
    with elf.open("rb") as file:
        parsed = ELFFile(file)
        symbols = parsed.get_section_by_name(".symtab")
        found = (
            symbols.get_symbol_by_name("mma_executors") if isinstance(symbols, SymbolTableSection) else None
        )
        if not found or not parsed.has_dwarf_info():
            return None
        dwarf = parsed.get_dwarf_info()
        for unit in dwarf.iter_CUs():
            top = unit.get_top_DIE()
            if not _name(top).endswith("kernel/scheduler.c"):
                continue
            shape = next((die for die in unit.iter_DIEs() if _is_shape(die)), None)
            last = next((die for die in top.iter_children() if _name(die) == "last"), None)
            if shape is None:
                return None
            size = int(shape.attributes["DW_AT_byte_size"].value)
            fields = dict(_members(shape))
            if not set(_FIELDS) <= fields.keys():
                return None
            count = int(found[0]["st_size"]) // size
            return Table(int(found[0]["st_value"]), count, size, _address(last, dwarf) if last else 0, fields)
    return None


def _is_shape(die: DIE) -> bool:
    return (
        die.tag == "DW_TAG_structure_type"
        and _name(die) == "mma_executor"
        and "DW_AT_byte_size" in die.attributes
    )


def _members(shape: DIE, before: str = "", start: int = 0) -> list[tuple[str, tuple[int, int]]]:
    found: list[tuple[str, tuple[int, int]]] = []
    for member in shape.iter_children():
        if member.tag != "DW_TAG_member":
            continue
        offset = start + int(member.attributes["DW_AT_data_member_location"].value)
        kind = member.get_DIE_from_attribute("DW_AT_type")
        while kind.tag in ("DW_TAG_typedef", "DW_TAG_volatile_type", "DW_TAG_const_type"):
            kind = kind.get_DIE_from_attribute("DW_AT_type")
        name = before + _name(member)
        if kind.tag == "DW_TAG_structure_type":
            found += _members(kind, f"{name}.", offset)
        elif "DW_AT_byte_size" in kind.attributes:
            found.append((name, (offset, int(kind.attributes["DW_AT_byte_size"].value))))
    return found


def _address(variable: DIE, dwarf: object) -> int:
    """Of a static variable: DW_OP_addr, or DW_OP_addrx with .debug_addr (DWARF 5)."""
    attribute = variable.attributes.get("DW_AT_location")
    if attribute is None:
        return 0
    expression = bytes(attribute.value)
    if expression[:1] == b"\x03":
        return int.from_bytes(expression[1:5], "little")
    if expression[:1] == b"\xa1" and expression[1] < 0x80:
        return int(dwarf.get_addr(variable.cu, expression[1]))  # type: ignore[attr-defined]
    return 0


def _name(die: DIE) -> str:
    found = die.attributes.get("DW_AT_name")
    return found.value.decode("utf-8", "replace") if found is not None else ""
