"""What a value of a type says: numbers, texts, members and elements, read out of its bytes."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from elftools.dwarf.die import DIE

if TYPE_CHECKING:
    from hal.layout.program import Program

log = logging.getLogger(__name__)

DEPTH = 16
"""Names for names, qualifiers, and members of members that are followed: a damaged type may hold itself."""
_T = TypeVar("_T")
_LONGEST = 64
"""Characters of a text of many members."""


def sound(read: Callable[[], _T], otherwise: _T) -> _T:
    """What can be read of DWARF that somebody else made."""
    try:
        return read()
    except Exception as error:  # pyelftools raises whatever damaged DWARF leads it to; it is only a help
        log.info("debug information left out: %r", error)
        return otherwise


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
        die = self._die
        if die is None or self.kind not in (Kind.POINTER, Kind.ARRAY):
            return None
        return sound(lambda: self._program.type_of(die), None)

    @cached_property
    def count(self) -> int:
        """Elements of an array, over all its dimensions."""
        die = self._die
        return sound(lambda: count_of(die), 0) if die is not None and self.kind is Kind.ARRAY else 0

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Of a record, those of anonymous members with them."""
        die = self._die
        if die is None or self.kind is not Kind.RECORD:
            return ()
        return sound(lambda: tuple(_members(self._program, die, 0, 0)), ())

    @cached_property
    def names(self) -> Mapping[int, str]:
        """Of an enumeration."""
        die = self._die
        if die is None or self.kind is not Kind.ENUM:
            return {}
        return sound(lambda: _enumerators(die), {})

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

    def say(self, data: bytes, bits: tuple[int, int] | None = None, depth: int = 0) -> str:
        """A value as a person reads it; `…` where bytes lack."""
        if depth > DEPTH:
            return "…"
        if self.kind is Kind.RECORD:
            return self._listed(
                f"{one.name} = {one.type.say(data[one.offset :], one.bits, depth + 1)}"
                for one in self.members
            )
        if self.kind is Kind.ARRAY:
            return self._array(data, depth)
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

    def _array(self, data: bytes, depth: int) -> str:
        of = self.of
        if of is None or not of.size or not data:
            return "…"
        if of.kind is Kind.CHAR and of.size == 1:
            text, _, rest = data[: self.count].partition(b"\0")
            if all(0x20 <= byte < 0x7F or byte in b"\n\t\r" for byte in text) and not rest.strip(b"\0"):
                shown = repr(text.decode())[1:-1].replace('"', '\\"')
                return f'"{shown[:_LONGEST]}{"…" if len(shown) > _LONGEST else ""}"'
        step = of.size
        starts = range(0, self.count * step, step)
        return self._listed(of.say(data[at : at + step], None, depth + 1) for at in starts)

    def _listed(self, items: Iterator[str]) -> str:
        text = ""
        for item in items:
            if len(text) > _LONGEST:
                return f"{{{text}, …}}"
            text += f", {item}" if text else item
        return f"{{{text}}}"


def _members(program: Program, record: DIE, base: int, depth: int) -> Iterator[Member]:
    for child in record.iter_children():
        if child.tag != "DW_TAG_member":
            continue
        place = child.attributes.get("DW_AT_data_member_location")
        offset = base + (place.value if place is not None and isinstance(place.value, int) else 0)
        type_ = program.type_of(child)
        name = name_of(child)
        if not name and type_.kind is Kind.RECORD and type_._die is not None and depth < DEPTH:
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


def _enumerators(die: DIE) -> Mapping[int, str]:
    return {
        child.attributes["DW_AT_const_value"].value: name_of(child)
        for child in die.iter_children()
        if child.tag == "DW_TAG_enumerator" and "DW_AT_const_value" in child.attributes
    }


def count_of(array: DIE) -> int:
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


def name_of(die: DIE) -> str:
    found = die.attributes.get("DW_AT_name")
    return found.value.decode("utf-8", "replace") if found is not None else ""
