"""What a module's DWARF says of its source: lines, and variables with the WebAssembly places that hold them.

Compilers put DWARF into custom sections (WebAssembly tool conventions, "DWARF for WebAssembly"): addresses
are offsets into the contents of the code section, and DW_OP_WASM_location names a local, a global or an
operand. The module may be anybody's: what is malformed or odd is left out, and nothing of it becomes C text
but what `quoted` and `plain` let pass.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from elftools.dwarf.compileunit import CompileUnit
from elftools.dwarf.die import DIE
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.dwarf.locationlists import BaseAddressEntry, LocationEntry, LocationExpr, LocationParser

from hal.aot.dwarf_types import TypeText, type_text
from hal.aot.limits import MOST_DEBUG, Patience
from hal.layout import open_dwarf

log = logging.getLogger(__name__)

MOST_VARIABLES = 64
"""Variables of one function that are followed."""

_WASM_LOCATION, _STACK_VALUE, _FBREG, _PLUS_UCONST = 0xED, 0x9F, 0x91, 0x23
_GONE = 0x8000_0000
"""Linkers give functions that they dropped addresses from here on."""
_CONSTANTS = {0x08: 1, 0x09: -1, 0x0A: 2, 0x0B: -2, 0x0C: 4, 0x0D: -4}  # DW_OP_const1u ...; negative: signed


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is: `kind` is local, operand (index counted from the bottom of the function's stack) or
    constant; `offset` is added to it. With `memory` it lies in linear memory, at that sum."""

    kind: str
    index: int = 0
    offset: int = 0
    memory: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a function. `ranges` are (start, end, place), addresses as bytes of the module."""

    name: str
    type: TypeText
    parameter: bool
    ranges: tuple[tuple[int, int, Place], ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the source. `low` and `high` are bytes of the module."""

    name: str
    file: str
    line: int
    low: int
    high: int
    variables: tuple[Variable, ...]


class DebugInfo:
    """Looked up by a place in the module, in bytes from its start."""

    def __init__(self, lines: list[tuple[int, str, int]], functions: list[Function]) -> None:
        self._lines = sorted(lines)
        self._functions = sorted(functions, key=lambda one: one.low)

    def line(self, place: int) -> tuple[str, int] | None:
        """File and line that an instruction comes from; None between functions, or where none is known."""
        at = bisect_right(self._lines, place, key=lambda row: row[0]) - 1
        if at < 0 or not self._lines[at][2]:
            return None
        return self._lines[at][1], self._lines[at][2]

    def function(self, place: int) -> Function | None:
        """The function that holds a place."""
        at = bisect_right(self._functions, place, key=lambda one: one.low) - 1
        if at < 0 or place >= self._functions[at].high:
            return None
        return self._functions[at]


def read(sections: dict[str, bytes], code_start: int) -> DebugInfo | None:
    """From custom sections by name; None where there is nothing to be read."""
    if ".debug_info" not in sections or sum(map(len, sections.values())) > MOST_DEBUG:
        return None
    try:
        return _read(sections, code_start)
    except Exception as error:  # pyelftools raises whatever damaged DWARF leads it to; it is only a help
        log.info("debug information left out: %r", error)
        return None


@lru_cache(maxsize=256)
def quoted(path: str) -> str:
    """A path as C's string literal for #line."""
    clean = "".join(char for char in path if char.isprintable())[:400]
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") + '"'


def plain(name: str) -> str:
    """A name without what a debugger's expressions could not take."""
    return re.sub(r"[^A-Za-z0-9_:<>~]", "_", name)[:60] or "_"


def _read(sections: dict[str, bytes], start: int) -> DebugInfo:
    dwarf = open_dwarf(sections)
    lines: list[tuple[int, str, int]] = []
    functions: list[Function] = []
    patience = Patience()
    for unit in dwarf.iter_CUs():
        patience.check()
        top = unit.get_top_DIE()
        files = _Files(dwarf, unit, _text(top, "DW_AT_comp_dir"))
        lines += ((address + start, file, line) for address, file, line in files.lines())
        reader = _Functions(dwarf, unit, files, start, patience)
        functions += reader.functions()
    return DebugInfo(lines, functions)


