"""Reads a WebAssembly module (binary format, core specification chapter 5) into plain facts.

The module has been validated by wasmtime before; even so nothing here may crash on garbage: all that is
wrong or not supported is a ModuleError.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from hal.aot import limits
from hal.aot.model import PAGE
from hal.errors import ModuleError

TYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x70: "funcref", 0x6F: "externref"}
"""Value types by their byte (5.3.1 to 5.3.4)."""


class Reader:
    """A cursor over bytes; every method raises ModuleError at their end."""

    def __init__(self, data: bytes, place: int = 0, end: int | None = None) -> None:
        self.data = data
        self.place = place
        self.end = len(data) if end is None else end

    @property
    def more(self) -> bool:
        """There are bytes left."""
        return self.place < self.end

    def byte(self) -> int:
        """One byte."""
        if self.place >= self.end:
            raise ModuleError("The module ends in the middle of something.")
        self.place += 1
        return self.data[self.place - 1]

    def take(self, count: int) -> bytes:
        """So many bytes."""
        if count > self.end - self.place:
            raise ModuleError("The module ends in the middle of something.")
        self.place += count
        return self.data[self.place - count : self.place]

    def u32(self) -> int:
        """An unsigned LEB128 number (5.2.2)."""
        value = self.byte()
        if value < 0x80:
            return value
        value &= 0x7F
        for shift in (7, 14, 21, 28):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFFFFFF
        raise ModuleError(f"A number at byte {self.place} of the module is too long.")

    def signed(self, bits: int) -> int:
        """A signed LEB128 number of 33 or fewer, or 64 bits."""
        value = shift = 0
        while shift < bits + 7:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value - (1 << shift) if byte & 0x40 else value
        raise ModuleError(f"A number at byte {self.place} of the module is too long.")

    def name(self) -> str:
        """A length and UTF-8."""
        try:
            return self.take(self.u32()).decode()
        except UnicodeDecodeError:
            raise ModuleError(f"A name at byte {self.place} of the module is not UTF-8.") from None

    def type(self) -> str:
        """A value type."""
        byte = self.byte()
        if byte not in TYPES:
            what = "SIMD (v128)" if byte == 0x7B else f"the value type 0x{byte:02x}"
            raise ModuleError(f"The module uses {what}, which no target has.", remedy="Compile it without.")
        return TYPES[byte]


@dataclass(frozen=True, slots=True)
class Signature:
    """A function type."""

    parameters: tuple[str, ...]
    results: tuple[str, ...]

    def __str__(self) -> str:
        return f"({', '.join(self.parameters)}) -> ({', '.join(self.results)})"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a memory (in pages) or a table (in elements); no maximum is None."""

    minimum: int
    maximum: int | None
    page: int = PAGE


@dataclass(frozen=True, slots=True)
class Import:
    """What the module wants from its host; `what` is its kind: func, table, memory, global."""

    module: str
    name: str
    what: str
    type: int = 0
    value: Global | None = None
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Global:
    """A global variable; `start` is its constant expression."""

    type: str
    mutable: bool
    start: Constant


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant expression (extended-const proposal included), as (operation, operand) pairs in order."""

    steps: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of references."""

    type: str
    limits: Limits
    start: Constant | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A data or element segment; mode is active, passive or declarative."""

    mode: str
    where: int
    """Index of the memory or table, if active."""
    offset: Constant | None
    data: bytes = b""
    items: tuple[Constant, ...] = ()


@dataclass(frozen=True, slots=True)
class Code:
    """A function's body: locals beyond its parameters, and where its instructions lie."""

    locals: tuple[str, ...]
    start: int
    end: int


@dataclass(slots=True)
class Module:
    """A module as read."""

    data: bytes
    types: list[Signature] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    """Type index by function index, imports first."""
    tables: list[Table] = field(default_factory=list)
    memories: list[Limits] = field(default_factory=list)
    globals: list[Global] = field(default_factory=list)
    exports: dict[str, tuple[str, int]] = field(default_factory=dict)
    start: int | None = None
    elements: list[Segment] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    codes: list[Code] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    customs: dict[str, bytes] = field(default_factory=dict)
    """Custom sections by name, such as those of DWARF."""
    exported: dict[int, list[str]] = field(default_factory=dict)
    """Names of exports by function index, in order."""
    locals: int = 0
    """How many all functions have together."""
    items: int = 0
    """How many elements all segments have together."""
    code_start: int = 0
    """Where the contents of the code section begin: what DWARF's addresses count from."""

    @property
    def imported(self) -> list[Import]:
        """The imported functions, in order."""
        return [one for one in self.imports if one.what == "func"]

    def signature(self, function: int) -> Signature:
        """Of a function by index."""
        return self.types[self.functions[function]]

    def function_name(self, index: int) -> str:
        """The best name of a function: `main`, by the name section, by an export, or its number."""
        exports = self.exported.get(index, [])
        if "main" in exports:
            return "main"
        if index in self.names:
            return self.names[index]
        if index < len(self.imported):
            one = self.imported[index]
            return f"{one.module}.{one.name}"
        return exports[0] if exports else f"func[{index}]"


