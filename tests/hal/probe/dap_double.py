"""A debug probe of ours for pyOCD: its own interface (pyocd.probe.DebugProbe) in front of a modelled core.

What Arm's debug interface has between a probe and a core is here (ADIv5 ports; ARMv7-M Architecture Reference
Manual C1: DHCSR, DCRSR, DEMCR, FPB; the ROM table); what executes code and holds memory is a `Core`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from pyocd.core import exceptions
from pyocd.core.memory_interface import MemoryInterface
from pyocd.core.session import Session
from pyocd.probe.debug_probe import DebugProbe
from pyocd.probe.tcp_probe_server import DebugProbeServer

_DHCSR, _DCRSR, _DCRDR, _DEMCR, _DFSR, _AIRCR = (
    *(0xE000EDF0, 0xE000EDF4, 0xE000EDF8, 0xE000EDFC),
    *(0xE000ED30, 0xE000ED0C),
)
_CPUID, _MVFR0 = 0xE000ED00, 0xE000EF40
_FPB, _ROM, _SCS = 0xE0002000, 0xE00FF000, 0xE000E000
_BREAKPOINTS = 4
_REGISTERS = 17


class Core(Protocol):
    """A core and what its bus reaches."""

    cpuid: int
    parts: dict[int, int]
    """CoreSight part numbers of the SCS and the FPB, by address."""

    def read(self, address: int, size: int) -> bytes: ...

    def write(self, address: int, data: bytes) -> None: ...

    def register(self, number: int) -> int:
        """r0 to r15, and 16: xPSR."""
        ...

    def set_register(self, number: int, value: int) -> None: ...

    def run(self, breakpoints: Iterable[int]) -> None:
        """Go on, until a breakpoint or a BKPT."""
        ...

    def step(self) -> None: ...

    def stop(self) -> None: ...

    def stopped(self) -> bool: ...

    def reset(self) -> None:
        """Back to the reset vector, stopped."""
        ...


class Dap:
    """The debug side of a core: every access that goes over the wire."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.accesses = 0
        self.before: Callable[[int], None] = lambda access: None
        """Called before each access with its number; may raise what a probe raises."""
        self._words: dict[int, int] = {}
        self._was_reset = False
        self._bkpts: set[int] = set()
        """Where a debugger wrote a BKPT over an instruction."""

    def plugged_in(self) -> None:
        """The debug side begins anew; the core goes on as it was."""
        self._words.clear()

    def access(self) -> None:
        """Something goes over the wire."""
        self.accesses += 1
        self.before(self.accesses)

    def read(self, address: int, size: int) -> bytes:
        self.access()
        if not 0xE0000000 <= address < 0xE0040000 and not _ROM <= address < _ROM + 0x1000:
            try:
                return self.core.read(address, size)
            except KeyError as error:
                raise exceptions.TransferFaultError(fault_address=address) from error
        start = address & ~3
        words = (self._word(at) for at in range(start, address + size, 4))
        found = b"".join(word.to_bytes(4, "little") for word in words)
        return found[address - start :][:size]

    def write(self, address: int, data: bytes) -> None:
        self.access()
        if not 0xE0000000 <= address < 0xE0040000:
            try:
                self.core.write(address, data)
            except KeyError as error:
                raise exceptions.TransferFaultError(fault_address=address) from error
            if data == b"\x00\xbe":
                self._bkpts.add(address)
            else:
                self._bkpts -= set(range(address, address + len(data)))
            return
        for at in range(0, len(data), 4):
            self._set_word(address + at, int.from_bytes(data[at : at + 4], "little"))

    def _word(self, address: int) -> int:
        if address == _DHCSR:
            stopped, was_reset = self.core.stopped(), self._was_reset
            self._was_reset = False
            return 1 | 1 << 16 | stopped << 1 | stopped << 17 | was_reset << 25
        if address == _CPUID:
            return self.core.cpuid
        if address == _MVFR0:
            return 0
        if address == _FPB:
            return _BREAKPOINTS << 4 | self._words.get(_FPB, 0) & 1
        base = address & ~0xFFF
        if base in self.core.parts or base == _ROM:
            if address & 0xFFF >= 0xFD0:
                return self._id(base, address & 0xFFF)
            if base == _ROM:
                entries = [(part - _ROM) % (1 << 32) | 3 for part in self.core.parts]
                at = (address - _ROM) // 4
                return entries[at] if at < len(entries) else 0
        return self._words.get(address, 0)

    def _id(self, base: int, at: int) -> int:
        """Peripheral and component ids: ADIv5.2, section B2; Arm's JEP106 code is 4, 0x3B."""
        part = 0x4C4 if base == _ROM else self.core.parts[base]
        kind = 0x10 if base == _ROM else 0xE0
        return {
            0xFD0: 0x04,
            0xFE0: part & 0xFF,
            0xFE4: 0xB0 | part >> 8,
            0xFE8: 0x0B,
            0xFF0: 0x0D,
            0xFF4: kind,
            0xFF8: 0x05,
            0xFFC: 0xB1,
        }.get(at, 0)

    def _set_word(self, address: int, value: int) -> None:
        if address == _DHCSR:
            if value >> 16 == 0xA05F:
                self._control(value)
            return
        if address == _DCRSR:
            number = value & 0x7F
            if value >> 16 & 1:
                if number < _REGISTERS:
                    self.core.set_register(number, self._words.get(_DCRDR, 0))
            else:
                self._words[_DCRDR] = self.core.register(number) if number < _REGISTERS else 0
            return
        if address == _AIRCR:
            if value >> 16 == 0x05FA and value & 4:
                self.reset()
            return
        if address == _DFSR:
            value = 0
        self._words[address] = value

    def reset(self) -> None:
        self.core.reset()
        self._was_reset = True
        if not self._words.get(_DEMCR, 0) & 1:
            self.core.run(())

    def _control(self, value: int) -> None:
        stopped = self.core.stopped()
        if value & 2:
            if not stopped:
                self.core.stop()
        elif value & 4 and stopped:
            self.core.step()
        elif stopped:
            self.core.run(self._breakpoints())

    def _breakpoints(self) -> list[int]:
        found = list(self._bkpts)
        if self._words.get(_FPB, 0) & 1:
            for at in range(_BREAKPOINTS):
                comparator = self._words.get(_FPB + 8 + 4 * at, 0)
                if comparator & 1:
                    found.append(comparator & 0x1FFFFFFC | (2 if comparator >> 30 == 2 else 0))
        return found


