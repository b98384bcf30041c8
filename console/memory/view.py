"""What the memory map shows, as facts: cheap to import."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from console.debug.view import Bytes


class Kind(Enum):
    """What a region is for; the value is what a person reads."""

    CODE = "kernel code"
    DATA = "kernel data"
    KERNEL_STACK = "kernel stack"
    GUEST_CODE = "code"
    GUEST_STACK = "stack"
    GUEST_MEMORY = "memory"
    GUEST_LOG = "log"
    GUEST_RESULT = "result"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function or a variable."""

    name: str
    address: int
    size: int
    type: str = ""
    before: int | None = None
    """Its size in the last build, 0 where it was not there, None where there was no such build."""


@dataclass(frozen=True, slots=True)
class Region:
    """A run of addresses with one holder. `peak`: most bytes of it that were ever used, None where nobody
    counts. `before`: its size in the last build, None where there was none."""

    name: str
    kind: Kind
    address: int
    size: int
    owner: str = ""
    peak: int | None = None
    before: int | None = None
    symbols: tuple[Symbol, ...] = ()

    @property
    def key(self) -> str:
        """Names it."""
        return f"{self.address:x}:{self.kind.name}:{self.name}"


@dataclass(frozen=True, slots=True)
class Area:
    """One memory of the device."""

    name: str
    address: int
    size: int
    regions: tuple[Region, ...]

    @property
    def free(self) -> int:
        """Bytes that nobody has."""
        return sum(one.size for one in self.regions if one.kind is Kind.FREE)


@dataclass(frozen=True, slots=True)
class Field:
    """A variable, member or element that holds a value: `path` as in C, `text` the value. `leads`: it is a
    pointer."""

    address: int
    size: int
    path: str
    type: str
    text: str
    leads: bool = False


@dataclass(frozen=True, slots=True)
class MemoryView:
    """`build` names the kernel that was looked at, `last_build` the one before, "" where there is none."""

    target: str = ""
    note: str = ""
    areas: tuple[Area, ...] = ()
    bytes: Bytes | None = None
    fields: tuple[Field, ...] = ()
    """What those bytes mean, as far as it is known."""
    build: str = ""
    last_build: str = ""
    serial: int = field(default=0, compare=False)

    @property
    def regions(self) -> Iterator[Region]:
        """Of all areas."""
        for area in self.areas:
            yield from area.regions

    def field(self, address: int) -> Field | None:
        """The value that a byte belongs to."""
        return next((one for one in self.fields if one.address <= address < one.address + one.size), None)

    def at(self, address: int) -> tuple[Region, Symbol | None] | None:
        """What an address is in."""
        for region in self.regions:
            if region.address <= address < region.address + region.size:
                for symbol in region.symbols:
                    if symbol.address <= address < symbol.address + max(symbol.size, 1):
                        return region, symbol
                return region, None
        return None
