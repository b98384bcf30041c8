"""Source lines of a module, by the DWARF that its compiler left in it (`clang -g`, `-gline-tables-only`).

DWARF for WebAssembly (WebAssembly/tool-conventions, Debugging.md, and the format named there) lies in custom
sections; its addresses count from the code section's contents.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo

from hal.aot.binary import Reader
from hal.aot.limits import MOST_DEBUG, Patience

log = logging.getLogger(__name__)

_CUSTOM, _CODE = 0, 10
_SECTIONS = (
    *("debug_info", "debug_aranges", "debug_abbrev", "debug_frame", "eh_frame", "debug_str", "debug_loc"),
    *("debug_ranges", "debug_line", "debug_pubtypes", "debug_pubnames", "debug_addr", "debug_str_offsets"),
    *("debug_line_str", "debug_loclists", "debug_rnglists", "debug_sup", "gnu_debugaltlink", "debug_types"),
)
"""As DWARFInfo takes them."""


WASM = "module.wasm"
"""The file whose lines are byte offsets: what `wasm-objdump -d` shows at the left."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a source file; where that is WASM, `line` is a byte offset in the module."""

    file: str
    line: int

    def __str__(self) -> str:
        if self.file == WASM:
            return f"wasm 0x{self.line:x}"
        return f"{PurePosixPath(self.file).name}:{self.line}"


@dataclass(frozen=True, slots=True)
class Lines:
    """Where instructions come from; places are byte offsets in the module."""

    starts: tuple[int, ...] = ()
    """Ascending."""
    spots: tuple[Spot | None, ...] = ()
    """From that start on."""

    def mark(self, place: int) -> str:
        """The C preprocessor's line before what comes from a place: the source's, else the module's own."""
        spot = self.at(place)
        if spot is None:
            return f'#line {place} "{WASM}"'
        file = "".join(" " if char in '"\\' or not char.isprintable() else char for char in spot.file)
        return f'#line {spot.line} "{file}"'

    def at(self, place: int) -> Spot | None:
        """The source line of the instruction at a place; None where nobody knows."""
        number = bisect_right(self.starts, place) - 1
        return self.spots[number] if number >= 0 else None


def read_lines(data: bytes) -> Lines:
    """The lines of a module. None at all where it has no DWARF, or some without sense: what a stranger's
    compiler wrote for debuggers must not stop a launch."""
    sections, code, size = _sections(data)
    if not sections.get("debug_line") or not sections.get("debug_info"):
        return Lines()
    if sum(map(len, sections.values())) > MOST_DEBUG:
        return Lines()
    try:
        rows: dict[int, Spot | None] = {}
        for start, spot in _rows(sections, size):
            if spot is not None or start not in rows:  # where one function ends another may begin
                rows[start] = spot
    except Exception as error:  # elftools raises whatever its parsers stumble over
        log.info("The module's DWARF cannot be read: %r", error)
        return Lines()
    starts = sorted(rows)
    return Lines(tuple(code + start for start in starts), tuple(rows[start] for start in starts))


def _sections(data: bytes) -> tuple[Mapping[str, bytes], int, int]:
    """DWARF sections by their names without the dot, and where the code section's contents lie."""
    found: dict[str, bytes] = {}
    code = size = 0
    reader = Reader(data, 8)
    while reader.more:
        section, length = reader.byte(), reader.u32()
        start = reader.place
        body = reader.take(length)
        if section == _CODE:
            code, size = start, length
        elif section == _CUSTOM:
            inner = Reader(body)
            name = bytes(inner.take(inner.u32())).decode("utf-8", "replace")
            found[name.removeprefix(".")] = bytes(body[inner.place :])
    return found, code, size


def _rows(sections: Mapping[str, bytes], size: int) -> Iterator[tuple[int, Spot | None]]:
    """(address, what begins there); functions that the linker removed lie at 0 or past the end."""
    config = DwarfConfig(little_endian=True, machine_arch="wasm", default_address_size=4)
    described = [_describe(name, sections.get(name)) for name in _SECTIONS]
    dwarf = DWARFInfo(config, *described)
    patience = Patience()
    for unit in dwarf.iter_CUs():
        patience.check()
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        sequence: list[tuple[int, Spot | None]] = []
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            known = state.line and not state.end_sequence
            spot = Spot(file_name(program, state.file), state.line) if known else None
            sequence.append((state.address, spot))
            if state.end_sequence:
                if 0 < sequence[0][0] < size:
                    yield from sequence
                sequence = []


def _describe(name: str, data: bytes | None) -> DebugSectionDescriptor | None:
    return None if data is None else DebugSectionDescriptor(BytesIO(data), f".{name}", 0, len(data), 0)


def file_name(program: Any, number: int) -> str:
    """The path of a line program's file (DWARF 5 counts from 0, earlier versions from 1)."""
    header = program.header
    late = header["version"] >= 5
    entry = header["file_entry"][number if late else number - 1]
    folders = header["include_directory"]
    folder: Any = b""
    if late and entry.dir_index:
        folder = folders[entry.dir_index]
    elif entry.dir_index:
        folder = folders[entry.dir_index - 1]
    folder = getattr(folder, "DW_LNCT_path", folder) if late else folder
    return str(PurePosixPath(bytes(folder).decode("utf-8", "replace"), entry.name.decode("utf-8", "replace")))
