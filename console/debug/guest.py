"""Values of an executor's source by the DWARF of its module: what a guest calls an address is an offset into
its linear memory, which GDB does not know."""

from __future__ import annotations

import re
import struct
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from console.debug.members import MOST, joined
from console.debug.view import Value
from console.errors import UsageError
from emulation.gdb.errors import GdbError
from hal.aot.binary import read
from hal.aot.limits import MOST_DEBUG
from hal.errors import ModuleError
from hal.layout import Kind, Program, Type
from hal.mcu import Placed

TEXT = 48
"""Bytes of what a `char *` leads to that are read."""
_STEP = re.compile(r"\s*(?:(?P<how>\.|->)\s*(?P<name>\w+)|\[\s*(?P<index>\d+)\s*\])")

Read = Callable[[int, int], Awaitable[bytes]]
"""Bytes of the device, by absolute address."""


@dataclass(frozen=True, slots=True)
class Held:
    """A value: its type and bytes, and where it lies in linear memory; None if only a register has it."""

    path: str
    type: Type
    data: bytes
    offset: int | None
    bits: tuple[int, int] | None = None


@lru_cache(maxsize=16)
def program_of(module: Path | None) -> Program | None:
    """The types of a module that is kept in the cache; None where it tells none."""
    try:
        sections = read(module.read_bytes()).customs if module is not None else {}
        if sum(map(len, sections.values())) > MOST_DEBUG:
            return None
        return Program.of_sections(sections)
    except (OSError, ModuleError):  # it was swept out of the cache
        return None