class _Files:
    """The line table of a unit."""

    def __init__(self, dwarf: DWARFInfo, unit: CompileUnit, folder: str) -> None:
        self._program = dwarf.line_program_for_CU(unit)
        self._folder = folder
        header: Any = self._program.header if self._program else {}
        self._first = 0 if header and header["version"] >= 5 else 1
        self._folders = [_decoded(one) for one in header["include_directory"]] if header else []
        self._entries = list(header["file_entry"]) if header else []

    def path(self, number: int) -> str:
        """Of a file by its number in the table; "" where there is none."""
        place = number - self._first
        if not 0 <= place < len(self._entries):
            return ""
        entry = self._entries[place]
        at = entry["dir_index"] - self._first
        folder = self._folders[at] if 0 <= at < len(self._folders) else ""
        return str(PurePosixPath(self._folder, folder, _decoded(entry["name"])))

    def lines(self) -> Iterator[tuple[int, str, int]]:
        """(address, path, line); line 0 ends a stretch."""
        paths: dict[int, str] = {}
        for entry in self._program.get_entries() if self._program else ():
            state = entry.state
            if state is None:
                continue
            path = paths.setdefault(state.file, "") or paths.setdefault(
                -state.file - 1, self.path(state.file)
            )
            yield state.address, path, 0 if state.end_sequence else state.line


class _Functions:
    """The functions of a unit."""

    def __init__(
        self, dwarf: DWARFInfo, unit: CompileUnit, files: _Files, start: int, patience: Patience
    ) -> None:
        self._patience = patience
        self._unit = unit
        self._files = files
        self._start = start
        self._locations = LocationParser(dwarf.location_lists())
        low = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
        self._base = low.value if low is not None else 0

    def functions(self) -> Iterator[Function]:
        """Those that have code."""
        for die in self._unit.iter_DIEs():
            self._patience.check()
            if die.tag != "DW_TAG_subprogram" or "DW_AT_low_pc" not in die.attributes:
                continue
            low, high = _bounds(die, (0, 0))
            if low >= _GONE:
                continue
            named = _origin(die)
            number = named.attributes.get("DW_AT_decl_line")
            file = named.attributes.get("DW_AT_decl_file")
            frame = self._frame(die)
            variables = list(self._variables(die, frame, low, high))[:MOST_VARIABLES]
            yield Function(
                _text(named, "DW_AT_name"),
                self._files.path(file.value) if file is not None else "",
                number.value if number is not None else 0,
                low + self._start,
                high + self._start,
                tuple(variables),
            )

    def _frame(self, die: DIE) -> Place | None:
        attribute = die.attributes.get("DW_AT_frame_base")
        return _place(attribute.value, None) if attribute is not None else None

    def _variables(self, die: DIE, frame: Place | None, low: int, high: int) -> Iterator[Variable]:
        for child in die.iter_children():
            if child.tag in ("DW_TAG_lexical_block", "DW_TAG_inlined_subroutine"):
                yield from self._variables(child, frame, *_bounds(child, (0, 0)))
            elif child.tag in ("DW_TAG_formal_parameter", "DW_TAG_variable"):
                named = _origin(child)
                name = _text(named, "DW_AT_name")
                ranges = tuple(self._ranges(child, frame, low, high))
                parameter = child.tag == "DW_TAG_formal_parameter" and die.tag == "DW_TAG_subprogram"
                if name and (ranges or parameter):
                    yield Variable(name, type_text(named), parameter, ranges)

    def _ranges(self, die: DIE, frame: Place | None, low: int, high: int) -> Iterator[tuple[int, int, Place]]:
        start = self._start
        constant = die.attributes.get("DW_AT_const_value")
        if constant is not None and isinstance(constant.value, int) and low < high:
            yield low + start, high + start, Place("constant", constant.value)
        attribute = die.attributes.get("DW_AT_location")
        if attribute is None:
            return
        found = self._locations.parse_from_attribute(attribute, self._unit["version"], die)
        if isinstance(found, LocationExpr):
            place = _place(found.loc_expr, frame)
            if place:  # it holds wherever the function runs
                yield start, _GONE, place
            return
        base = self._base
        for entry in found:
            if isinstance(entry, BaseAddressEntry):
                base = entry.base_address
            if not isinstance(entry, LocationEntry):
                continue
            if len(entry.loc_expr) == 0:
                continue
            origin = 0 if entry.is_absolute else base
            place = _place(entry.loc_expr, frame)
            if place and entry.begin_offset < entry.end_offset:
                yield entry.begin_offset + origin + start, entry.end_offset + origin + start, place


