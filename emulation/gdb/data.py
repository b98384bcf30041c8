"""Registers, memory, disassembly and expressions. All need a stopped target.

To look at memory while the target runs, hold it with `session.paused()`, or better ask the emulator
(Machine.read_memory), which need not stop it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby, pairwise

from emulation.gdb import parse
from emulation.gdb.core import Core
from emulation.gdb.errors import GdbError, GdbRefused
from emulation.gdb.events import MemoryChanged
from emulation.gdb.facts import Instruction, Memory, Register, SourceLine
from emulation.gdb.mi import Fields

CHUNK = 4096
"""Bytes of memory in one command: stubs take about as much in a packet."""
_HEX = re.compile(r"0x[0-9a-fA-F]+")


class Data:
    """What is in the target now."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._names: tuple[str, ...] = ()
        self._seen = -1  # the stop at which _values were read
        self._values: dict[int, int | None] = {}
        self._before: dict[int, int | None] = {}

    # -- registers --------------------------------------------------------------------------------

    async def registers(self, *names: str) -> tuple[Register, ...]:
        """Those names, or all. `changed` compares with the last earlier stop at which they were read."""
        self._core.require_stopped()
        if not self._names:
            reply = await self._core.command("-data-list-register-names")
            self._names = tuple(reply.fields.texts("register-names"))
        unknown = set(names) - set(self._names)
        if unknown:
            raise GdbError(f"This target has no register {sorted(unknown)[0]}.", remedy="List them all.")
        stop = self._core.stops
        reply = await self._core.command("-data-list-register-values", "--skip-unavailable", "r")
        values = {
            item.integer("number"): item.text("value") for item in reply.fields.items("register-values")
        }
        now = {number: _raw(text) for number, text in values.items()}
        if stop != self._seen:
            self._before, self._seen = self._values, stop
        self._values = now
        return tuple(
            Register(number, name, now.get(number), bool(self._before) and self._differs(number))
            for number, name in enumerate(self._names)
            if name and (name in names if names else number in now)
        )

    def _differs(self, number: int) -> bool:
        return self._before.get(number) != self._values.get(number)

    def forget_registers(self) -> None:
        """Another target, or another GDB: names and old values no longer hold."""
        self._names, self._values, self._before, self._seen = (), {}, {}, -1

    async def set_register(self, name: str, value: int) -> None:
        """Write a register."""
        await self.evaluate(f"${name} = {value:#x}")

    # -- memory -----------------------------------------------------------------------------------

    async def read(self, address: int, size: int) -> bytes:
        """`size` bytes. GdbError names the first address that cannot be read."""
        blocks = await self.read_what_is(address, size)
        data = b"".join(block.data for block in blocks)
        if len(data) < size:
            first = blocks[0] if blocks else Memory(address, b"")
            hole = address if first.address != address else address + len(first.data)
            raise GdbError(f"There is no readable memory at {hole:#010x}.")
        return data

    async def read_what_is(self, address: int, size: int) -> tuple[Memory, ...]:
        """The readable parts of a range, in order."""
        self._core.require_stopped()
        blocks: list[Memory] = []
        for at, length in _pieces(address, size, CHUNK):
            for begin, data in await self._read(at, length, CHUNK):
                if blocks and blocks[-1].address + len(blocks[-1].data) == begin:
                    blocks[-1] = Memory(blocks[-1].address, blocks[-1].data + data)
                else:
                    blocks.append(Memory(begin, data))
        return tuple(blocks)

    async def _read(self, address: int, size: int, step: int) -> list[tuple[int, bytes]]:
        """All or nothing of a piece; where part of it is missing, of its quarters in turn.

        GDB 13 finds the end of readable memory by itself, but reports a byte too much.
        """
        try:
            reply = await self._core.command("-data-read-memory-bytes", hex(address), str(size))
            items = reply.fields.items("memory")
            if len(items) == 1 and items[0].integer("begin") == address:
                data = bytes.fromhex(items[0].text("contents"))
                if len(data) == size:
                    return [(address, data)]
        except GdbRefused as error:
            if "memory" not in error.message.lower():
                raise
            return []
        found: list[tuple[int, bytes]] = []
        if step > 1:
            for at, length in _pieces(address, size, step // 4):
                found += await self._read(at, length, step // 4)
        return found

    async def write(self, address: int, data: bytes) -> None:
        """Write bytes."""
        self._core.require_stopped()
        for at in range(0, len(data), CHUNK):
            part = data[at : at + CHUNK]
            await self._core.command("-data-write-memory-bytes", hex(address + at), part.hex())
        self._core.events.emit(MemoryChanged(address, len(data)))

    # -- code -------------------------------------------------------------------------------------

    async def disassemble(self, start: int, end: int) -> tuple[Instruction, ...]:
        """The instructions that begin in a range."""
        reply = await self._disassemble(["-s", hex(start), "-e", hex(end)], 2)
        return tuple(map(parse.instruction, reply))

    async def disassemble_mixed(self, start: int, end: int) -> tuple[SourceLine, ...]:
        """A range in order of addresses, each stretch below its source line where that is known."""
        reply = await self._disassemble(["-s", hex(start), "-e", hex(end)], 5)
        return _lines(reply)

    async def disassemble_function(self, place: int | str) -> tuple[SourceLine, ...]:
        """The function at an address or of a name, mixed with its source. GdbRefused where there is none."""
        where = hex(place) if isinstance(place, int) else place
        return _lines(await self._disassemble(["-a", where], 5))

    async def _disassemble(self, where: list[str], mode: int) -> list[Fields]:
        self._core.require_stopped()
        reply = await self._core.command("-data-disassemble", *where, "--", str(mode))
        return reply.fields.items("asm_insns")

    # -- expressions ------------------------------------------------------------------------------

    async def evaluate(self, expression: str, *, frame: int = 0) -> str:
        """The value of a C expression in a frame, as GDB prints it; assignments take effect."""
        self._core.require_stopped()
        thread = (self._core.last.thread if self._core.last is not None else "") or "1"
        place = ["--thread", thread, "--frame", str(frame)]
        return (await self._core.command("-data-evaluate-expression", *place, expression)).fields.text(
            "value"
        )

    async def address_of(self, expression: str) -> int:
        """The integer of an expression such as `main`, `&counter`, `$sp`."""
        value = await self.evaluate(f"(unsigned long)({expression})")
        try:
            return int(value.split()[0], 0)
        except (ValueError, IndexError):
            raise GdbError(f"`{expression}` is no address: {value}.") from None


def _pieces(address: int, size: int, step: int) -> list[tuple[int, int]]:
    """A range cut at multiples of `step`: address and size of each piece."""
    cuts = [address, *range(address - address % step + step, address + size, step), address + size]
    return [(begin, end - begin) for begin, end in pairwise(cuts)]


def _raw(text: str) -> int | None:
    """A register's raw bits; of a vector's unions, the last and widest view."""
    found = _HEX.findall(text)
    return int(found[-1], 16) if found else None


def _lines(items: Iterable[Fields]) -> tuple[SourceLine, ...]:
    """Source lines; instructions without one, as of assembler, become stretches of their own."""
    lines: list[SourceLine] = []
    for bare, group in groupby(items, lambda item: "address" in item):
        if bare:
            lines.append(SourceLine("", "", None, tuple(map(parse.instruction, group))))
        else:
            lines += map(parse.source_line, group)
    return tuple(lines)
