"""The variables and types of a program, by its DWARF."""

from __future__ import annotations

import inspect
import io
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from elftools.dwarf.die import DIE
from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo
from elftools.elf.elffile import ELFFile

from hal.layout.types import DEPTH, Kind, Type, count_of, name_of, sound

_QUALIFIERS = {
    "DW_TAG_const_type": "const ",
    "DW_TAG_volatile_type": "volatile ",
    "DW_TAG_restrict_type": "",
    "DW_TAG_atomic_type": "_Atomic ",
}
_RECORDS = {"DW_TAG_structure_type": "struct", "DW_TAG_class_type": "class", "DW_TAG_union_type": "union"}
_POINTERS = {"DW_TAG_pointer_type": "*", "DW_TAG_reference_type": "&", "DW_TAG_rvalue_reference_type": "&"}
_ADDR, _ADDRX = 0x03, 0xA1  # DW_OP_addr, DW_OP_addrx
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
        if ".debug_info" not in sections:
            return None
        return sound(lambda: cls(open_dwarf(sections)), None)

    # -- what there is

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """Those with an address, sorted by it."""
        return sound(self._variables, ())

    @cached_property
    def locals(self) -> Mapping[str, Mapping[str, Type]]:
        """Types of parameters and variables, by function and name; what was inlined counts for its caller
        too."""
        return sound(self._locals, {})

    def _variables(self) -> tuple[Variable, ...]:
        found: dict[tuple[str, int], Variable] = {}
        for unit in self._dwarf.iter_CUs():
            for die in unit.iter_DIEs():
                if die.tag != "DW_TAG_variable":
                    continue
                address = self._address(die)
                if address is not None:
                    named = _origin(die)
                    name = name_of(named)
                    found[name, address] = Variable(name, address, self.type_of(named))
        return tuple(sorted(found.values(), key=lambda one: one.address))

    def _locals(self) -> Mapping[str, Mapping[str, Type]]:
        found: dict[str, dict[str, Type]] = {}
        for unit in self._dwarf.iter_CUs():
            for die in unit.iter_DIEs():
                if die.tag == "DW_TAG_subprogram":
                    self._collect(die, found.setdefault(name_of(_origin(die)), {}))
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
                found.setdefault(name_of(named), self.type_of(named))
            elif child.tag in ("DW_TAG_lexical_block", "DW_TAG_inlined_subroutine") and depth < DEPTH:
                self._collect(child, found, depth + 1)

    # -- types

    def type_of(self, die: DIE, depth: int = 0) -> Type:
        """Of what has a type: a variable, a member, a pointer."""
        if "DW_AT_type" not in die.attributes or depth > DEPTH:
            return Type(self, None, "void", Kind.OTHER, 0)
        of = die.get_DIE_from_attribute("DW_AT_type")
        known = self._types.get(of.offset)
        if known is None:
            known = self._types[of.offset] = self._read(of, depth)
        return known

    def _read(self, of: DIE, depth: int) -> Type:
        name, tag = name_of(of), str(of.tag)
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
            count = count_of(of)
            return Type(self, of, f"{inner.text} [{count}]", Kind.ARRAY, inner.size * count)
        if tag == "DW_TAG_subroutine_type":
            return Type(self, None, "function", Kind.OTHER, 0)
        text = name or inner.text if tag == "DW_TAG_typedef" else _qualified(tag, inner.text)
        return Type(self, inner._die, text, inner.kind, inner.size)

    def _pointee(self, pointer: DIE, depth: int) -> str:
        """The text alone: a record that points to itself is not followed."""
        if "DW_AT_type" not in pointer.attributes or depth > DEPTH:
            return "void"
        of = pointer.get_DIE_from_attribute("DW_AT_type")
        tag = str(of.tag)
        if tag in _POINTERS:
            inner = self._pointee(of, depth + 1)
            return inner + (_POINTERS[tag] if inner[-1] in "*&" else f" {_POINTERS[tag]}")
        if tag in _QUALIFIERS:
            return _qualified(tag, self._pointee(of, depth + 1))
        if tag in _RECORDS:
            return f"{_RECORDS[tag]} {name_of(of)}".strip()
        return name_of(of) or self.type_of(pointer, depth).text


def within(variable: Variable, offset: int) -> Found:
    """Down from a variable to the member or element that a byte of it belongs to."""
    path, type_, at, bits = variable.name, variable.type, 0, None
    for _ in range(DEPTH):
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


def _origin(die: DIE) -> DIE:
    """Where a die's name and type are: what it is an instance of."""
    for _ in range(4):
        named = next((a for a in ("DW_AT_abstract_origin", "DW_AT_specification") if a in die.attributes), "")
        if not named:
            break
        die = die.get_DIE_from_attribute(named)
    return die


def _qualified(tag: str, text: str) -> str:
    """Before a type's name, but behind a pointer's star: `const char *const`."""
    word = _QUALIFIERS.get(tag, "")
    return f"{text}{word.strip()}" if text.endswith("*") else word + text
