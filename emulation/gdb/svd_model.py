"""Peripherals, registers, fields: what a CMSIS-SVD file says, with everything inherited filled in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from emulation.gdb.errors import SvdError


class Access(Enum):
    """What software may do; the value is the file's word."""

    READ_WRITE = "read-write"
    READ_ONLY = "read-only"
    WRITE_ONLY = "write-only"
    WRITE_ONCE = "writeOnce"
    READ_WRITE_ONCE = "read-writeOnce"

    @property
    def readable(self) -> bool:
        return self not in (Access.WRITE_ONLY, Access.WRITE_ONCE)

    @property
    def writable(self) -> bool:
        return self is not Access.READ_ONLY


class Reading(Enum):
    """What a read does to the hardware."""

    SAFE = "changes nothing"
    CHANGES = "changes the hardware"
    """The file says so (readAction)."""
    SUSPECT = "takes data away, by its name"
    """The file is silent, as vendors' often are, but this looks like the data register of a FIFO."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A named value of a field. Bits outside `mask` do not matter."""

    name: str
    description: str
    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class Field:
    """`width` bits from bit `lsb` on."""

    name: str
    description: str
    lsb: int
    width: int
    access: Access
    reading: Reading
    meanings: tuple[Meaning, ...] = ()
    otherwise: Meaning | None = None
    """What all other values mean."""

    @property
    def mask(self) -> int:
        """Its bits within the register."""
        return ((1 << self.width) - 1) << self.lsb

    @property
    def bits(self) -> str:
        """As a reference manual writes it: `7:4` or `3`."""
        return f"{self.lsb + self.width - 1}:{self.lsb}" if self.width > 1 else str(self.lsb)

    def extract(self, register: int) -> int:
        """Its value within that of its register."""
        return register >> self.lsb & ((1 << self.width) - 1)

    def insert(self, register: int, value: int) -> int:
        """The register's value with this field replaced. SvdError where it does not fit."""
        if not 0 <= value < 1 << self.width:
            raise SvdError(f"{value:#x} does not fit the {self.width} bits of {self.name}.")
        return register & ~self.mask | value << self.lsb

    def meaning(self, value: int) -> str:
        """The name of a value of this field; "" where it has none."""
        for known in self.meanings:
            if value & known.mask == known.value & known.mask:
                return known.name
        return self.otherwise.name if self.otherwise is not None else ""


@dataclass(frozen=True, slots=True)
class Register:
    """`size` in bytes; `name` with its cluster's before it, as in `CH0.CR`."""

    name: str
    description: str
    address: int
    size: int
    access: Access
    reading: Reading
    reset: int
    reset_mask: int
    fields: tuple[Field, ...] = ()

    @property
    def safe(self) -> bool:
        """It can be read without changing anything."""
        return self.access.readable and self.reading is Reading.SAFE

    def field(self, name: str) -> Field:
        """SvdError where it has none of that name."""
        for known in self.fields:
            if known.name.lower() == name.lower():
                return known
        raise SvdError(f"{self.name} has no field {name}.")


@dataclass(frozen=True, slots=True)
class Peripheral:
    """Registers in order of their addresses."""

    name: str
    description: str
    group: str
    base: int
    registers: tuple[Register, ...]

    def register(self, name: str) -> Register:
        """SvdError where it has none of that name."""
        for known in self.registers:
            if known.name.lower() == name.lower():
                return known
        raise SvdError(f"{self.name} has no register {name}.")


@dataclass(frozen=True, slots=True)
class Device:
    """One chip. `source` is the file it came from."""

    name: str
    description: str
    peripherals: tuple[Peripheral, ...]
    source: str = ""

    def peripheral(self, name: str) -> Peripheral:
        """SvdError where it has none of that name."""
        for known in self.peripherals:
            if known.name.lower() == name.lower():
                return known
        near = ", ".join(item.name for item in self.peripherals if name[:3].lower() in item.name.lower())
        raise SvdError(
            f"{self.name} has no peripheral {name} in {self.source or 'its SVD file'}.",
            remedy=f"It has {near}." if near else "",
        )

    def at(self, address: int) -> tuple[Peripheral, Register] | None:
        """What an address is: to name a faulting access, or a pointer."""
        for peripheral in self.peripherals:
            for register in peripheral.registers:
                if register.address <= address < register.address + register.size:
                    return peripheral, register
        return None
