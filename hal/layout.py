"""How values lie in memory, by the types of a program's DWARF (version 5, chapter 5), and what they say.

    program = Program.of_elf(path)                    # or Program.of_sections(a module's custom sections)
    found = program.at(0x20000410)                    # which variable, and where in it
    for member in found.variable.type.members: ...

Little endian, as all our targets are. Programs may be anybody's: of a recursive or damaged type only so much
is read as is asked for, and ElfError or DWARFError of pyelftools says what is wrong with it.
"""

from __future__ import annotations

import inspect
import io
import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from elftools.dwarf.die import DIE
from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo
from elftools.elf.elffile import ELFFile

_DEPTH = 16
"""Names for names, qualifiers and anonymous members that are followed."""
_LONGEST = 64
"""Characters of a text of many members."""
_QUALIFIERS = {
    "DW_TAG_const_type": "const ",
    "DW_TAG_volatile_type": "volatile ",
    "DW_TAG_restrict_type": "",
    "DW_TAG_atomic_type": "_Atomic ",
}
_RECORDS = {"DW_TAG_structure_type": "struct", "DW_TAG_class_type": "class", "DW_TAG_union_type": "union"}
_POINTERS = {"DW_TAG_pointer_type": "*", "DW_TAG_reference_type": "&", "DW_TAG_rvalue_reference_type": "&"}
_ADDR, _ADDRX = 0x03, 0xA1  # DW_OP_addr, DW_OP_addrx


class Kind(Enum):
    """What a value is, whatever its type is called."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"
    CHAR = "char"
    BOOL = "bool"
    FLOAT = "float"
    ENUM = "enum"
    POINTER = "pointer"
    RECORD = "record"
    ARRAY = "array"
    OTHER = "other"


_ENCODINGS = {  # DW_ATE_*
    0x02: Kind.BOOL,
    0x04: Kind.FLOAT,
    0x05: Kind.SIGNED,
    0x06: Kind.CHAR,
    0x07: Kind.UNSIGNED,
    0x08: Kind.CHAR,
    0x10: Kind.UNSIGNED,
}


@dataclass(frozen=True, slots=True)
class Member:
    """One of a record. `offset` in bytes; `bits` of a bit field: its lowest one in its type, and how many."""

    name: str
    offset: int
    type: Type
    bits: tuple[int, int] | None = None


class Type:
    """A type; what it is made of is read when it is asked for."""

    def __init__(self, program: Program, die: DIE | None, text: str, kind: Kind, size: int) -> None:
        self._program = program
        self._die = die
        self.text = text
        """As in the source: `struct node *`."""
        self.kind = kind
        self.size = size
        """Bytes; 0 where it is not known."""

    @cached_property
    def of(self) -> Type | None:
        """What a pointer leads to, or an array has; None for others."""
        if self._die is None or self.kind not in (Kind.POINTER, Kind.ARRAY):
            return None
        return self._program.type_of(self._die)

    @cached_property
    def count(self) -> int:
        """Elements of an array, over all its dimensions."""
        return _count(self._die) if self._die is not None and self.kind is Kind.ARRAY else 0

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Of a record, those of anonymous members with them."""
        if self._die is None or self.kind is not Kind.RECORD:
            return ()
        return tuple(_members(self._program, self._die, 0, 0))

    @cached_property
    def names(self) -> Mapping[int, str]:
        """Of an enumeration."""
        if self._die is None or self.kind is not Kind.ENUM:
            return {}
        return {
            child.attributes["DW_AT_const_value"].value: _name(child)
            for child in self._die.iter_children()
            if child.tag == "DW_TAG_enumerator" and "DW_AT_const_value" in child.attributes
        }

    @property
    def opens(self) -> bool:
        """It has members, elements, or leads to something."""
        if self.kind is Kind.POINTER:
            return self.of is not None and self.of.size > 0
        return bool(self.members) or (self.kind is Kind.ARRAY and self.count > 0)

    def number(self, data: bytes) -> int | None:
        """The value as an integer; None where it is none, or bytes lack."""
        if self.kind in (Kind.FLOAT, Kind.RECORD, Kind.ARRAY, Kind.OTHER) or not 0 < self.size <= len(data):
            return None
        signed = self.kind is Kind.SIGNED or (self.kind is Kind.CHAR and "unsigned" not in self.text)
        return int.from_bytes(data[: self.size], "little", signed=signed)

    def say(self, data: bytes, bits: tuple[int, int] | None = None) -> str:
        """A value as a person reads it; `…` where bytes lack."""
        if self.kind is Kind.RECORD:
            return self._listed(
                f"{one.name} = {one.type.say(data[one.offset :], one.bits)}" for one in self.members
            )
        if self.kind is Kind.ARRAY:
            return self._array(data)
        if not self.size or len(data) < self.size:
            return "…"
        if self.kind is Kind.FLOAT and self.size in (4, 8):
            return f"{struct.unpack('<f' if self.size == 4 else '<d', data[: self.size])[0]:.9g}"
        value = self.number(data)
        if value is None:
            return data[: self.size].hex(" ")
        if bits is not None:
            low, wide = bits
            value = (value >> low) & ((1 << wide) - 1)
            if self.kind is Kind.SIGNED and value >> (wide - 1):
                value -= 1 << wide
        if self.kind is Kind.POINTER:
            return f"{value:#x}"
        if self.kind is Kind.BOOL:
            return {0: "false", 1: "true"}.get(value, str(value))
        if self.kind is Kind.ENUM:
            return self.names.get(value, str(value))
        if self.kind is Kind.CHAR and 0x20 <= value < 0x7F:
            return f"{value} {chr(value)!r}"
        return str(value)

    def _array(self, data: bytes) -> str:
        of = self.of
        if of is None or not of.size:
            return "…"
        if of.kind is Kind.CHAR and of.size == 1:
            text, _, rest = data[: self.count].partition(b"\0")
            if all(0x20 <= byte < 0x7F or byte in b"\n\t\r" for byte in text) and not rest.strip(b"\0"):
                shown = repr(text.decode())[1:-1].replace('"', '\\"')
                return f'"{shown[:_LONGEST]}{"…" if len(shown) > _LONGEST else ""}"'
        step = of.size
        return self._listed(of.say(data[at : at + step]) for at in range(0, self.count * step, step))

    def _listed(self, items: Iterator[str]) -> str:
        text = ""
        for item in items:
            if len(text) > _LONGEST:
                return f"{{{text}, …}}"
            text += f", {item}" if text else item
        return f"{{{text}}}"


