"""Backwards in a recorded run of a real QEMU."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from waiting import until

from emulation.gdb import stubs
from emulation.gdb.replay import Recording
from emulation.gdb.session import Session
from emulation.process import Child
from hal.boards import load_board


async def test_steps_backwards_in_a_replay(qemu: None, gdb: None, program: Path, tmp_path: Path) -> None:
    page = load_board("stm32f4").emulators["qemu"]
    base = [page["system"], *(word.replace("{elf}", str(program)) for word in page["arguments"])]
    base += ["-nographic", "-nodefaults", "-monitor", "none", "-serial", "null"]
    recording = Recording(tmp_path / "run, with comma")
    assert not recording.exists
    async with await Child.start([*base, *recording.record()]) as child:
        await asyncio.sleep(0.5)
        assert await child.stop() == 0
    assert recording.exists
    socket = tmp_path / "gdb"
    command = [*base, *recording.replay(), "-S", "-gdb", f"unix:{socket},server=on,wait=off"]
    async with await Child.start(command) as child:
        await until(lambda: socket.exists() or not child.alive)
        assert child.alive, child.tail()
        async with Session(stub=stubs.QEMU) as session:
            await session.symbols.load(program)
            assert (await session.attach(str(socket))).reverse
            await session.breakpoints.insert("add")
            for _ in range(4):
                stop = await (await session.execution.continue_()).stopped()
            assert stop.frame is not None
            assert await session.data.evaluate("b") == "3"
            await (await session.execution.stepi(3)).stopped()
            back = await (await session.execution.stepi(3, reverse=True)).stopped()
            assert back.frame is not None
            assert back.frame.address == stop.frame.address
            before = await (await session.execution.continue_(reverse=True)).stopped()
            assert before.reason == "breakpoint-hit"
            assert await session.data.evaluate("b") == "2"
            step = await (await session.execution.step(reverse=True)).stopped()
            assert step.frame is not None
            assert step.frame.function == "work"
            await session.breakpoints.delete("1")
            start = await (await session.execution.continue_(reverse=True)).stopped(30)
            assert start.frame is not None
            assert start.frame.function == "reset"


@pytest.mark.parametrize("size", [1 << 20, 1 << 30])
def test_the_disk_image_is_sound(size: int) -> None:
    from emulation.gdb.replay import empty_qcow2

    image = empty_qcow2(size)
    assert image[:8] == b"QFI\xfb\0\0\0\2"
    assert len(image) == 4 << 16
