"""How soon the console answers: first paint, from a key to what it changes on the screen, lines of logs.

The real application runs on a pseudo terminal of 200 by 50 cells, over N agents with a task, an offer and a
reading a second each; only the session behind them is made up. `paint` is from the last import to the first
frame. A `key` moves the cursor of the fleet; it takes from the moment when the console read it from the
terminal until it wrote the frame with the cursor.
`key_in_logs` is the same while 2,000 lines a second come in; `logs` how many a second are taken in and drawn
when they come at once. `busy` is what the console takes of a core meanwhile, with some 18 keys a second.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import socket
import statistics
import struct
import sys
import termios
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from console.bench.report import BenchError, Report
from console.look.frames import quicken

SIZES = (10, 1_000)
SMALL = (10,)
ROWS, COLUMNS = 50, 200
RATE = 2_000
PAINT_GOAL = 0.5
KEY_GOAL = 0.033
LOG_GOAL = 10_000
PATIENCE = 30.0
"""Seconds for one frame: it takes a thousandth of that."""

_ASKED = b"\x1b[?2026$p"
_CAN = b"\x1b[?2026;2$y"
_FRAME = re.compile(rb"\x1b\[\?2026h(.*?)\x1b\[\?2026l", re.DOTALL)
"""What is between these is one frame: private mode 2026, synchronized output."""
_CURSOR = "▌".encode()


class Terminal:
    """Reads what the console writes, frame by frame, and presses keys."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting = b""
        self._frames: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self.first = 0.0
        """When the first frame was there."""

    def read(self) -> None:
        """Something came."""
        try:
            data = os.read(self._descriptor, 1 << 16)
        except OSError:  # the other side is gone
            asyncio.get_running_loop().remove_reader(self._descriptor)
            return
        now = time.monotonic()
        if _ASKED in data:
            os.write(self._descriptor, _CAN)
        self._waiting += data
        end = 0
        for found in _FRAME.finditer(self._waiting):
            self.first = self.first or now
            self._frames.put_nowait((now, found[1]))
            end = found.end()
        self._waiting = self._waiting[end:]

    async def until(self, text: bytes) -> float:
        """When a frame with this text was there. BenchError after a while."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    at, frame = await self._frames.get()
                    if text in frame:
                        return at
        except TimeoutError:
            raise BenchError(f"The console did not draw {text.decode()!r} within {PATIENCE:g} s.") from None

    async def press(self, key: str, text: bytes) -> float:
        """Seconds from a key to the frame with this text."""
        while not self._frames.empty():
            self._frames.get_nowait()
        pressed = time.monotonic()
        os.write(self._descriptor, key.encode())
        return await self.until(text) - pressed


class Console:
    """The worker, its terminal, and the socket for orders."""

    def __init__(
        self, terminal: Terminal, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.terminal = terminal
        self._reader = reader
        self._writer = writer

    async def told(self) -> dict[str, Any]:
        """Its next answer."""
        line = await self._reader.readline()
        if not line:
            raise BenchError("The console ended.")
        found: dict[str, Any] = json.loads(line)
        return found

    async def press(self, keys: int) -> tuple[list[float], float]:
        """Press keys as a quick person does: seconds that each took, and the share of a core."""
        await self.order("keys")
        spent = -float((await self.order("cpu"))["cpu"])
        begun = time.monotonic()
        for place in range(keys):
            await self.terminal.press("j" if place % 8 < 4 else "k", _CURSOR)
            await asyncio.sleep(0.03 + 0.007 * (place % 8))  # in step with nothing
        spent += float((await self.order("cpu"))["cpu"])
        share = spent / (time.monotonic() - begun)
        return (await self.order("keys"))["keys"], share

    async def order(self, words: str) -> dict[str, Any]:
        """Ask for something, and the answer."""
        self._writer.write(f"{words}\n".encode())
        return await self.told()


@asynccontextmanager
async def console(number: int) -> AsyncIterator[Console]:
    """Over so many agents."""
    quicken()  # as `mma console` does; the worker inherits it
    loop = asyncio.get_running_loop()
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    ours, theirs = socket.socketpair()
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environment.pop("NO_COLOR", None)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console.bench.console_worker", str(number), str(theirs.fileno())),
        stdin=inner,
        stdout=inner,
        stderr=inner,
        pass_fds=(theirs.fileno(),),
        env=environment,
        start_new_session=True,
    )
    os.close(inner)
    theirs.close()
    terminal = Terminal(outer)
    loop.add_reader(outer, terminal.read)
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        yield Console(terminal, reader, writer)
    finally:
        writer.close()
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        loop.remove_reader(outer)
        os.close(outer)


async def run(report: Report) -> None:
    """Each size; in small mode ten agents and few keys."""
    for number in SMALL if report.small else SIZES:
        await _measure(report, number, 20 if report.small else 300)


async def _measure(report: Report, number: int, keys: int) -> None:
    name = f"n{number}"
    report.step(f"the console over {number} agents: first paint")
    async with console(number) as it:
        imported = (await it.told())["imported"]
        await it.terminal.until(b"light-")
        report.figure(f"{name}.paint", it.terminal.first - imported, "s", at_most=PAINT_GOAL)
        await asyncio.sleep(0.2 if report.small else 3.0)  # everything comes up, and pages warm
        report.step(f"the console over {number} agents: {keys} keys")
        _tell(report, f"{name}.key", await it.press(keys))
        report.step(f"the console over {number} agents: {keys} keys while lines come")
        await it.order(f"flood {RATE}")
        _tell(report, f"{name}.key_in_logs", await it.press(keys))
    report.step(f"the console over {number} agents: lines of logs")
    async with console(number) as it:
        await it.told()
        await it.terminal.until(b"light-")
        await it.terminal.press("4", b"following")
        lines = 2_000 if report.small else 50_000
        seconds = (await it.order(f"burst {lines}"))["seconds"]
        report.figure(f"{name}.logs", lines / seconds, "lines/s", at_least=LOG_GOAL)


def _tell(report: Report, name: str, pressed: tuple[list[float], float]) -> None:
    taken, busy = pressed
    report.figure(f"{name}.p50", statistics.median(taken) * 1000, "ms")
    report.figure(
        f"{name}.p99",
        sorted(taken)[max(0, round(len(taken) * 0.99) - 1)] * 1000,
        "ms",
        at_most=KEY_GOAL * 1000,
    )
    report.figure(f"{name}.busy", busy * 100, "% of a core")