@dataclass(frozen=True, slots=True)
class Variable:
    """One with an address for good. `address` in the program's own memory: for a module, its linear one."""

    name: str
    address: int
    type: Type


@dataclass(frozen=True, slots=True)
class Found:
    """What an address is part of: `path` as in C (`executors[2].stack.base`), and the type there."""

    variable: Variable
    path: str
    type: Type
    address: int
    bits: tuple[int, int] | None = None


class Program:
    """Types and variables of one program."""

    def __init__(self, dwarf: DWARFInfo) -> None:
        self._dwarf = dwarf
        self._types: dict[int, Type] = {}

    @classmethod
    def of_elf(cls, path: Path) -> Program | None:
        """Of an ELF file; None where it has no debug information."""
        parsed = ELFFile(io.BytesIO(path.read_bytes()))
        return cls(parsed.get_dwarf_info()) if parsed.has_dwarf_info() else None

    @classmethod
    def of_sections(cls, sections: Mapping[str, bytes]) -> Program | None:
        """Of custom sections by name, as a module has them; None where there is no debug information."""
        return cls(open_dwarf(sections)) if ".debug_info" in sections else None

    # -- what there is

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """Those with an address, sorted by it."""
        found: dict[tuple[str, int], Variable] = {}
        for unit in self._dwarf.iter_CUs():
            for die in unit.iter_DIEs():
                if die.tag != "DW_TAG_variable":
                    continue
                address = self._address(die)
                if address is not None:
                    named = _origin(die)
                    name = _name(named)
                    found[name, address] = Variable(name, address, self.type_of(named))
        return tuple(sorted(found.values(), key=lambda one: one.address))

    @cached_property
    def locals(self) -> Mapping[str, Mapping[str, Type]]:
        """Types of parameters and variables, by function and name; what was inlined counts for its caller
        too."""
        found: dict[str, dict[str, Type]] = {}
        for unit in self._dwarf.iter_CUs():
            for die in unit.iter_DIEs():
                if die.tag == "DW_TAG_subprogram":
                    self._collect(die, found.setdefault(_name(_origin(die)), {}))
        return found

    def variable(self, name: str) -> Variable | None:
        """One by its name."""
        return next((one for one in self.variables if one.name == name), None)

    def at(self, address: int) -> Found | None:
        """The variable that an address lies in, down to the member or element."""
        place = bisect_right(self.variables, address, key=lambda one: one.address) - 1
        if place < 0:
            return None
        found = self.variables[place]
        offset = address - found.address
        return within(found, offset) if offset < found.type.size else None

    def _address(self, die: DIE) -> int | None:
        """Where it is for good; None where it moves."""
        place = die.attributes.get("DW_AT_location")
        if place is None or not isinstance(place.value, list) or not place.value:
            return None
        operation, *rest = place.value
        if operation == _ADDR and len(rest) == 4:
            return int.from_bytes(bytes(rest), "little")
        if operation == _ADDRX and len(rest) < 5:
            index = sum((byte & 0x7F) << 7 * at for at, byte in enumerate(rest))
            if rest[-1] < 0x80:
                return int(self._dwarf.get_addr(die.cu, index))
        return None

    def _collect(self, die: DIE, found: dict[str, Type], depth: int = 0) -> None:
        for child in die.iter_children():
            if child.tag in ("DW_TAG_formal_parameter", "DW_TAG_variable"):
                named = _origin(child)
                found.setdefault(_name(named), self.type_of(named))
            elif child.tag in ("DW_TAG_lexical_block", "DW_TAG_inlined_subroutine") and depth < _DEPTH:
                self._collect(child, found, depth + 1)

    # -- types

    def type_of(self, die: DIE, depth: int = 0) -> Type:
        """Of what has a type: a variable, a member, a pointer."""
        if "DW_AT_type" not in die.attributes or depth > _DEPTH:
            return Type(self, None, "void", Kind.OTHER, 0)
        of = die.get_DIE_from_attribute("DW_AT_type")
        known = self._types.get(of.offset)
        if known is None:
            known = self._types[of.offset] = self._read(of, depth)
        return known

    def _read(self, of: DIE, depth: int) -> Type:
        name, tag = _name(of), str(of.tag)
        size = of.attributes["DW_AT_byte_size"].value if "DW_AT_byte_size" in of.attributes else 0
        if tag == "DW_TAG_base_type":
            kind = _ENCODINGS.get(of.attributes["DW_AT_encoding"].value, Kind.OTHER)
            return Type(self, of, name, kind, size)
        if tag == "DW_TAG_enumeration_type":
            return Type(self, of, f"enum {name}".strip(), Kind.ENUM, size)
        if tag in _RECORDS:
            return Type(self, of, f"{_RECORDS[tag]} {name}".strip(), Kind.RECORD, size)
        if tag in _POINTERS:
            text = self._pointee(of, depth + 1)
            text += _POINTERS[tag] if text[-1] in "*&" else f" {_POINTERS[tag]}"
            return Type(self, of, text, Kind.POINTER, size or of.cu["address_size"])
        inner = self.type_of(of, depth + 1)
        if tag == "DW_TAG_array_type":
            count = _count(of)
            return Type(self, of, f"{inner.text} [{count}]", Kind.ARRAY, inner.size * count)
        if tag == "DW_TAG_subroutine_type":
            return Type(self, None, "function", Kind.OTHER, 0)
        text = name or inner.text if tag == "DW_TAG_typedef" else _qualified(tag, inner.text)
        return Type(self, inner._die, text, inner.kind, inner.size)

    def _pointee(self, pointer: DIE, depth: int) -> str:
        """The text alone: a record that points to itself is not followed."""
        if "DW_AT_type" not in pointer.attributes or depth > _DEPTH:
            return "void"
        of = pointer.get_DIE_from_attribute("DW_AT_type")
        tag = str(of.tag)
        if tag in _POINTERS:
            inner = self._pointee(of, depth + 1)
            return inner + (_POINTERS[tag] if inner[-1] in "*&" else f" {_POINTERS[tag]}")
        if tag in _QUALIFIERS:
            return _qualified(tag, self._pointee(of, depth + 1))
        if tag in _RECORDS:
            return f"{_RECORDS[tag]} {_name(of)}".strip()
        return _name(of) or self.type_of(pointer, depth).text


