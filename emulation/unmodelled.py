"""Accesses to what an emulator has no model for: counted by register, with the instruction that does them.

QEMU reads such registers as 0 and drops what is written. Its log tells of each access on a line
(`unimp` of hw/misc/unimp.c, `guest_errors` of softmmu/memory.c and the devices), but not where it came from;
with `exec` in the same log the block before the line is the one that did it. Renode warns of each access,
mostly with the instruction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

MOST = 256
"""Different accesses that are told apart; further ones are counted together."""

_DEVICE = re.compile(r"(.+): unimplemented device (read|write) +\(size \d+, offset 0x([0-9a-f]+)")
_PPB = re.compile(r"(Read|Write) of unassigned area of PPB: offset 0x([0-9a-f]+)")
_RENODE = re.compile(r"[\d:.]+ \[(?:WARNING|ERROR)\] (\w+): (?:\[\w+: 0x([0-9A-Fa-f]+)\] )?(.*)")
_NOWHERE = re.compile(
    r"(?:\(tag: '([^']*)'\) )?(Read|Write)\w+ (?:from|to) non existing peripheral at 0x([0-9A-Fa-f]+)"
)
_UNHANDLED = re.compile(r"Unhandled (read|write) (?:from|to) offset 0x([0-9A-Fa-f]+)")
_INVALID = re.compile(r"Invalid (read|write) at addr 0x([0-9A-Fa-f]+)")
_TRACE = re.compile(r"Trace \d+: \S+ \[\w+/(\w+)/")
_NOISE = ("Stopped execution", "Linking TBs", "cpu_io_recompile")
_PPB_BASE = 0xE0000000
"""The private peripheral bus (ARMv7-M Architecture Reference Manual, B3.1)."""
_REGION = re.compile(
    r"^\s*([0-9a-f]+)-[0-9a-f]+ \(prio -?\d+, i/o\): (.+?)(?: @[0-9a-f]+)?\s*$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Access:
    """One kind of access. `address` is None where only words tell it; `what` is the emulator's name of it."""

    what: str
    verb: str
    """read or write; empty for other complaints."""
    address: int | None = None


@dataclass(slots=True)
class Times:
    """How often, and the instruction that did it last; `pc` is 0 until that was caught."""

    count: int = 0
    pc: int = 0


@runtime_checkable
class TellsUnmodelled(Protocol):
    """A machine that can tell of them."""

    def unmodelled(self) -> AbstractAsyncContextManager[Tally]:
        """Meanwhile they are counted."""
        ...


class Tally:
    """What an emulator's log told so far."""

    def __init__(self, bases: Mapping[str, int]) -> None:
        """`bases`: where each device of the log begins."""
        self.counts: dict[Access, Times] = {}
        self._bases = bases
        self._rest = b""
        self._pc = 0

    @property
    def unplaced(self) -> int:
        """Accesses whose instruction is not known."""
        return sum(one.count for one in self.counts.values() if not one.pc)

    def take(self, data: bytes) -> None:
        """More of the log, cut anywhere."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line.decode("utf-8", "replace"))

    def _line(self, line: str) -> None:
        traced = _TRACE.match(line)
        if traced:
            self._pc = int(traced[1], 16)
            return
        if not line.strip() or line.startswith(_NOISE):
            return
        pc = self._pc
        if warned := _RENODE.match(line):
            access, pc = self._warned(warned[1], warned[3]), int(warned[2] or "0", 16)
        else:
            access = self._access(line)
        if access not in self.counts and len(self.counts) >= MOST:
            access = Access("others", "")
        times = self.counts.setdefault(access, Times())
        times.count += 1
        times.pc = pc or times.pc

    def _access(self, line: str) -> Access:
        if found := _DEVICE.match(line):
            offset = int(found[3], 16)
            base = self._bases.get(found[1])
            return Access(f"{found[1]}+{offset:#x}", found[2], None if base is None else base + offset)
        if found := _PPB.match(line):
            address = _PPB_BASE + int(found[2], 16)
            return Access(f"{address:#010x}", found[1].lower(), address)
        if found := _INVALID.match(line):
            address = int(found[2], 16)
            return Access(f"{address:#010x}", found[1], address)
        return Access(re.sub(r",? value 0x[0-9a-fA-F]+", "", line).strip(), "")

    def _warned(self, who: str, text: str) -> Access:
        """Of Renode's warnings."""
        if found := _NOWHERE.match(text):
            address = int(found[3], 16)
            return Access(found[1] or f"{address:#010x}", found[2].lower(), address)
        if found := _UNHANDLED.match(text):
            offset = int(found[2], 16)
            base = self._bases.get(who)
            return Access(f"{who}+{offset:#x}", found[1], None if base is None else base + offset)
        return Access(re.sub(r",? value 0x[0-9a-fA-F]+", "", f"{who}: {text}").strip(), "")

    def untraced(self) -> None:
        """From here on the log does not tell what runs."""
        self._pc = 0


def device_bases(text: str) -> dict[str, int]:
    """Where devices begin, of QEMU's `info mtree -f`."""
    return {name: int(base, 16) for base, name in reversed(_REGION.findall(text))}