class Guest:
    """One executor's values, in one function. Roots are what GDB found there; globals are always known."""

    def __init__(self, program: Program, placed: Placed, function: str, read: Read) -> None:
        self._program = program
        self._base = placed.place.memory
        self._size = placed.image.linear_memory
        self._function = function
        self._read = read
        self._known: dict[str, Held] = {}

    async def root(self, name: str, text: str, type_: str) -> Held | None:
        """A variable as GDB tells it: a number in a register, or with a type that ends in `&` the offset at
        which it lies. None where the module does not tell its type."""
        lies = type_.endswith("&")
        found = self._type(name, type_.removesuffix("&").strip())
        number = _number(text)
        if found is None or number is None:
            return None
        if lies:
            held = await self._at(name, found, number)
        elif found.kind is Kind.POINTER:
            held = Held(name, found, number.to_bytes(8, "little", signed=number < 0)[: found.size], None)
        else:
            return None
        if held is not None:
            self._known[name] = held
        return held

    async def value(self, held: Held, name: str = "", *, argument: bool = False) -> Value:
        """As a row: its text, and for a pointer what it leads to."""
        detail = await self._beyond(held) if held.type.kind is Kind.POINTER else ""
        if held.offset is not None and held.type.kind is Kind.RECORD and not detail:
            detail = f"at {held.offset:#x}"
        text = held.type.say(held.data, held.bits)
        self._known[held.path] = held
        opens = held.type.opens and (held.type.kind is not Kind.POINTER or self._leads(held) is not None)
        return Value(name or held.path, text, held.type.text, False, argument, detail, held.path, opens=opens)

    async def of(self, value: Value) -> tuple[Value, ...]:
        """Its members, elements, or what it points to."""
        held = self._known.get(value.path) or await self.find(value.path)
        if held is None:
            return ()
        rows = [await self.value(one, name) for name, one in await self._inner(held)]
        left = held.type.count - MOST
        return (*rows, Value("…", f"{left} more")) if left > 0 else tuple(rows)

    async def find(self, expression: str) -> Held | None:
        """`first.next->tag[2]`, from a variable of the function or a global one; None for what is no such
        path. GdbError where it leads out of the memory."""
        head = re.match(r"\s*(\*?)\s*([A-Za-z_]\w*)", expression)
        if head is None:
            return None
        held = await self._named(head[2])
        place = head.end()
        while held is not None and place < len(expression.rstrip()):
            step = _STEP.match(expression, place)
            if step is None:
                return None
            held, place = await self._step(held, step), step.end()
        if held is not None and head[1]:
            held = await self._pointee(held)
        return held

    def address(self, held: Held) -> int:
        """On the device, of what lies in the memory."""
        return self._base + (held.offset or 0)

    def encoded(self, held: Held, value: str) -> bytes:
        """A number as the bytes of a value's type; UsageError for what takes no number."""
        kind, size = held.type.kind, held.type.size
        if kind is Kind.FLOAT and size in (4, 8):
            return struct.pack("<f" if size == 4 else "<d", float(value))
        old = held.type.number(held.data)
        if old is None:
            raise UsageError(f"{held.path} is {held.type.text}.", remedy="Set one of its members.")
        number = int(value, 0) & ((1 << 8 * size) - 1)
        if held.bits is not None:
            low, wide = held.bits
            mask = ((1 << wide) - 1) << low
            number = (old & ~mask | number << low & mask) & ((1 << 8 * size) - 1)
        return number.to_bytes(size, "little")

    # -- parts

    async def _named(self, name: str) -> Held | None:
        known = self._known.get(name)
        if known is not None:
            return known
        found = self._program.variable(name)
        return await self._at(name, found.type, found.address) if found is not None else None

    async def _step(self, held: Held, step: re.Match[str]) -> Held | None:
        if step["index"] is not None and held.type.kind is Kind.POINTER:
            of, base = held.type.of, self._leads(held)
            at = int(step["index"]) * of.size if of is not None else 0
            return await self._at(held.path + step[0].strip(), of, base + at) if of and base else None
        if step["how"] == "->":
            inner = await self._pointee(held)
            if inner is None:
                return None
            held = Held(held.path, inner.type, inner.data, inner.offset)
        wanted = step["name"] or f"[{step['index']}]"
        for name, one in self._parts(held, step["how"] or ""):
            if name == wanted:
                return one
        return None

    async def _inner(self, held: Held) -> Iterable[tuple[str, Held]]:
        if held.type.kind is not Kind.POINTER:
            return self._parts(held, ".")
        inner = await self._pointee(held)
        if inner is None:
            return ()
        if inner.type.kind is not Kind.RECORD:
            return ((f"*{held.path}", inner),)
        return self._parts(Held(held.path, inner.type, inner.data, inner.offset), "->")

    def _parts(self, held: Held, how: str) -> Iterator[tuple[str, Held]]:
        def part(step: str, type_: Type, at: int, bits: tuple[int, int] | None = None) -> Held:
            data = held.data[at : at + type_.size]
            offset = held.offset + at if held.offset is not None else None
            return Held(joined(held.path, step), type_, data, offset, bits)

        for one in held.type.members[:MOST]:
            yield one.name, part(f"{how}{one.name}", one.type, one.offset, one.bits)
        of = held.type.of
        if held.type.kind is Kind.ARRAY and of is not None:
            for place in range(min(held.type.count, MOST)):
                yield f"[{place}]", part(f"[{place}]", of, place * of.size)

    async def _pointee(self, held: Held) -> Held | None:
        of, offset = held.type.of, self._leads(held)
        return await self._at(f"*{held.path}", of, offset) if of is not None and offset is not None else None

    def _leads(self, held: Held) -> int | None:
        """Where a pointer leads within the memory; None for elsewhere."""
        number = held.type.number(held.data)
        return number if number and 0 < number < self._size else None

    async def _beyond(self, held: Held) -> str:
        of, number = held.type.of, held.type.number(held.data)
        if number == 0 or of is None:
            return ""
        if self._leads(held) is None:
            return "outside its memory"
        if of.kind is Kind.CHAR and of.size == 1:
            data = await self._bytes(number or 0, TEXT)
            text, end, _ = data.partition(b"\0")
            if all(0x20 <= byte < 0x7F or byte in b"\n\t\r" for byte in text):
                return f'→ "{repr(text.decode())[1:-1]}{"" if end else "…"}"'
        inner = await self._at(held.path, of, number or 0)
        return f"→ {inner.type.say(inner.data)}" if inner is not None and inner.type.size else ""

    async def _at(self, path: str, type_: Type, offset: int) -> Held | None:
        if not 0 <= offset < self._size:
            raise GdbError(f"{path} is outside its memory.")
        return Held(path, type_, await self._bytes(offset, type_.size), offset)

    async def _bytes(self, offset: int, size: int) -> bytes:
        size = min(size, self._size - offset)
        return await self._read(self._base + offset, size) if size > 0 else b""

    def _type(self, name: str, text: str) -> Type | None:
        here = self._program.locals.get(self._function, {}).get(name)
        if here is not None:
            return here
        everywhere = (one.get(name) for one in self._program.locals.values())  # inlined, or main by our name
        return next((one for one in everywhere if one is not None and one.text == text), None)


def _number(text: str) -> int | None:
    try:
        return int(text.split()[0], 0)
    except (ValueError, IndexError):
        return None
