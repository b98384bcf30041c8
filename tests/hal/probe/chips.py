"""Two chips on a bench: a Cortex-M that executes (Unicorn), RAM, and flash that behaves like flash.

Bits are only cleared by writing and only set by erasing; the controllers take nothing without their keys and
modes. RM0090 section 3.9 (STM32F4), nRF51 Series Reference Manual section 6 (NVMC).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc, UcError

from hal.boards import Board

_RAM, _PAGE = 0x20000000, 0x1000


def _register_ids() -> list[int]:
    from unicorn import arm_const

    names = [*(f"R{at}" for at in range(13)), "SP", "LR", "PC", "XPSR"]
    return [getattr(arm_const, f"UC_ARM_REG_{name}") for name in names]


class Chip:
    """A board's chip; follows dap_double.Core. `wear`: bytes that can no longer be changed, by address."""

    def __init__(self, board: Board, cpuid: int, parts: dict[int, int]) -> None:
        self.parts = parts
        self.board = board
        self.cpuid = cpuid
        self.flash = bytearray(b"\xff" * board.flash.size)
        self.words: dict[int, int] = {}
        """Registers that only read so, by address."""
        self.wear: dict[int, int] = {}
        self.resets = 0
        self.erased: list[int] = []
        self._running = True
        self._ids = _register_ids()
        self._uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self._uc.mem_map(_RAM, board.ram.size)
        self._uc.mmio_map(board.flash.address, board.flash.size, self._load, None, self._store, None)
        self._uc.mmio_map(self.controller, _PAGE, self._get, None, self._set, None)

    controller = 0
    """Where the flash controller's page is."""

    # -- the flash

    def may_write(self, size: int) -> bool:
        raise NotImplementedError

    def erase(self, address: int, size: int) -> None:
        at = address - self.board.flash.address
        self.erased.append(address)
        self.flash[at : at + size] = b"\xff" * size
        self._worn()

    def _worn(self) -> None:
        for address, byte in self.wear.items():
            self.flash[address - self.board.flash.address] = byte

    def _load(self, uc: Uc, offset: int, size: int, _: Any) -> int:
        return int.from_bytes(self.flash[offset : offset + size], "little")

    def _store(self, uc: Uc, offset: int, size: int, value: int, _: Any) -> None:
        if self.may_write(size):
            for at in range(size):
                self.flash[offset + at] &= value >> 8 * at & 0xFF
            self._worn()

    def get(self, offset: int) -> int:
        raise NotImplementedError

    def set(self, offset: int, value: int) -> None:
        raise NotImplementedError

    def _get(self, uc: Uc, offset: int, size: int, _: Any) -> int:
        return self.get(offset)

    def _set(self, uc: Uc, offset: int, size: int, value: int, _: Any) -> None:
        self.set(offset, value)

    # -- Core

    def read(self, address: int, size: int) -> bytes:
        flash = self.board.flash
        if flash.address <= address < flash.end:
            return bytes(self.flash[address - flash.address :][:size])
        if address in self.words:
            return self.words[address].to_bytes(4, "little")
        if not self.board.ram.address <= address < self.board.ram.end:
            raise KeyError(address)
        return bytes(self._uc.mem_read(address, size))

    def write(self, address: int, data: bytes) -> None:
        if address in self.words:
            self.words[address] = int.from_bytes(data, "little")
            return
        if not self.board.ram.address <= address < self.board.ram.end:
            raise KeyError(address)
        self._uc.mem_write(address, data)

    def register(self, number: int) -> int:
        return int(self._uc.reg_read(self._ids[number]))

    def set_register(self, number: int, value: int) -> None:
        self._uc.reg_write(self._ids[number], value)

    def run(self, breakpoints: Iterable[int]) -> None:
        pc, lr = self.register(15), self.register(14)
        if not self.board.ram.address <= pc < self.board.ram.end:
            self._running = True  # the firmware: it is not executed here
            return
        try:
            self._uc.emu_start(pc | 1, lr & ~1, timeout=20_000_000)
        except UcError as error:
            raise AssertionError(f"the flash algorithm crashed at {self.register(15):#x}: {error}") from error

    def step(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        self._running = False

    def stopped(self) -> bool:
        return not self._running

    def reset(self) -> None:
        self.resets += 1
        self._running = False
        self.restart()
        stack, entry = (int.from_bytes(self.flash[at : at + 4], "little") for at in (0, 4))
        self.set_register(13, stack)
        self.set_register(15, entry & ~1)
        self.set_register(16, 1 << 24)

    def restart(self) -> None:
        raise NotImplementedError


class Stm32f4(Chip):
    """STM32F407, revision Z."""

    controller = 0x40023000
    _KEYR, _SR, _CR, _OPTCR = 0xC04, 0xC0C, 0xC10, 0xC14

    def __init__(self, board: Board) -> None:
        super().__init__(board, 0x410FC241, {0xE000E000: 0x00C, 0xE0002000: 0x003})
        self.words = {0xE0042000: 0x10076413, 0xE0042004: 0, 0xE0042008: 0}
        self._sr = 0
        self.restart()

    def restart(self) -> None:
        self._keys: list[int] = []
        self._cr = 1 << 31

    def may_write(self, size: int) -> bool:
        good = self._cr >> 31 == 0 and self._cr & 1 == 1 and 1 << (self._cr >> 8 & 3) == size
        if not good:
            self._sr |= 1 << 7
        return good

    def get(self, offset: int) -> int:
        return {self._SR: self._sr, self._CR: self._cr, self._OPTCR: 0x0FFFAAED}.get(offset, 0)

    def set(self, offset: int, value: int) -> None:
        if offset == self._KEYR:
            self._keys = [*self._keys, value][-2:]
            if self._keys == [0x45670123, 0xCDEF89AB]:
                self._cr &= ~(1 << 31)
        elif offset == self._SR:
            self._sr &= ~value
        elif offset == self._CR and self._cr >> 31 == 0:
            self._cr = value & ~(1 << 16)
            if value & (1 << 16) and value & 2:
                number = value >> 3 & 15
                assert self.board.probe is not None
                sizes = self.board.probe.sectors
                self.erase(self.board.flash.address + sum(sizes[:number]), sizes[number])


class Nrf51(Chip):
    """nRF51822 xxAA."""

    controller = 0x4001E000

    def __init__(self, board: Board) -> None:
        super().__init__(board, 0x410CC200, {0xE000E000: 0x008, 0xE0002000: 0x00B})
        self.words = {0x10000010: 0x400, 0x10000014: 0x100}
        self._uc.mem_map(0x10000000, 2 * _PAGE)  # FICR and UICR, which the algorithm reads
        self._uc.mem_write(0x10000000, b"\xff" * 2 * _PAGE)
        for address, value in self.words.items():
            self._uc.mem_write(address, value.to_bytes(4, "little"))
        self._uc.mem_map(0x40010000, _PAGE)  # the watchdog, which the algorithm feeds if it runs
        self.restart()

    def restart(self) -> None:
        self._config = 0

    def may_write(self, size: int) -> bool:
        return self._config == 1 and size == 4

    def get(self, offset: int) -> int:
        return {0x400: 1, 0x504: self._config}.get(offset, 0)

    def set(self, offset: int, value: int) -> None:
        if offset == 0x504:
            self._config = value
        elif offset == 0x508 and self._config == 2:
            self.erase(value & ~0x3FF, 0x400)
