"""Real boards' way in: a serial port (a pty) in front of the real kernel in QEMU."""

from __future__ import annotations

import asyncio
import os
import shutil
import termios
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from guests import HELLO, SPIN, play, wasm
from serial.tools.list_ports_common import ListPortInfo
from serial_board import SerialBoard

from emulation.machine import Machine
from emulation.targets import open_machine
from hal import firmware
from hal.boards import load_board
from hal.errors import LinkError
from hal.link.serial import SerialPort
from hal.mcu import McuTarget
from hal.target import Cause, Connection, Ended, Launch, Started, Target

pytestmark = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None, reason="QEMU is missing: see mma doctor"
)
BOARD = load_board("stm32f4")


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    async with open_machine("stm32f4@qemu") as machine:
        await machine.start(firmware.build(BOARD).elf)
        yield machine


async def _until(target: Target, up: bool) -> None:
    async for event in target.events():
        if isinstance(event, Connection) and event.up is up:
            return


async def test_executors_run_over_a_serial_port(machine: Machine, tmp_path: Path) -> None:
    async with SerialBoard(machine, tmp_path) as board:
        port = SerialPort(str(board.port), BOARD.baud)
        target = McuTarget("real", BOARD, port.connect)
        await target.open()
        events = await play(target, Launch("a", wasm(HELLO)))
        await target.close()
    assert isinstance(events[-1], Ended)
    assert events[-1].output == b"ell"


async def test_the_baud_is_found_and_remembered(machine: Machine, tmp_path: Path) -> None:
    async with SerialBoard(machine, tmp_path, termios.B57600) as board:
        port = SerialPort(str(board.port), BOARD.baud)
        _, writer = await port.connect()
        writer.close()
        assert port.baud == 57600


async def test_an_unplugged_board_is_found_again_with_what_it_runs(machine: Machine, tmp_path: Path) -> None:
    async with SerialBoard(machine, tmp_path) as board:
        target = McuTarget("real", BOARD, SerialPort(str(board.port), BOARD.baud).connect)
        await target.open()
        events = target.events()
        await target.spawn(Launch("a", wasm(SPIN)))
        async for event in events:
            if isinstance(event, Started):
                break
        down = asyncio.create_task(_until(target, False))
        await asyncio.sleep(0)
        await board.unplug()
        await down
        up = asyncio.create_task(_until(target, True))
        await asyncio.sleep(0)
        await board.plug()
        await up
        assert "a" in await target.usage()
        await target.kill("a")
        async for event in events:
            if isinstance(event, Ended):
                assert event.cause is Cause.KILLED
                break
        await target.close()


async def test_a_board_is_followed_to_another_port(machine: Machine, tmp_path: Path) -> None:
    """By its USB serial number; what is at its old place meanwhile is not taken for it."""
    there: dict[str, str] = {}

    def listed() -> Iterator[ListPortInfo]:
        for device, number in there.items():
            info = ListPortInfo(device, skip_link_detection=True)
            info.vid, info.pid, info.serial_number = 0x0483, 0x374B, number
            yield info

    async with SerialBoard(machine, tmp_path) as board:
        first = str(board.port.readlink())
        there[first] = "0670FF"
        port = SerialPort(first, BOARD.baud, listed=listed)
        target = McuTarget("real", BOARD, port.connect)
        await target.open()
        down = asyncio.create_task(_until(target, False))
        await asyncio.sleep(0)
        await board.unplug()
        await down
        stranger = os.openpty()  # takes the number: the board comes back under another
        up = asyncio.create_task(_until(target, True))
        await asyncio.sleep(0)
        there[first] = "stranger"
        await board.plug()
        second = str(board.port.readlink())
        there[second] = "0670FF"
        await up
        assert (port.port, second != first) == (second, True)
        await target.close()
        there[second] = "stranger"
        with pytest.raises(LinkError, match="Another device is on"):
            await port.connect()
        for end in stranger:
            os.close(end)


async def test_what_is_wrong_with_a_port_is_told(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="There is no serial port"):
        await SerialPort(str(tmp_path / "nothing"), 115200).connect()
    async with SerialBoard(machine, tmp_path) as board:
        _, writer = await SerialPort(str(board.port), 115200).connect()
        with pytest.raises(LinkError, match="in use by another program"):
            await SerialPort(str(board.port), 115200).connect()
        writer.close()
        await writer.wait_closed()  # only then is its lock gone
        await machine.pause()
        with pytest.raises(LinkError, match="Nobody answers on"):
            await SerialPort(str(board.port), 115200, others=(9600,)).connect()