def within(variable: Variable, offset: int) -> Found:
    """Down from a variable to the member or element that a byte of it belongs to."""
    path, type_, at, bits = variable.name, variable.type, 0, None
    for _ in range(_DEPTH):
        if type_.kind is Kind.ARRAY and type_.of is not None and type_.of.size:
            place = min((offset - at) // type_.of.size, max(0, type_.count - 1))
            path, at, type_ = f"{path}[{place}]", at + place * type_.of.size, type_.of
            continue
        held = [
            one for one in type_.members if one.offset <= offset - at < one.offset + max(1, one.type.size)
        ]
        if not held:
            break
        member = held[0]
        path, at, type_, bits = f"{path}.{member.name}", at + member.offset, member.type, member.bits
    return Found(variable, path, type_, variable.address + at, bits)


def open_dwarf(sections: Mapping[str, bytes]) -> DWARFInfo:
    """DWARF of 32 bit machines that lies in sections by their names."""

    def section(name: str) -> DebugSectionDescriptor | None:
        data = sections.get(name)
        return DebugSectionDescriptor(io.BytesIO(data), name, 0, len(data), 0) if data is not None else None

    # Which sections there are differs between pyelftools' releases; they are named alike.
    wanted = [name for name in inspect.signature(DWARFInfo.__init__).parameters if name.endswith("_sec")]
    found = {name: section("." + name.removesuffix("_sec")) for name in wanted}
    config = DwarfConfig(little_endian=True, machine_arch="wasm32", default_address_size=4)
    opened: DWARFInfo = DWARFInfo(config=config, **found)
    return opened


def _members(program: Program, record: DIE, base: int, depth: int) -> Iterator[Member]:
    for child in record.iter_children():
        if child.tag != "DW_TAG_member":
            continue
        place = child.attributes.get("DW_AT_data_member_location")
        offset = base + (place.value if place is not None and isinstance(place.value, int) else 0)
        type_ = program.type_of(child)
        name = _name(child)
        if not name and type_.kind is Kind.RECORD and type_._die is not None and depth < _DEPTH:
            yield from _members(program, type_._die, offset, depth + 1)
            continue
        wide = child.attributes.get("DW_AT_bit_size")
        low = child.attributes.get("DW_AT_data_bit_offset")
        bits = None
        if wide is not None and type_.size:
            start = low.value if low is not None else 0
            unit = type_.size * 8
            offset += start // unit * type_.size
            bits = (start % unit, wide.value)
        yield Member(name, offset, type_, bits)


def _qualified(tag: str, text: str) -> str:
    """Before a type's name, but behind a pointer's star: `const char *const`."""
    word = _QUALIFIERS.get(tag, "")
    return f"{text}{word.strip()}" if text.endswith("*") else word + text


def _count(array: DIE) -> int:
    count = 1
    for child in array.iter_children():
        if child.tag == "DW_TAG_subrange_type":
            bounds: Any = child.attributes
            if "DW_AT_count" in bounds:
                count *= int(bounds["DW_AT_count"].value)
            elif "DW_AT_upper_bound" in bounds:
                count *= int(bounds["DW_AT_upper_bound"].value) + 1
            else:
                return 0
    return count


def _origin(die: DIE) -> DIE:
    """Where a die's name and type are: what it is an instance of."""
    for _ in range(4):
        named = next((a for a in ("DW_AT_abstract_origin", "DW_AT_specification") if a in die.attributes), "")
        if not named:
            break
        die = die.get_DIE_from_attribute(named)
    return die


def _name(die: DIE) -> str:
    found = die.attributes.get("DW_AT_name")
    return found.value.decode("utf-8", "replace") if found is not None else ""
