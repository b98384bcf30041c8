"""Snapshots in QEMU of the boards that survive them, with our kernel and an executor that runs."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from emulation.errors import MachineError, Unsupported
from emulation.machine import Capability, Machine
from emulation.stand_in import StandIn
from emulation.targets import open_machine
from hal.boards import load_board
from hal.firmware import build
from hal.guest import build_module
from hal.mcu import McuTarget
from hal.target import Launch, Started

COUNT = """
#include "mma.h"
int main(void) {
    for (uint32_t n = 0;; n++) mma_sleep_ms(1);
}
"""


async def test_without_them_it_is_told(elf: Path, tmp_path: Path, qemu: None) -> None:
    machine = open_machine("stm32f4@qemu")
    assert Capability.SNAPSHOT not in machine.capabilities
    with pytest.raises(Unsupported, match="does not save this board's peripherals"):
        await machine.save(tmp_path / "snapshot")


@pytest.mark.end_to_end
@pytest.mark.parametrize("name", ["hifive1", "microbit"])
async def test_an_executor_goes_on_where_it_was(name: str, tmp_path: Path, qemu: None) -> None:
    board = load_board(name)
    if shutil.which(board.emulators["qemu"]["system"]) is None:
        pytest.skip("QEMU for RISC-V is not installed: apt install qemu-system-misc")
    (tmp_path / "count.c").write_text(COUNT)
    module = await asyncio.to_thread(build_module, tmp_path / "count.c")
    elf = (await asyncio.to_thread(build, board)).elf
    saved = tmp_path / "snapshot"
    async with open_machine(f"{name}@qemu") as machine:
        await machine.start(elf)
        async with asyncio.timeout(60):
            boot, running = await begun(machine, module)
        await machine.save(saved)
    async with open_machine(f"{name}@qemu") as other:
        await other.start(elf, paused=True)
        with pytest.raises(MachineError, match="no snapshot"):
            await other.restore(tmp_path / "none")
        await other.restore(saved)
        stand_in = StandIn.of(elf)
        assert stand_in is not None
        await other.resume()
        async with asyncio.timeout(60):
            target = McuTarget(other.name, board, other.connect)
            await target.open()
            try:
                facts = await target.link.device()
                assert facts.boot == boot
                first = await target.link.executor(0)
                assert first.state == running
                least = first.cpu_microseconds
                while (await target.link.executor(0)).cpu_microseconds <= least:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            finally:
                await target.close()


async def begun(machine: Machine, module: bytes) -> tuple[object, object]:
    """An executor in slot 0 that runs: the boot's id and its state."""
    target = McuTarget(machine.name, machine.board, machine.connect)
    await target.open()
    try:
        follow = asyncio.create_task(_until_started(target))
        await asyncio.sleep(0)
        await target.spawn(Launch("a/count", module))
        await follow
        return (await target.link.device()).boot, (await target.link.executor(0)).state
    finally:
        await target.close()


async def _until_started(target: McuTarget) -> None:
    async for event in target.events():
        if isinstance(event, Started):
            return
