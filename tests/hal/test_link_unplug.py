"""A board is unplugged at every step of an upload: what it runs after that is what was asked."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from guests import end_of, output_of, wasm
from serial_board import SerialBoard

from emulation.targets import open_machine
from hal import firmware
from hal.boards import load_board
from hal.link.serial import SerialPort
from hal.mcu import McuTarget
from hal.target import Connection, Ended, Event, Launch, Started, Target

pytestmark = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None, reason="QEMU is missing: see mma doctor"
)
BOARD = load_board("stm32f4")
STEPS = 9
DATA = "".join(f"{number:03d}." for number in range(600))
BIG = f"""
(module (import "mma" "result" (func $result (param i32 i32) (result i32)))
  (memory 1) (data (i32.const 16) "{DATA}")
  (func (export "main") (result i32) (call $result (i32.const 2400) (i32.const 12))))"""
"""Some five blocks, and a result from the last of them."""


async def until(events: asyncio.Queue[Event], wanted: type[Event], up: bool | None = None) -> Event:
    while True:
        event = await events.get()
        if isinstance(event, wanted) and (up is None or getattr(event, "up", None) is up):
            return event


async def collect(target: Target, seen: list[Event], heard: asyncio.Queue[Event]) -> None:
    async for event in target.events():
        seen.append(event)
        heard.put_nowait(event)


async def run_unplugged(board: SerialBoard, after: int | None) -> tuple[list[Event], int]:
    """A whole upload, the port gone once `after` bytes went to the board; and how many went in all."""
    seen: list[Event] = []
    heard: asyncio.Queue[Event] = asyncio.Queue()
    target = McuTarget("real", BOARD, SerialPort(str(board.port), BOARD.baud, others=()).connect)
    await target.open()
    listening = asyncio.create_task(collect(target, seen, heard))
    await asyncio.sleep(0)
    begin = board.sent
    gone = board.gone_after(after) if after is not None else None
    try:
        async with asyncio.timeout(60):
            await target.spawn(Launch("a", wasm(BIG)))
            if gone is not None:
                await gone
                await until(heard, Connection, False)
                await board.plug()
            await until(heard, Ended)
            sent = board.sent - begin
            async for state in target.link.watch_slots():  # its slot is freed after its end was told
                if not state.slots:
                    break
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await target.close()
    return seen, sent


async def test_an_upload_lives_through_unplugging_at_every_step(tmp_path: Path) -> None:
    async with open_machine("stm32f4@qemu") as machine:
        await machine.start(firmware.build(BOARD).elf)
        async with SerialBoard(machine, tmp_path) as board:
            events, total = await run_unplugged(board, None)
            assert end_of(events).output == DATA[2384:2396].encode()
            assert total > 2400
            for step in range(STEPS):
                after = total * step // STEPS + 1
                events, _ = await run_unplugged(board, after)
                end = end_of(events)
                assert end.output == DATA[2384:2396].encode(), f"unplugged after {after} bytes: {end}"
                assert sum(isinstance(event, Started) for event in events) == 1, f"after {after} bytes"
                assert output_of(events) == b""
