"""A board with an honest tenant on it, and others that are let loose beside it.

The honest one is there from beginning to end. Its log is computed here as well, byte by byte; it must be the
same whatever the others do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulation.targets import open_machine
from hal import firmware
from hal.boards import load_board
from hal.guest import build_module
from hal.mcu import McuTarget
from hal.target import Budget, Cause, Ended, Launch, Output, Started

BUDGET = Budget(total=5120, cpus=0.2)
"""What everybody but the neighbour has."""
LIMIT = 300.0
"""Seconds for everything from a launch to its end, on a crowded computer."""
LINE = 9
NEIGHBOUR = "neighbour"

_WORDS = {
    Cause.MEMORY_LIMIT: "limit",
    Cause.MODULE_REJECTED: "rejected",
    Cause.NO_ROOM: "no room",
    Cause.LAUNCH_FAILED: "failed",
}


def told(ended: Ended) -> str:
    """An end in the words of attacks.py."""
    if ended.cause is Cause.EXITED:
        return f"exit {ended.status}"
    if ended.cause is Cause.TRAPPED:
        return f"trap {ended.message.removeprefix('Trap: ').split(' in function')[0]}"
    return _WORDS.get(ended.cause, str(ended.cause.value))


def lines() -> Iterator[bytes]:
    """What the neighbour logs: neighbour.c in Python."""
    x, kept = 1, [0] * 64
    while True:
        for i in range(300):
            x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
            kept[i & 63] = (kept[i & 63] + x) & 0xFFFFFFFF
        total = 0
        for word in kept:
            total = (total * 31 + word) & 0xFFFFFFFF
        yield b"%08x\n" % total


@dataclass
class Witness:
    """Holds the neighbour's log against what it must be."""

    wrong: list[str] = field(default_factory=list)
    count: int = 0
    """Lines that it has got to."""
    _at: int = 0
    _source: Iterator[bytes] = field(default_factory=lines)
    _line: bytes = b""

    def hear(self, output: Output) -> None:
        """A piece of the log. What its ring had no room for is skipped."""
        self._skip(output.dropped)
        for byte in output.data:
            expected = self._next()
            if byte != expected and len(self.wrong) < 5:
                self.wrong.append(f"byte {self._at} of the neighbour's log is {byte:#x}, not {expected:#x}")

    def _skip(self, count: int) -> None:
        for _ in range(count):
            self._next()

    def _next(self) -> int:
        if self._at % LINE == 0:
            self._line = next(self._source)
            self.count += 1
        self._at += 1
        return self._line[(self._at - 1) % LINE]


class Ground:
    """The board. Use `opened()`."""

    def __init__(self, target: McuTarget, at_once: int) -> None:
        self._target = target
        self._places = asyncio.Semaphore(at_once)
        self._count = 0
        self._ended: dict[str, asyncio.Future[Ended]] = {}
        self._started: dict[str, asyncio.Event] = {}
        self.witness = Witness()

    async def let_loose(self, module: bytes, patience: float | None = None) -> Ended:
        """Launch one and say how it ended; it is killed if it runs for longer than `patience` seconds."""
        async with self._places, asyncio.timeout(LIMIT):
            self._count += 1
            key = f"tenant {self._count}"
            self._expect(key)
            await self._target.spawn(Launch(key, module, ("argument",), BUDGET))
            await self._begun(key)
            ended = self._ended[key]
            await asyncio.wait([ended], timeout=patience)
            if not ended.done():
                await self._target.kill(key)
            return await ended

    async def _begun(self, key: str) -> None:
        """Until it runs, or has ended without."""
        started = asyncio.create_task(self._started[key].wait())
        either: list[asyncio.Future[Any]] = [started, self._ended[key]]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()

    def _expect(self, key: str) -> None:
        self._ended[key] = asyncio.get_running_loop().create_future()
        self._started[key] = asyncio.Event()

    async def settle(self) -> list[str]:
        """What is wrong after it all: the neighbour must live, and get on."""
        before = self.witness.count
        wrong = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                while self.witness.count < before + 10 and not self._ended[NEIGHBOUR].done():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        if self.witness.count < before + 10:
            wrong.append(f"the neighbour has stopped after {self.witness.count} lines")
        if self._ended[NEIGHBOUR].done():
            wrong.append(f"the neighbour has ended: {self._ended[NEIGHBOUR].result()}")
        return [*wrong, *self.witness.wrong]

    async def open(self) -> None:
        """Start the neighbour."""
        self._expect(NEIGHBOUR)
        module = await asyncio.to_thread(build_module, Path(__file__).with_name("neighbour.c"))
        await self._target.spawn(Launch(NEIGHBOUR, module, budget=Budget(cpus=0.3, log=256)))
        async with asyncio.timeout(LIMIT):
            await self._begun(NEIGHBOUR)
        assert not self._ended[NEIGHBOUR].done(), self._ended[NEIGHBOUR].result()

    async def follow(self) -> None:
        """Hear all events, for ever."""
        async for event in self._target.events():
            match event:
                case Started(key):
                    self._started[key].set()
                case Output() if event.key == NEIGHBOUR:
                    self.witness.hear(event)
                case Ended(key) if not self._ended[key].done():
                    self._ended[key].set_result(event)


@contextlib.asynccontextmanager
async def opened(name: str) -> AsyncIterator[Ground]:
    """A board with the neighbour on it, in its default emulator."""
    board = load_board(name)
    async with open_machine(name) as machine:
        await machine.start((await asyncio.to_thread(firmware.build, board)).elf)
        target = McuTarget(name, board, machine.connect)
        await target.open()
        ground = Ground(target, at_once=6 if target.facts.arena_bytes > 1 << 16 else 1)
        following = asyncio.create_task(ground.follow())
        try:
            await asyncio.sleep(0)  # it listens from here on
            await ground.open()
            yield ground
        finally:
            following.cancel()
            await asyncio.wait([following])
            await target.close()
