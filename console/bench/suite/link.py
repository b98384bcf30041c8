"""The link between gateway and board, at the speed of a real line.

The gateway's own client uploads to the real kernel in QEMU (`-icount shift=3`: 8 ns an instruction) over a
line in virtual time (emulation/paced.py): a byte takes ten bits; the device answers as late as its
instructions make it, and keeps no more bytes meanwhile than its ring holds; and 2 ms pass before the
gateway has acted on an answer, for a USB adapter and its program. How long the device computes on a frame
its own counters tell, frame by frame: an executor that loops for ever gets all time that the kernel does
not need. All of that counts after the frame's last byte, though unpacking overlaps with reception.
`goodput` is the image's bytes over those that the line could have carried in the time. The image is random,
so that SLIP escapes what it must. `damaged` flips a bit in one byte of a thousand, both ways.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import struct
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TypeVar

from aiocoap import CON, Code, Message

from console.bench.report import BenchError, Report
from emulation.machine import Streams
from emulation.paced import PacedLine, VirtualLoop
from emulation.qemu import QemuMachine
from hal import firmware
from hal.boards import load_board
from hal.link import Create, Link
from hal.link.facts import parse_counters
from hal.link.slipmux import CoapFrame, Decoder, encode_coap

BOARD = "stm32f4"
BAUDS = (115_200, 921_600)
GOAL = 85.0
"""Percent of the line rate that a clean upload reaches at least."""
DAMAGE = 1e-3
GATEWAY = 0.002
"""Seconds from an answer's last bit until the gateway has acted on it."""
KEY = b"bench-01"
Result = TypeVar("Result")


@dataclass
class Device:
    """The board's end: bytes to the emulator and back, and how long it computed. Calls block: not for the
    event loop that has the streams."""

    streams: Streams
    loop: asyncio.AbstractEventLoop
    mid: int = 0
    busy: float = 0.0
    looking: float = 0.0
    """Seconds that the device computes to tell its counters."""

    def __post_init__(self) -> None:
        self._decoder = Decoder()

    def settle(self) -> None:
        """Find out what a look costs."""
        for _ in range(3):
            self.exchange(b"")
        self.looking = statistics.median(self.exchange(b"")[1] for _ in range(9))

    def exchange(self, data: bytes) -> tuple[bytes, float]:
        """See emulation.paced.Exchange. The device's counters end each exchange, and tell its time."""
        return asyncio.run_coroutine_threadsafe(self._exchange(data), self.loop).result(60)

    async def _exchange(self, data: bytes) -> tuple[bytes, float]:
        self.mid = self.mid % 0xFFFF + 1
        look = Message(code=Code.GET, _mtype=CON, _mid=self.mid, _token=b"look", uri_path=("k",))
        self.streams[1].write(data + encode_coap(look.encode()))
        answer = b""
        while True:
            for frame in self._decoder.feed(await self.streams[0].read(4096)):
                if not isinstance(frame, CoapFrame):
                    continue
                message = Message.decode(frame.message)
                if message.token != b"look":
                    answer += encode_coap(frame.message)
                    continue
                counters = parse_counters(message.payload)
                own = counters.microseconds - counters.idle_microseconds - counters.executor_microseconds
                before, self.busy = self.busy, own / 1e6
                return answer, max(0.0, self.busy - before - self.looking)


async def run(report: Report) -> None:
    """Boot the board once; each transfer begins with an empty slot."""
    board = load_board(BOARD)
    report.step(f"booting {BOARD} in QEMU")
    built = await asyncio.to_thread(firmware.build, board)
    async with QemuMachine(board, icount=3) as machine:
        await machine.start(built.elf)
        await _loop_for_ever(machine)
        device = Device(await machine.connect(), asyncio.get_running_loop())
        await asyncio.to_thread(device.settle)
        ring = board.options.get("receive", RING)
        for baud in BAUDS[-1:] if report.small else BAUDS:
            await _figures(report, device, baud, ring)


RING = 128
"""MMA_RECEIVE of firmware/kernel/config.h, where the board's page says nothing else."""


async def _figures(report: Report, device: Device, baud: int, ring: int) -> None:
    size = 8_192 if report.small else 65_536
    image = random.Random(1).randbytes(size - 8)

    def line(damage: float = 0.0) -> PacedLine:
        return PacedLine(device.exchange, baud, ring, near_delay=GATEWAY, damage=damage, seed=baud)

    report.step(f"uploading at {baud} baud")
    clean = line()
    seconds, cpu = await _in_virtual_time(lambda: upload(clean, image))
    report.figure(f"{baud}.upload.goodput", _goodput(size, seconds, baud), "% of the line", at_least=GOAL)
    blocks = size / 512
    report.figure(f"{baud}.upload.device", clean.device_seconds / blocks * 1e6, "us a block")
    report.figure(f"{baud}.upload.gateway", cpu / blocks * 1e6, "us a block")
    if clean.bytes_lost:
        raise BenchError(
            f"The device lost {clean.bytes_lost} bytes at {baud} baud: it was too slow for the line."
        )
    report.step(f"uploading at {baud} baud over a damaged line")
    damaged = line(DAMAGE)
    seconds, _ = await _in_virtual_time(lambda: upload(damaged, image))
    report.figure(f"{baud}.damaged.goodput", _goodput(size, seconds, baud), "% of the line", better="higher")
    report.step(f"asking at {baud} baud")
    seconds, _ = await _in_virtual_time(lambda: ask(line()))
    report.figure(f"{baud}.round_trip", seconds * 1000, "ms")


def _goodput(size: int, seconds: float, baud: int) -> float:
    return 100 * size * 10 / baud / seconds


async def _loop_for_ever(machine: QemuMachine) -> None:
    """Start an executor that is one branch to itself."""
    link = Link(BOARD, machine.connect, baud=BAUDS[0])
    await link.open()
    try:
        place = await link.create(Create(b"for ever", 32, 512, 0, 0, 0, share=1))
        stream = struct.pack("<IIH", place.code, 2, 0xE7FE)
        await link.upload(place.slot, stream)
        await link.start(place.slot, stream, place.code, 0)
    finally:
        await link.close()


async def upload(line: PacedLine, image: bytes) -> float:
    """Virtual seconds of an upload. That the device took it as it was meant, a start tells by its digest."""
    link = Link(BOARD, line.connect, baud=line.baud)
    await link.open()
    try:
        parts = Create(KEY, code=len(image), stack=512, memory=0, log=0, result=0, share=1)
        place = await link.create(parts)
        stream = struct.pack("<II", place.code, len(image)) + image
        began = asyncio.get_running_loop().time()
        await link.upload(place.slot, stream)
        seconds = asyncio.get_running_loop().time() - began
        await link.start(place.slot, stream, place.code, 0)
        await link.kill(place.slot)
        await link.delete(place.slot)
        return seconds
    finally:
        await link.close()


async def ask(line: PacedLine) -> float:
    """Mean virtual seconds of a question about the slots."""
    link = Link(BOARD, line.connect, baud=line.baud)
    await link.open()
    began = asyncio.get_running_loop().time()
    for _ in range(20):
        await link.slots()
    seconds = (asyncio.get_running_loop().time() - began) / 20
    await link.close()
    return seconds


async def _in_virtual_time(
    work: Callable[[], Coroutine[object, object, Result]],
) -> tuple[Result, float]:
    """Run a coroutine in a loop whose clock is virtual; also the CPU seconds that it took here."""

    def thread() -> tuple[Result, float]:
        began = time.thread_time()
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            found = runner.run(work())
        return found, time.thread_time() - began

    return await asyncio.to_thread(thread)