def read(data: bytes) -> Module:
    """Read a module. ModuleError if it is malformed or uses what is not supported."""
    if data[:4] != b"\0asm":
        raise ModuleError("This is not a WebAssembly module: it does not begin with \\0asm.")
    if data[4:8] != b"\1\0\0\0":
        raise ModuleError("The module is a component or of another version.", remedy="Build a core module.")
    module = Module(data)
    reader = Reader(data, 8)
    try:
        while reader.more:
            section = reader.byte()
            size = reader.u32()
            start = reader.place
            reader.take(size)
            _section(module, section, Reader(data, start, start + size))
    except (IndexError, struct.error, RecursionError) as error:
        raise ModuleError(f"The module is malformed: {error}.") from error
    defined = len(module.functions) - len(module.imported)
    if len(module.codes) != defined:
        raise ModuleError(f"The module declares {defined} functions and defines {len(module.codes)}.")
    return module


def _section(module: Module, section: int, reader: Reader) -> None:
    if section == 0:
        _custom(module, reader)
    elif section == 8:
        module.start = reader.u32()
    elif section == 12:
        reader.u32()  # data count: only for validators
    elif section in _ITEMS:
        if section == 10:
            _most("bytes of code", reader.end - reader.place, limits.MOST_CODE)
            module.code_start = reader.place
        count = reader.u32()
        _most(_SECTIONS[section], count, limits.MOST_ITEMS)
        for _ in range(count):
            _ITEMS[section](module, reader)
    else:
        what = "exceptions" if section == 13 else f"section {section}"
        raise ModuleError(f"The module uses {what}, which no target has.", remedy="Compile it without.")


def _most(what: str, count: int, most: int) -> None:
    if count > most:
        raise ModuleError(
            f"The module has {count} {what}; targets take at most {most}.", remedy="Make it smaller."
        )


def _custom(module: Module, reader: Reader) -> None:
    """Keeps it; names of functions (appendix 7.4.1) are read, damaged ones ignored."""
    try:
        name = reader.name()
        if name != "name":
            module.customs[name] = reader.take(reader.end - reader.place)
            return
        while reader.more:
            kind, size = reader.byte(), reader.u32()
            part = Reader(reader.data, reader.place, reader.place + size)
            reader.take(size)
            if kind == 1:
                for _ in range(part.u32()):
                    index = part.u32()
                    module.names[index] = part.name()
    except ModuleError:
        return


def _type(module: Module, reader: Reader) -> None:
    if reader.byte() != 0x60:
        raise ModuleError("The module uses garbage-collected types, which no target has.")
    parameters = tuple(reader.type() for _ in range(reader.u32()))
    module.types.append(Signature(parameters, tuple(reader.type() for _ in range(reader.u32()))))


def _import(module: Module, reader: Reader) -> None:
    where, name, kind = reader.name(), reader.name(), reader.byte()
    if kind == 0:
        index = reader.u32()
        module.types[index]
        module.functions.append(index)
        module.imports.append(Import(where, name, "func", index))
    elif kind == 1:
        _table(module, reader)
        module.imports.append(Import(where, name, "table"))
    elif kind == 2:
        module.memories.append(_limits(reader, memory=True))
        module.imports.append(Import(where, name, "memory"))
    elif kind == 3:
        value = Global(reader.type(), bool(reader.byte()), Constant(()))
        module.globals.append(value)
        module.imports.append(Import(where, name, "global", value=value))
    else:
        raise ModuleError(f"The module imports {where}.{name} of a kind that no target has.")


def _limits(reader: Reader, *, memory: bool) -> Limits:
    flags = reader.byte()
    if flags & 0x04:
        raise ModuleError("The module uses 64-bit memory, which no target has.", remedy="Build for wasm32.")
    if flags & 0x02:
        raise ModuleError("The module shares its memory between threads, which no target has.")
    if flags & ~(0x09 if memory else 0x01):
        raise ModuleError(f"The module has limits of kind 0x{flags:02x}, which no target has.")
    minimum = reader.u32()
    maximum = reader.u32() if flags & 1 else None
    page = PAGE
    if flags & 0x08:
        power = reader.u32()
        if power not in (0, 16):
            raise ModuleError(f"The module's memory page has 2**{power} bytes; targets know 1 and 65536.")
        page = 1 << power
    return Limits(minimum, maximum, page)


