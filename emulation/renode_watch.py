"""What Renode tells beside its answers: how often each instruction ran, what the kernel wrote to its outputs,
and what Renode has no model for.

The counts are kept by renode_counts.cs, which Renode compiles when it is told to. Complaints are lines of
its log, most of them with the instruction that caused them.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from emulation.errors import EnvironmentMissing, MachineError
from emulation.pins import PinTrace
from emulation.robot import RenodeRefused
from emulation.unmodelled import Tally

Execute = Callable[[str], Awaitable[str]]
"""A command of the Monitor; what it printed."""

_COUNTS = Path(__file__).with_name("renode_counts.cs")
_POLL = 0.2
_LOG_LIMIT = 4 << 20
"""Bytes after which the log goes on in another file: a guest can make it grow without end."""
_PERIPHERAL = re.compile(r"── (\w+) \([^)]*\)")
_RANGE = re.compile(r"<0x([0-9A-Fa-f]+), 0x[0-9A-Fa-f]+>")


async def count_instructions(execute: Execute, folder: Path) -> None:
    """From now on. `folder` must have no spaces in its path."""
    source = folder / "counts.cs"
    await asyncio.to_thread(shutil.copyfile, _COUNTS, source)
    try:
        await execute(f"include @{source}")
        await execute("sysbus.cpu CountInstructions")
    except RenodeRefused as error:
        raise EnvironmentMissing(f"This Renode cannot count each instruction: {error}") from error


async def counted(execute: Execute) -> Mapping[int, int]:
    """How often the instruction at each address ran."""
    found = Counter[int]()
    for word in (await execute("sysbus.cpu CountedInstructions")).split():
        address, _, count = word.partition(":")
        found[int(address, 16)] += int(count, 16)
    return found


def bases_of(text: str) -> dict[str, int]:
    """Where each peripheral begins, of `peripherals`."""
    bases: dict[str, int] = {}
    name = ""
    for line in text.splitlines():
        if found := _PERIPHERAL.search(line):
            name = found[1]
        elif (found := _RANGE.search(line)) and name:
            bases.setdefault(name, int(found[1], 16))
    return bases


def seconds_of(text: str) -> float:
    """What `[days.]hours:minutes:seconds` at the beginning means. MachineError for anything else."""
    found = re.match(r"\s*(?:(\d+)\.)?(\d+):(\d+):(\d+(?:\.\d+)?)", text)
    if found is None:
        raise MachineError(f"Renode's time makes no sense: {text.strip()[:80]!r}.")
    days, hours, minutes, seconds = found.groups(default="0")
    return float(days) * 86400 + float(hours) * 3600 + float(minutes) * 60 + float(seconds)


async def watch_outputs(execute: Execute, path: Path, address: int) -> None:
    """From now on each write of that word is a line of a file: the virtual time and the value. Not with
    1.13.3, which loses some and ends with an overflow where the time is asked for."""
    await asyncio.to_thread(path.touch)
    script = f"cpu.SyncTime(); f = open('{path}', 'a'); now = self.Machine.ElapsedVirtualTime.TimeElapsed; "
    script += "f.write(str(now) + ' ' + str(value) + chr(10)); f.close()"
    await execute(f'sysbus AddWatchpointHook {address:#x} DoubleWord Write "{script}"')


async def follow_outputs(path: Path, pins: PinTrace) -> None:
    """Tell the trace, until cancelled; what was written before is told then."""
    with path.open(encoding="ascii") as file:
        rest = ""

        def read() -> None:
            nonlocal rest
            *lines, rest = (rest + file.read()).split("\n")
            for line in lines:
                moment, _, value = line.partition(" ")
                pins.wrote(seconds_of(moment), int(value))

        try:
            while True:
                read()
                await asyncio.sleep(_POLL)
        finally:
            read()


@contextlib.asynccontextmanager
async def unmodelled(execute: Execute, folder: Path) -> AsyncIterator[Tally]:
    """Meanwhile its complaints are counted. They go through files that are thrown away as they are read."""
    tally = Tally(bases_of(await execute("peripherals")))
    number = 0

    def path() -> Path:
        return folder / f"unmodelled{number}.log"

    async def open_log() -> None:
        await execute(f"logFile @{path()} true")
        await execute("logLevel 2 file")

    async def read() -> None:
        nonlocal number
        while True:
            with path().open("rb") as log:
                while log.tell() < _LOG_LIMIT:
                    tally.take(log.read(1 << 16))
                    await asyncio.sleep(_POLL if log.peek(1) == b"" else 0)
                full = path()
                number += 1
                await open_log()
                while data := log.read(1 << 16):
                    tally.take(data)
                full.unlink(missing_ok=True)

    await open_log()
    reading = asyncio.create_task(read(), name="read the unmodelled")
    try:
        yield tally
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        with contextlib.suppress(Exception):  # it may be gone
            await execute("logLevel 3 file")
        path().unlink(missing_ok=True)
