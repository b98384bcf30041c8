"""Counts of instructions by QEMU's plugin: exact, by the program's own count."""

from __future__ import annotations

import asyncio
from pathlib import Path

import bare
import pytest

from emulation.counts import plugin
from emulation.errors import EnvironmentMissing, Unsupported
from emulation.machine import Capability
from emulation.targets import open_machine


async def test_a_loop_s_instruction_ran_as_often_as_it_counted(elf: Path, qemu: None) -> None:
    async with open_machine("stm32f4@qemu", counts=True) as machine:
        await machine.start(elf, paused=True)
        assert await machine.executed() == {}
        await machine.resume()
        await asyncio.sleep(0.2)
        await machine.pause()
        executed = await machine.executed()
        turns = int.from_bytes(await machine.read_memory(bare.COUNT, 4), "little")
        assert turns > 100
        assert turns in executed.values()
        assert (await machine.counters()).instructions == sum(executed.values())
        await machine.reset()
        await machine.run_for(0.05)
        assert sum((await machine.executed()).values()) > sum(executed.values())


async def test_without_it_nothing_is_counted(elf: Path, qemu: None) -> None:
    async with open_machine("stm32f4@qemu") as machine:
        await machine.start(elf, paused=True)
        assert Capability.PROFILE not in machine.capabilities
        with pytest.raises(Unsupported, match="only where it was started to"):
            await machine.executed()
        assert (await machine.counters()).instructions is None


def test_a_plugin_that_does_not_build_is_told(
    qemu: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "counts.c"
    source.write_text("#error not today\n")
    monkeypatch.setattr("emulation.counts._SOURCE", source)
    monkeypatch.setattr("emulation.counts._build", plugin.__globals__["_build"].__wrapped__)
    with pytest.raises(EnvironmentMissing, match=r"cannot be counted: .*not today"):
        plugin("qemu-system-arm")
