"""Looks at a stopped target: from what GDB tells to the facts that are shown."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import replace

from console.debug.guest import Guest, program_of
from console.debug.kernel import Table
from console.debug.members import KernelMembers, Members, Opened, flattened
from console.debug.tenants import Tenants, task_of
from console.debug.view import Bits, Break, Bytes, Code, Frame, Register, Slot, Spot, Text, Value
from emulation.gdb import facts
from emulation.gdb.errors import GdbError
from emulation.gdb.peripherals import Peripherals, RegisterValue
from emulation.gdb.session import Session
from hal.mcu import Placed

FRAMES = 40
CODE_BYTES = 512
"""Of a function that is disassembled, around the present instruction."""
_POINTEE = 48
"""Bytes read where a guest's pointer leads."""
_CORE: tuple[str, ...] = ("r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12")
_CORE += ("sp", "lr", "pc", "xpsr", "msp", "psp", "primask", "basepri", "faultmask", "control", "fpscr")
_SCALAR = re.compile(r"(u?int(8|16|32|64)_t|size_t|(unsigned |signed )?(char|short|int|long)( int)?|enum .*)")
_SIZES = {"char": 1, "8": 1, "short": 2, "16": 2, "64": 8}


class Looker:
    """Reads one session's target."""

    def __init__(self, session: Session, tenants: Tenants, table: Table | None) -> None:
        self._session = session
        self._table = table
        self._tenants = tenants
        self._before: dict[str, str] = {}
        self._now: dict[str, str] = {}
        self._place = ""
        self._noted = ("", -1)
        self.opened = Opened()
        """Which values show what they are made of."""
        self.guest: Guest | None = None
        """The values of the executor whose function is looked at."""

    def owner(self, address: int) -> str:
        """Whose code: an executor's task, else the kernel."""
        placed = self._tenants.at(address)
        if placed is not None:
            return task_of(placed.key)
        main = self._session.symbols.main
        return "kernel" if main is not None and main.start <= address < main.end else ""

    def spot(self, frame: facts.Frame) -> Spot:
        """Where a frame is. Functions of executors without debug information have their WebAssembly names."""
        name = re.sub(r"^f\d+_", "", frame.function)  # hal.aot numbers them
        placed = self._tenants.at(frame.address)
        symbol = placed.image.symbolise(frame.address) if placed is not None else None
        if symbol is not None and (not name or frame.function.startswith(f"f{symbol.index}_")):
            name = symbol.name
        return Spot(frame.address, name, frame.path, frame.line or 0, self.owner(frame.address))

    async def frames(self) -> tuple[Frame, ...]:
        """The call stack, as far as it makes sense."""
        found = []
        for frame in await self._session.stack.frames(FRAMES):
            if not frame.function and not self.owner(frame.address):
                break  # past the first function: an executor is nobody's callee
            texts = (f"{one.name}={one.value}" for one in frame.arguments if _given(one.value))
            found.append(Frame(frame.level, self.spot(frame), ", ".join(texts)))
        return tuple(found)

    async def variables(self, level: int, spot: Spot) -> tuple[tuple[Value, ...], int]:
        """Those of a frame that have values here, and how many have none."""
        place, stop = f"{spot.owner}:{spot.function}", self._session.stops
        if place != self._place:
            self._place, self._now = place, {}
        if (
            place,
            stop,
        ) != self._noted:  # within a stop it may be looked several times, after an assignment, say
            self._noted, self._before, self._now = (place, stop), self._now, {}
        shown: dict[str, Value] = {}
        hidden = 0
        placed = self._tenants.at(spot.address)
        self.guest = await self._guest_of(placed, spot.function)
        found = await self._session.stack.variables(level)
        if any(one.value is None for one in found):  # structures and arrays
            values = {one.name: one.value for one in await self._session.stack.variables(level, nested=True)}
            found = tuple(replace(one, value=one.value or values.get(one.name)) for one in found)
        for one in found:
            if not _given(one.value):
                hidden += 1
                continue
            if one.name not in shown:  # of the same name, the innermost comes first
                shown[one.name] = await self._value(one, placed)
        return await flattened(shown.values(), self._members(level), self.opened, self._note), hidden

    def _members(self, level: int) -> Members:
        return self.guest or KernelMembers(self._session, level)

    async def _guest_of(self, placed: Placed | None, function: str) -> Guest | None:
        if placed is None:
            return None
        program = await asyncio.to_thread(program_of, placed.image.module)
        return Guest(program, placed, function, self._session.data.read) if program is not None else None

    async def _value(self, one: facts.Variable, placed: Placed | None) -> Value:
        type_ = re.sub(r" ?&$", " &", one.type)
        text, detail = one.value or "", ""
        if self.guest is not None:
            with contextlib.suppress(GdbError):
                held = await self.guest.root(one.name, text, type_)
                if held is not None:
                    value = await self.guest.value(held, argument=one.argument)
                    return replace(value, changed=self._note(value.key, value.text + value.detail))
        if placed is not None:
            text, detail = await self._guest(text, type_, placed)
        changed = self._note(one.name, text + detail)
        type_ = type_.removesuffix(" &")
        return Value(
            one.name,
            text,
            type_,
            changed,
            one.argument,
            detail,
            one.name,
            opens=placed is None and _opens(type_, text),
        )

    async def _guest(self, text: str, type_: str, placed: Placed) -> tuple[str, str]:
        """A guest's pointer is an offset into its memory: what is there, where that can be said."""
        lies = type_.endswith(" &")
        if not lies and not type_.endswith("*"):
            return text, ""
        try:
            offset = int(text.split()[0], 0)
        except (ValueError, IndexError):
            return text, ""
        of = type_.removesuffix(" &") if lies else type_.rstrip("*").strip()
        linear = placed.image.linear_memory
        if not 0 <= offset < linear:
            return f"{offset:#x}", "outside its memory"
        data = await self._session.data.read(placed.place.memory + offset, min(_POINTEE, linear - offset))
        inside = content(of, data)
        return (inside, f"at {offset:#x}") if lies else (f"{offset:#x}", f"→ {inside}" if inside else "")

    def _note(self, name: str, text: str) -> bool:
        self._now[name] = text
        return name in self._before and self._before[name] != text

    async def registers(self) -> tuple[Value, ...]:
        """The core's; floating point ones are left to the console."""
        found = await self._session.data.registers()
        core = [one for one in found if one.name.lower() in _CORE] or [
            one for one in found if not re.match(r"[dsqv]\d", one.name)
        ]
        return tuple(
            Value(one.name, f"{one.value:#010x}" if one.value is not None else "–", changed=one.changed)  # noqa: RUF001
            for one in core
        )

    async def code(self, spot: Spot) -> tuple[Code, ...]:
        """The instructions of the function, or around the place."""
        try:
            lines = await self._session.data.disassemble_function(spot.address)
        except GdbError:
            start = spot.address & ~1
            lines = await self._session.data.disassemble_mixed(start, start + 64)
        rows = [
            Code(one.address, one.text, one.opcodes, one.function, one.offset, line.line or 0, line.file)
            for line in lines
            for one in line.instructions
        ]
        rows.sort(key=lambda row: row.address)
        return tuple(row for row in rows if abs(row.address - spot.address) <= CODE_BYTES)

    async def source(self, path: str) -> Text | None:
        """A file; None where it is not on this disk."""
        try:
            found = await self._session.symbols.source(path)
        except GdbError:
            return None
        return Text(found.path, found.lines, found.code)

    async def watches(self, expressions: list[str], level: int) -> tuple[Value, ...]:
        """Expressions of the user's, with what they are now."""
        found = []
        for expression in expressions:
            try:
                value = await self._watched(expression, level)
            except GdbError as error:
                value = Value(expression, f"– {error.message.rstrip('.')}")  # noqa: RUF001
            value = replace(value, name=expression, path=expression, watched=True)
            found.append(replace(value, changed=self._note(value.key, value.text + value.detail)))
        return await flattened(found, self._members(level), self.opened, self._note)

    async def _watched(self, expression: str, level: int) -> Value:
        held = await self.guest.find(expression) if self.guest is not None else None
        if held is not None and self.guest is not None:
            return await self.guest.value(held)
        text = await self._session.data.evaluate(expression, frame=level)
        if self.guest is not None or not _opens("", text):
            return Value(expression, text)
        return Value(expression, text, opens=True)

    async def slots(self) -> tuple[Slot, ...]:
        """The kernel's slots: it knows best what became of them while nobody could ask over the link."""
        if self._table is None:
            return ()
        try:
            rows = await self._table.read(self._session.data.read)
        except GdbError:
            return ()
        names = {placed.slot: task_of(placed.key) for placed in self._tenants.known}
        return tuple(
            Slot(row.slot, row.state.name.lower(), names.get(row.slot, ""), row.current) for row in rows
        )

    async def memory(self, address: int, size: int, what: str, before: Bytes | None) -> Bytes:
        """Bytes, and which are others than before."""
        blocks = await self._session.data.read_what_is(address, size)
        if not blocks:
            raise GdbError(f"There is no readable memory at {address:#010x}.")
        data = blocks[0].data
        changed: frozenset[int] = frozenset()
        if before is not None and before.address == blocks[0].address:
            pairs = enumerate(zip(data, before.data, strict=False))
            changed = frozenset(at for at, (new, old) in pairs if new != old)
        return Bytes(blocks[0].address, data, what, changed)

    def breaks(self) -> tuple[Break, ...]:
        """Those of GDB, and those at names of executors' functions as one each."""
        by_number = {one.number: one for one in self._session.breakpoints.known}
        rows: list[Break] = []
        for named in self._tenants.named.values():
            parts = [by_number.pop(number) for number in named.numbers.values() if number in by_number]
            rows.append(
                Break(
                    f"name:{named.name}",
                    named.name,
                    "function",
                    ", ".join(task_of(key) for key in named.numbers) or "waits for an executor that has it",
                    named.enabled,
                    sum(one.hits for one in parts),
                    condition=named.condition,
                    waiting=not parts,
                    spots=tuple((one.path, one.line or 0) for one in parts),
                    addresses=tuple(one.address for one in parts if one.address is not None),
                )
            )
        rows += (_break(one) for one in by_number.values())
        return tuple(rows)


