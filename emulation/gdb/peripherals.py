"""Peripheral registers as they are now: read, decoded, compared with the stop before.

Reading never changes the hardware unless asked: registers whose reads do (readAction), that cannot be read,
or that look like the end of a FIFO are left out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from emulation.errors import EmulationError
from emulation.gdb.errors import SvdError
from emulation.gdb.svd_model import Device, Field, Reading, Register

Read = Callable[[int, int], Awaitable[bytes]]
"""`size` bytes at an address: Session.data.read, or Machine.read_memory while the target runs."""
Write = Callable[[int, bytes], Awaitable[None]]

_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class FieldValue:
    """`meaning` is the value's name, "" where it has none. `changed` since the stop before."""

    field: Field
    value: int
    meaning: str
    changed: bool


@dataclass(frozen=True, slots=True)
class RegisterValue:
    """`value` is None where it was not read; `why_not` says why, for a person."""

    register: Register
    value: int | None
    why_not: str
    changed: bool
    fields: tuple[FieldValue, ...]


class Peripherals:
    """The peripherals of one target."""

    def __init__(
        self, device: Device, read: Read, *, write: Write | None = None, stop: Callable[[], int] = lambda: 0
    ) -> None:
        """`stop` is a number that grows with each stop, Session.stops: what changed is told from one to the
        next. Without it, from one reading to the next."""
        self.device = device
        self._read = read
        self._write = write
        self._stop = stop
        self._seen: dict[str, int] = {}
        self._now: dict[str, dict[str, int]] = {}
        self._before: dict[str, dict[str, int]] = {}

    async def read(self, name: str, *, force: Iterable[str] = ()) -> tuple[RegisterValue, ...]:
        """All registers of a peripheral. Those in `force` are read although that changes the hardware."""
        peripheral = self.device.peripheral(name)
        forced = {peripheral.register(item).name for item in force}
        wanted = [
            item
            for item in peripheral.registers
            if item.safe or (item.name in forced and item.access.readable)
        ]
        values: dict[str, int] = {}
        failed: dict[str, str] = {}
        for run in _runs(wanted):
            await self._take(run, values, failed)
        stop = self._stop()
        if self._seen.get(peripheral.name) != stop or stop == 0:
            self._before[peripheral.name] = self._now.get(peripheral.name, {})
            self._seen[peripheral.name] = stop
        self._now[peripheral.name] = values
        before = self._before.get(peripheral.name, {})
        return tuple(
            _value(item, values.get(item.name), before.get(item.name), failed.get(item.name, ""))
            for item in peripheral.registers
        )

    async def write(self, name: str, register: str, value: int) -> None:
        """Write a whole register. SvdError where it cannot be written."""
        found = self.device.peripheral(name).register(register)
        if self._write is None or not found.access.writable:
            raise SvdError(f"{name}.{found.name} cannot be written.")
        if not 0 <= value < 1 << found.size * 8:
            raise SvdError(f"{value:#x} does not fit the {found.size * 8} bits of {name}.{found.name}.")
        await self._write(found.address, value.to_bytes(found.size, "little"))

    async def write_field(self, name: str, register: str, field: str, value: int) -> None:
        """Change one field and keep the others. SvdError where the register cannot be read safely."""
        found = self.device.peripheral(name).register(register)
        if not found.safe:
            raise SvdError(
                f"The other fields of {name}.{found.name} cannot be kept: {_why_not(found)}.",
                remedy="Write the whole register.",
            )
        old = int.from_bytes(await self._read(found.address, found.size), "little")
        await self.write(name, register, found.field(field).insert(old, value))

    async def _take(self, run: list[Register], values: dict[str, int], failed: dict[str, str]) -> None:
        """Read adjacent registers at once; where that fails, one by one."""
        start, end = run[0].address, max(item.address + item.size for item in run)
        try:
            data = await self._read(start, end - start)
        except EmulationError as error:
            if len(run) == 1:
                failed[run[0].name] = str(error)
                return
            for item in run:
                await self._take([item], values, failed)
            return
        for item in run:
            at = item.address - start
            values[item.name] = int.from_bytes(data[at : at + item.size], "little")


def _runs(registers: list[Register]) -> list[list[Register]]:
    """Stretches without a gap: nothing in between is touched."""
    runs: list[list[Register]] = []
    end = -1
    for register in registers:
        if runs and register.address <= end and register.address - runs[-1][0].address < _LONGEST:
            runs[-1].append(register)
        else:
            runs.append([register])
            end = register.address
        end = max(end, register.address + register.size)
    return runs


def _value(register: Register, value: int | None, before: int | None, failed: str) -> RegisterValue:
    if value is None:
        return RegisterValue(register, None, failed or _why_not(register), False, ())
    fields = tuple(
        FieldValue(
            item,
            now := item.extract(value),
            item.meaning(now),
            before is not None and item.extract(before) != now,
        )
        for item in register.fields
    )
    return RegisterValue(register, value, "", before is not None and before != value, fields)


def _why_not(register: Register) -> str:
    if not register.access.readable:
        return "it cannot be read"
    return f"a read {register.reading.value}" if register.reading is not Reading.SAFE else ""