def _table(module: Module, reader: Reader) -> None:
    kind = reader.byte()
    if started := kind == 0x40:  # elements have an initial value (function-references proposal)
        reader.byte()
        kind = reader.byte()
    if kind not in (0x70, 0x6F):
        raise ModuleError("The module has a table of references that no target has.")
    limits = _limits(reader, memory=False)
    module.tables.append(Table(TYPES[kind], limits, _constant(reader) if started else None))


def _global(module: Module, reader: Reader) -> None:
    kind, mutable = reader.type(), bool(reader.byte())
    module.globals.append(Global(kind, mutable, _constant(reader)))


def _constant(reader: Reader) -> Constant:
    steps: list[tuple[str, int]] = []
    while (code := reader.byte()) != 0x0B:
        if code == 0x41:
            steps.append(("const", reader.signed(32) & 0xFFFFFFFF))
        elif code == 0x42:
            steps.append(("const", reader.signed(64) & 0xFFFFFFFFFFFFFFFF))
        elif code == 0x43:
            steps.append(("const", int.from_bytes(reader.take(4), "little")))
        elif code == 0x44:
            steps.append(("const", int.from_bytes(reader.take(8), "little")))
        elif code in (0x23, 0xD2):
            steps.append(("global" if code == 0x23 else "func", reader.u32()))
        elif code == 0xD0:
            reader.signed(33)
            steps.append(("null", 0))
        elif code in _EXTENDED:
            steps.append(_EXTENDED[code])
        else:
            raise ModuleError(f"The module has the operation 0x{code:02x} in a constant; no target has it.")
    return Constant(tuple(steps))


_EXTENDED = {
    0x6A: ("add", 32),
    0x6B: ("sub", 32),
    0x6C: ("mul", 32),
    0x7C: ("add", 64),
    0x7D: ("sub", 64),
    0x7E: ("mul", 64),
}


def _export(module: Module, reader: Reader) -> None:
    name, kind, index = reader.name(), reader.byte(), reader.u32()
    module.exports[name] = (("func", "table", "memory", "global", "tag")[kind], index)
    if kind == 0:
        module.exported.setdefault(index, []).append(name)


def _element(module: Module, reader: Reader) -> None:
    """Element segments in their eight forms (5.5.12)."""
    flags = reader.u32()
    if flags > 7:
        raise ModuleError(f"The module has an element segment of kind {flags}, which no target has.")
    mode = "active" if not flags & 1 else "declarative" if flags & 2 else "passive"
    where = reader.u32() if mode == "active" and flags & 2 else 0
    offset = _constant(reader) if mode == "active" else None
    if flags & 3:  # then a kind of elements follows
        if flags & 4:
            reader.type()
        else:
            reader.byte()
    count = reader.u32()
    module.items += count
    _most("elements in its segments", module.items, limits.MOST_ELEMENTS)
    if flags & 4:
        items = tuple(_constant(reader) for _ in range(count))
    else:
        items = tuple(Constant((("func", reader.u32()),)) for _ in range(count))
    module.elements.append(Segment(mode, where, offset, items=items))


def _code(module: Module, reader: Reader) -> None:
    size = reader.u32()
    end = reader.place + size
    body = Reader(reader.data, reader.place, end)
    reader.take(size)
    kinds: list[str] = []
    for _ in range(body.u32()):
        count = body.u32()
        module.locals += count
        _most("locals", module.locals, limits.MOST_LOCALS)
        kinds += [body.type()] * count
    module.codes.append(Code(tuple(kinds), body.place, end))


def _segment(module: Module, reader: Reader) -> None:
    flags = reader.u32()
    if flags > 2:
        raise ModuleError(f"The module has a data segment of kind {flags}, which no target has.")
    where = reader.u32() if flags == 2 else 0
    offset = None if flags == 1 else _constant(reader)
    data = reader.take(reader.u32())
    _most("bytes of data", len(data) + sum(len(one.data) for one in module.segments), limits.MOST_DATA)
    module.segments.append(Segment("passive" if flags == 1 else "active", where, offset, data=data))


def _function(module: Module, reader: Reader) -> None:
    index = reader.u32()
    module.types[index]
    module.functions.append(index)


_SECTIONS = {
    1: "types",
    2: "imports",
    3: "functions",
    4: "tables",
    5: "memories",
    6: "globals",
    7: "exports",
    9: "element segments",
    10: "functions",
    11: "data segments",
}
_ITEMS = {
    1: _type,
    2: _import,
    3: _function,
    4: _table,
    5: lambda module, reader: module.memories.append(_limits(reader, memory=True)),
    6: _global,
    7: _export,
    9: _element,
    10: _code,
    11: _segment,
}