async def peripheral(of: Peripherals, name: str) -> tuple[Register, ...]:
    """Registers of one peripheral with their fields."""
    return tuple(map(_register, await of.read(name)))


def content(type_: str, data: bytes) -> str:
    """Bytes as what they are said to be: text, a number, else hexadecimal."""
    plain = re.sub(r"\b(const|volatile) ", "", type_).strip()
    if re.match(r"(unsigned |signed )?char\b", plain):
        size = re.search(r"\[(\d+)\]", plain)
        text, end, _ = data[: int(size[1]) if size else None].partition(b"\0")
        if all(32 <= byte < 127 or byte in b"\n\t" for byte in text) and (end or size):
            return '"' + text.decode().replace("\n", "\\n").replace("\t", "\\t") + '"'
        return data[:8].hex(" ")
    if _SCALAR.fullmatch(plain):
        wide = next((value for key, value in _SIZES.items() if key in plain), 4)
        unsigned = plain.startswith("u") or plain == "size_t"
        return str(int.from_bytes(data[:wide], "little", signed=not unsigned))
    array = re.fullmatch(r"(.+) \[(\d+)\]", plain)
    if array and _SCALAR.fullmatch(array[1]):
        wide = next((value for key, value in _SIZES.items() if key in array[1]), 4)
        count = min(int(array[2]), len(data) // wide)
        items = [content(array[1], data[n * wide : n * wide + wide]) for n in range(count)]
        return "{" + ", ".join(items) + (", …}" if count < int(array[2]) else "}")
    return data[:8].hex(" ") if plain and plain != "void" else ""


def _opens(type_: str, text: str) -> bool:
    """Whether GDB's variable object will have children: a record, an array, a pointer to something."""
    if text.startswith("{"):
        return True
    leads = type_.endswith("*") or text.startswith("(")
    return leads and "void *" not in (type_ or text) and " 0x0" not in f" {text}".partition("(")[0]


def _given(value: str | None) -> bool:
    return value is not None and not value.startswith("<optimized out") and value != "<error>"


def _break(one: facts.Breakpoint) -> Break:
    places = one.places or ()
    spots = [(place.path, place.line or 0) for place in places] or [(one.path, one.line or 0)]
    addresses = [place.address for place in places] or [one.address]
    where = f"{one.path.rpartition('/')[2]}:{one.line}" if one.line else one.function
    if not where and one.address is not None:
        where = f"{one.address:#010x}"
    return Break(
        one.number,
        one.what,
        one.kind.removeprefix("hw ") if one.watch else "temporary" if one.temporary else "breakpoint",
        "waits for its code" if one.pending else where,
        one.enabled,
        one.hits,
        one.ignore,
        one.condition,
        one.pending,
        tuple((path, line) for path, line in spots if line),
        tuple(address for address in addresses if address is not None),
    )


def _register(one: RegisterValue) -> Register:
    register = one.register
    fields = (
        Bits(
            field.field.name,
            field.field.bits,
            field.value,
            field.meaning,
            field.changed,
            field.field.description,
        )
        for field in one.fields
    )
    return Register(
        register.name,
        register.address,
        one.value,
        one.changed,
        one.why_not,
        register.description,
        tuple(fields),
    )
