"""From an address in an executor's code to the WebAssembly functions and source lines that it stands for.

clang inlines: one address may lie in several functions of the module at once. Its line table and the tree of
inlined functions (DWARF 4, sections 6.2 and 3.3.8.2) in the linked ELF tell them apart; hal.aot.function
wrote the module's own source lines into the C.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elftools.dwarf.descriptions import describe_form_class
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from hal.aot.lines import Spot, file_name

log = logging.getLogger(__name__)

_INLINED, _FUNCTION = "DW_TAG_inlined_subroutine", "DW_TAG_subprogram"


@dataclass(frozen=True, slots=True)
class Frame:
    """A function of the module, and where in its source."""

    name: str
    """Its WebAssembly name."""
    index: int
    spot: Spot | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.spot})" if self.spot else self.name


@dataclass(slots=True)
class _Scope:
    """A C function, or one inlined into another, and where that was called."""

    name: str
    ranges: list[tuple[int, int]]
    call: Spot | None
    inner: list[_Scope] = field(default_factory=list)

    def holds(self, address: int) -> bool:
        return any(low <= address < high for low, high in self.ranges)


class Frames:
    """Looks addresses up in one linked executor. Reading it takes some 10 ms, and blocks."""

    def __init__(self, elf: Path, functions: Sequence[str]) -> None:
        """`functions` are the WebAssembly names by function index."""
        self._functions = functions
        self._scopes: list[_Scope] = []
        self._rows: dict[int, Spot | None] = {}
        try:
            with elf.open("rb") as file:
                parsed = ELFFile(file)
                self._read(parsed.get_dwarf_info())
                self._scopes += [scope for scope in _symbols(parsed) if not self._known(scope)]
        except Exception as error:  # elftools raises whatever it stumbles over; names come from symbols then
            log.info("The executor's DWARF cannot be read: %r", error)
        self._starts = sorted(self._rows)

    def at(self, address: int) -> list[Frame]:
        """The functions that an address lies in, innermost first; empty where nobody knows."""
        address &= ~1
        spot = self._spot(address)
        found: list[Frame] = []
        for scope in reversed(list(self._around(address))):
            number = re.match(r"f(\d+)_", scope.name)
            if number and int(number[1]) < len(self._functions):
                index = int(number[1])
                found.append(Frame(self._functions[index], index, spot))
            spot = scope.call
        return found

    def _spot(self, address: int) -> Spot | None:
        place = bisect_right(self._starts, address) - 1
        return self._rows[self._starts[place]] if place >= 0 else None

    def _around(self, address: int) -> Iterator[_Scope]:
        """Scopes around an address, outermost first."""
        scopes = self._scopes
        while scope := next((one for one in scopes if one.holds(address)), None):
            yield scope
            scopes = scope.inner

    def _known(self, scope: _Scope) -> bool:
        """clang leaves functions that nothing was inlined into out of the tree."""
        return any(one.holds(scope.ranges[0][0]) for one in self._scopes)

    # -- reading -----------------------------------------------------------------------------------

    def _read(self, dwarf: Any) -> None:
        for unit in dwarf.iter_CUs():
            program = dwarf.line_program_for_CU(unit)
            for entry in program.get_entries():
                state = entry.state
                if state is None:
                    continue
                known = state.line and not state.end_sequence
                spot = Spot(file_name(program, state.file), state.line) if known else None
                if spot is not None or state.address not in self._rows:
                    self._rows[state.address] = spot
            base = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
            reader = _Scopes(dwarf.range_lists(), program, base.value if base else 0)
            self._scopes += reader.under(unit.get_top_DIE())


@dataclass(frozen=True, slots=True)
class _Scopes:
    """Reads the scopes of one compilation unit."""

    lists: Any
    program: Any
    base: int

    def under(self, die: Any) -> list[_Scope]:
        """The scopes right below a DIE; blocks between are skipped."""
        found: list[_Scope] = []
        for child in die.iter_children():
            inner = self.under(child)
            ranges = self._ranges(child) if child.tag in (_INLINED, _FUNCTION) else []
            if ranges and ranges[0][0]:  # what lies at 0 was not linked
                found.append(_Scope(_name(child), ranges, self._call(child), inner))
            else:
                found += inner
        return found

    def _ranges(self, die: Any) -> list[tuple[int, int]]:
        attributes = die.attributes
        if "DW_AT_ranges" in attributes:
            entries = self.lists.get_range_list_at_offset(attributes["DW_AT_ranges"].value)
            return [(self.base + entry.begin_offset, self.base + entry.end_offset) for entry in entries]
        if "DW_AT_low_pc" not in attributes or "DW_AT_high_pc" not in attributes:
            return []
        low, high = attributes["DW_AT_low_pc"].value, attributes["DW_AT_high_pc"]
        length = describe_form_class(high.form) == "constant"
        return [(low, low + high.value if length else high.value)]

    def _call(self, die: Any) -> Spot | None:
        attributes = die.attributes
        if "DW_AT_call_file" not in attributes or not attributes["DW_AT_call_line"].value:
            return None
        file = file_name(self.program, attributes["DW_AT_call_file"].value)
        return Spot(file, attributes["DW_AT_call_line"].value)


def _symbols(elf: ELFFile) -> Iterator[_Scope]:
    """Functions by the symbol table."""
    table = elf.get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    for symbol in table.iter_symbols():
        if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"]:
            low = symbol["st_value"] & ~1
            yield _Scope(symbol.name, [(low, low + symbol["st_size"])], None)


def _name(die: Any) -> str:
    """Of a function, or of that which was inlined."""
    if "DW_AT_abstract_origin" in die.attributes:
        die = die.get_DIE_from_attribute("DW_AT_abstract_origin")
    name = die.attributes.get("DW_AT_name")
    return name.value.decode("utf-8", "replace") if name else ""