def _bounds(die: DIE, otherwise: tuple[int, int]) -> tuple[int, int]:
    """First address and end of what is in one piece."""
    low, size = (die.attributes.get(name) for name in ("DW_AT_low_pc", "DW_AT_high_pc"))
    if low is None or size is None:
        return otherwise
    return low.value, size.value if size.form == "DW_FORM_addr" else low.value + size.value


def _origin(die: DIE) -> DIE:
    """Where a die's name and type are: what it is an instance of."""
    for _ in range(4):
        attribute = next(
            (a for a in ("DW_AT_abstract_origin", "DW_AT_specification") if a in die.attributes), ""
        )
        if not attribute:
            break
        die = die.get_DIE_from_attribute(attribute)
    return die


def _place(expression: list[int], frame: Place | None) -> Place | None:
    """The few forms that compilers write for WebAssembly; None for others."""
    data = list(expression)
    place: Place | None = None
    memory = True
    while data:
        op = data.pop(0)
        if op == _WASM_LOCATION and place is None:
            kind = data.pop(0)
            if kind not in (0, 2):  # globals hold the stack pointer: it moves
                return None
            place = Place("local" if kind == 0 else "operand", _unsigned(data))
        elif op == _FBREG and place is None and frame is not None:
            place = Place(frame.kind, frame.index, frame.offset + _signed(data))
        elif op == _PLUS_UCONST and place is not None:
            place = Place(place.kind, place.index, place.offset + _unsigned(data))
        elif 0x30 <= op <= 0x4F and place is None:
            place = Place("constant", op - 0x30)
        elif op == 0x10 and place is None:
            place = Place("constant", _unsigned(data))
        elif op == 0x11 and place is None:
            place = Place("constant", _signed(data))
        elif op in _CONSTANTS and place is None:
            size = abs(_CONSTANTS[op])
            value = int.from_bytes(bytes(data[:size]), "little", signed=_CONSTANTS[op] < 0)
            del data[:size]
            place = Place("constant", value)
        elif op == _STACK_VALUE and not data:
            memory = False
        else:
            return None
    if place is None:
        return None
    # A local alone, without DW_OP_stack_value, is the value itself: locals have no address.
    memory = memory and (expression[0] == _FBREG or bool(place.offset))
    return Place(place.kind, place.index, place.offset, memory)


def _unsigned(data: list[int]) -> int:
    return _leb128(data)[0]


def _signed(data: list[int]) -> int:
    value, bits = _leb128(data)
    return value - (1 << bits) if value >> (bits - 1) else value


def _leb128(data: list[int]) -> tuple[int, int]:
    """Take a number (DWARF 5, 7.6) from the front: its bits as they are, and how many."""
    value = shift = 0
    while True:
        byte = data.pop(0)
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, shift


def _text(die: DIE, attribute: str) -> str:
    found = die.attributes.get(attribute)
    return _decoded(found.value) if found is not None else ""


def _decoded(text: Any) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
