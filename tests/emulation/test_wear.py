"""Flash wear and clock drift."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import pytest

from emulation.errors import MachineError
from emulation.machine import State
from emulation.targets import open_machine
from emulation.wear import worn
from hal.boards import load_board

STM32F4 = load_board("stm32f4")


def test_so_many_cells_lose_their_charge(elf: Path) -> None:
    image = elf.read_bytes()
    after = worn(image, 5, STM32F4, seed=1)
    changed = [(a, b) for a, b in zip(image, after, strict=True) if a != b]
    assert sum((a ^ b).bit_count() for a, b in changed) == 5
    assert all(a & b == a for a, b in changed)  # a 0 became a 1, never the other way
    assert after == worn(image, 5, STM32F4, seed=1)
    assert worn(image + b"/some/folder", 5, STM32F4, seed=1) == after + b"/some/folder", "flash alone decides"
    assert after != worn(image, 5, STM32F4, seed=2)
    assert sum((a ^ b).bit_count() for a, b in zip(image, worn(after, 5, STM32F4, 1), strict=True)) == 10


def test_what_is_not_in_flash_does_not_wear(elf: Path) -> None:
    with pytest.raises(MachineError, match="no 1 cells in flash"):
        worn(elf.read_bytes(), 1, load_board("hifive1"), seed=1)
    with pytest.raises(MachineError, match="no 1000000 cells"):
        worn(elf.read_bytes(), 1_000_000, STM32F4, seed=1)


@pytest.mark.usefixtures("qemu")
async def test_flash_stays_worn_until_it_is_loaded_anew(elf: Path) -> None:
    start, size = STM32F4.flash.address, 64
    async with open_machine("stm32f4@qemu") as machine:
        await machine.start(elf, paused=True)
        whole = await machine.read_memory(start, size)
        with contextlib.suppress(MachineError):  # such a program may lock the core up, which ends QEMU
            await machine.wear(200)
        await machine.stop()
        await machine.start(elf, paused=True)
        first = await machine.read_memory(start, size)
        assert first != whole
        await machine.load(elf)
        await machine.pause()
        assert await machine.read_memory(start, size) == whole


@pytest.mark.usefixtures("qemu")
async def test_a_drifting_clock_loses_time(elf: Path) -> None:
    async with open_machine("stm32f4@qemu") as machine:
        await machine.start(elf)
        with pytest.raises(MachineError, match="cannot lose 1 of its time"):
            await machine.drift(1)
        await machine.drift(0.75)
        begin, first = time.monotonic(), (await machine.counters()).virtual_time or 0.0
        await asyncio.sleep(1)
        passed = ((await machine.counters()).virtual_time or 0.0) - first
        assert 0 < passed < 0.8 * (time.monotonic() - begin)
        for _ in range(20):  # whenever it ends, the board goes on
            await machine.drift(0.5)
            await asyncio.sleep(0.06)
            await machine.drift(0)
        first = (await machine.counters()).virtual_time or 0.0
        await asyncio.sleep(0.2)
        assert machine.state is State.RUNNING
        assert ((await machine.counters()).virtual_time or 0.0) > first
