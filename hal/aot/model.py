"""What the ahead-of-time compiler takes and gives: facts only."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hal.abi import RULE_BYTES
from hal.boards import Board

PAGE = 65536
"""Bytes of a WebAssembly page, unless the module says otherwise (custom-page-sizes proposal)."""


MODULE = "module.wasm"
"""Name in the cache of a module that has debug information."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The kind of computer that executors are compiled for: all that the compiler knows of a board."""

    target: str
    """clang's --target."""
    flags: tuple[str, ...]
    """clang's further flags."""
    stack_check: bool
    """Functions compare their stack pointer with the limit; for computers without MPU or PMP."""

    @classmethod
    def of(cls, board: Board) -> Machine:
        """The machine on a board. Cortex-M0 is the only core of ours without memory protection."""
        return cls(board.target, board.flags, stack_check=board.isa == "armv6-m")


@dataclass(frozen=True, slots=True)
class Object:
    """A module compiled for a machine, not yet placed: what it needs, in bytes.

    A slot's `code` part holds `code_bytes`, `arguments_bytes(arguments)` and `rules_bytes`. Its `memory` part
    holds the linear memory and, at its upper end, `instance_bytes` of state that the guest can't address (its
    mutable globals and tables): ask for `memory_part(linear)` bytes there.
    """

    digest: str
    """Names the result in the cache: hex SHA-256 over the module, the machine and the translator."""
    machine: Machine
    path: Path
    """Relocatable ELF."""
    code_bytes: int
    """Code and constants; a multiple of 4."""
    instance_bytes: int
    """Mutable globals and written tables; a multiple of 8."""
    least_memory: int
    """Linear memory that the module's data (data segments, `__heap_base`) surely uses."""
    declared_memory: int
    """Linear memory that the module declares, its minimum size."""
    maximum_memory: int | None
    """Linear memory that the module may grow to, by its own words; None is without end."""
    page_bytes: int
    """65536, or 1 with the custom-page-sizes proposal: then memory is declared to the byte."""
    grows: bool
    """The module contains memory.grow."""
    stack_bytes: int | None
    """Most stack it can use, with the frames of exceptions; None if it recurses or calls through tables."""
    stack_margin: int
    """Bytes at the low end of the stack that only leaf functions and exceptions may use, where the code
    checks its stack pointer; the least stack part is a little more."""
    takes_arguments: bool
    """The module imports mma.arg or mma.arg_count; otherwise arguments take no room."""
    rules: int
    """Rules (firmware/kernel/rules.h) that it gets, at the end of its code part."""
    functions: tuple[str, ...]
    """WebAssembly name of each function, by index, imports included."""
    segments: tuple[tuple[int, bytes], ...]
    """Initial contents of linear memory: (offset, bytes)."""

    @property
    def wanted_memory(self) -> int:
        """Linear memory to give when nobody said how much: what a page-size-1 module declares, else
        up to `__heap_base`, else all that is declared."""
        if self.page_bytes == 1 or not self.least_memory:
            return self.declared_memory
        return min(self.least_memory, self.declared_memory)

    def arguments_bytes(self, arguments: Sequence[str]) -> int:
        """Bytes that the arguments take after the code; a multiple of 4."""
        return len(self.encode_arguments(arguments)) if self.takes_arguments else 0

    @property
    def rules_bytes(self) -> int:
        """Bytes that the rules take, at the upper end of the code part."""
        return self.rules * RULE_BYTES

    def encode_arguments(self, arguments: Sequence[str]) -> bytes:
        """Arguments as the executor's runtime reads them: u32 count, then u32 length and bytes of each,
        padded to words."""
        out = bytearray(len(arguments).to_bytes(4, "little"))
        for argument in arguments:
            data = argument.encode()
            out += len(data).to_bytes(4, "little") + data + bytes(-len(data) % 4)
        return bytes(out)

    def memory_part(self, linear: int) -> int:
        """Bytes of the slot's memory part for so many bytes of linear memory; a multiple of 8."""
        return -(-linear // 8) * 8 + self.instance_bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """Where an executor lives: addresses and bytes of the parts of its slot, as the device gave them."""

    code: int
    code_bytes: int
    stack: int
    """Low end of the stack part."""
    stack_bytes: int
    memory: int
    memory_bytes: int
    """The whole memory part; linear memory is this less the object's `instance_bytes`."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A place in the code: `name` is the function's WebAssembly name, `offset` bytes into it."""

    name: str
    offset: int
    index: int | None
    """Its function index; None for the executor's runtime."""

    def __str__(self) -> str:
        return f"{self.name}+0x{self.offset:x}"


@dataclass(frozen=True, slots=True)
class Image:
    """An executor linked for its slot, as docs/link.md wants it uploaded and started."""

    stream: bytes
    """The records: u32 address, u32 length, bytes; over and over."""
    digest: bytes
    """SHA-256 of the stream."""
    entry: int
    """Entry address for action A2; bit 0 is set where it is Thumb code."""
    initial_memory: int
    """Bytes of linear memory that the guest may use at first: action A3."""
    linear_memory: int
    """Bytes that memory.grow may reach: the memory part without the instance."""
    elf: Path
    """The linked ELF, for GDB."""
    functions: tuple[str, ...]
    """WebAssembly names by function index."""
    symbols: tuple[tuple[int, int, str, int | None], ...]
    """(address, bytes, name, function index), sorted."""
    module: Path | None = None
    """The module itself, for whoever shows values by the types of its source; None if it tells none."""

    def symbolise(self, address: int) -> Symbol | None:
        """The function that an address (its Thumb bit is ignored) lies in; None outside the code."""
        address &= ~1
        place = bisect_right(self.symbols, address, key=lambda symbol: symbol[0]) - 1
        if place < 0:
            return None
        start, size, name, index = self.symbols[place]
        return Symbol(name, address - start, index) if address < start + size else None