class _Memory(MemoryInterface):
    def __init__(self, dap: Dap) -> None:
        self._dap = dap

    def write_memory(self, addr: int, data: int, transfer_size: int = 32, **_: Any) -> None:
        self._dap.write(addr, data.to_bytes(transfer_size // 8, "little"))

    def read_memory(self, addr: int, transfer_size: int = 32, now: bool = True, **_: Any) -> Any:
        value = int.from_bytes(self._dap.read(addr, transfer_size // 8), "little")
        return value if now else lambda: value

    def write_memory_block32(self, addr: int, data: Iterable[int], **_: Any) -> None:
        self._dap.write(addr, b"".join(word.to_bytes(4, "little") for word in data))

    def read_memory_block32(self, addr: int, size: int, **_: Any) -> list[int]:
        data = self._dap.read(addr, size * 4)
        return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]

    def write_memory_block8(self, addr: int, data: Iterable[int], **_: Any) -> None:
        self._dap.write(addr, bytes(data))

    def read_memory_block8(self, addr: int, size: int, **_: Any) -> list[int]:
        return list(self._dap.read(addr, size))


class DoubleProbe(DebugProbe):
    """One probe, plugged in and wired to a board."""

    def __init__(self, dap: Dap, uid: str) -> None:
        super().__init__()
        self.dap = dap
        self._uid = uid
        self._open = False
        self._power = 0

    vendor_name = property(lambda self: "mma")
    product_name = property(lambda self: "double")
    unique_id = property(lambda self: self._uid)
    supported_wire_protocols = property(lambda self: [DebugProbe.Protocol.DEFAULT, DebugProbe.Protocol.SWD])
    wire_protocol = property(lambda self: DebugProbe.Protocol.SWD)
    is_open = property(lambda self: self._open)
    capabilities = property(
        lambda self: {
            DebugProbe.Capability.MANAGED_AP_SELECTION,
            DebugProbe.Capability.MANAGED_DPBANKSEL,
            DebugProbe.Capability.BANKED_DP_REGISTERS,
        }
    )

    def open(self) -> None:
        self.dap.access()
        self.dap.plugged_in()
        self._open = True

    def close(self) -> None:
        self._open = False

    def connect(self, protocol: Any = None) -> None:
        self.dap.access()

    def disconnect(self) -> None:
        self.dap.access()

    def set_clock(self, frequency: float) -> None: ...

    def reset(self) -> None:
        self.dap.access()
        self.dap.reset()

    def assert_reset(self, asserted: bool) -> None:
        self.dap.access()
        if not asserted:
            self.dap.reset()

    def is_reset_asserted(self) -> bool:
        return False

    def read_dp(self, addr: int, now: bool = True) -> Any:
        self.dap.access()
        power = self._power & (1 << 28 | 1 << 30)  # CTRL/STAT: each request is acknowledged in the bit above
        value = {0x0: 0x2BA01477, 0x4: power | power << 1}.get(addr, 0)
        return value if now else lambda: value

    def write_dp(self, addr: int, data: int) -> None:
        self.dap.access()
        if addr == 0x4:
            self._power = data

    def read_ap(self, addr: int, now: bool = True) -> Any:
        self.dap.access()
        registers = {0x00: 0x23000052, 0xF8: _ROM | 3, 0xFC: 0x24770011}
        value = registers.get(addr & 0xFF, 0) if addr >> 24 == 0 else 0
        return value if now else lambda: value

    def write_ap(self, addr: int, data: int) -> None:
        self.dap.access()

    def get_memory_interface_for_ap(self, ap_address: Any) -> MemoryInterface:
        return _Memory(self.dap)


def serve(probe: DoubleProbe) -> DebugProbeServer:
    """pyOCD's own server of probes for other computers, on loopback; its port is known when this returns."""
    server = DebugProbeServer(Session(None, no_config=True), probe, port=0, serve_local_only=True)
    server.start()
    while server.port == 0:  # its thread has not got so far
        time.sleep(0.01)
    return server
