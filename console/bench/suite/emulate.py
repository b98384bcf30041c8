"""What an emulated board costs, and what we add to bare QEMU.

`mips` are instructions that one emulated stm32f4 executes in a second of the processor's time: the kernels
of `aot` but the first, counted once by QEMU, then run without counting, in turn on a board of ours (its
sockets, supervisor and watchers with it) and in QEMU as one starts it by hand. `ours` is the first by the
second, of the best rounds: neighbours on the machine only make it slower.
`boot` is from power-on to the device's first answer, and to the agent's registration with a genuine master
that is there already. `idle` is a registered board that runs nothing: processor time for a second of it, that
of its gateway aside, and its own memory. `boards` is how many of those this machine holds, by both.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

from agent.config import AgentConfig
from agent.events import EventStream, Registered
from agent.gateway import Gateway
from console.bench.processes import PAGE, own_bytes, processor_seconds
from console.bench.report import BenchError, Report
from emulation.master import Master
from emulation.qemu import QemuMachine
from hal import firmware
from hal.aot import bench
from hal.boards import Board, board_names, load_board
from hal.mcu import McuTarget

ROUNDS, SMALL_ROUNDS = 25, 1
BOOTS, SMALL_BOOTS = 9, 1
REST, SMALL_REST = 20.0, 1.0
"""Seconds for which an idle board is watched."""
LIMIT = 300.0
"""Seconds for one run of the kernels, or one boot: they take one to five."""
GOAL_OURS = 0.95
"""Least speed of a board of ours, of that of bare QEMU."""


async def run(report: Report) -> None:
    """Speed on an stm32f4; boot and rest on every board."""
    if sys.platform != "linux":
        raise BenchError("Processor times of other programs are read from /proc: this needs Linux.")
    await _speed(report)
    async with Master() as master:
        for name in ("stm32f4",) if report.small else board_names():
            await _board(report, master, load_board(name))


# -- speed ------------------------------------------------------------------------------------------------


async def _speed(report: Report) -> None:
    board = load_board("stm32f4")
    report.step("compiling the kernels")
    built = await asyncio.to_thread(bench.build, board, None)
    report.step("counting their instructions")
    lines: list[str] = []
    await _ours(QemuMachine(board, icount=bench.SHIFT), built.elf, lines)
    _, *counted = bench.parse(built, lines).figures
    instructions = sum(figure.native + figure.translated for figure in counted)
    ours, bare = [], []
    for number in range(1, 1 + (rounds := SMALL_ROUNDS if report.small else ROUNDS)):
        report.step(f"running them, {number} of {rounds}")
        ours.append(instructions / await _ours(QemuMachine(board), built.elf) / 1e6)
        bare.append(instructions / await _bare(board, built.elf) / 1e6)
    report.figure("mips.ours", max(ours), "MIPS", better="higher")
    report.figure("mips.bare", max(bare), "MIPS", better="higher")
    # One round of a busy machine says nothing of speed: no goal then.
    goal = None if report.small else GOAL_OURS
    report.figure("ours", max(ours) / max(bare), "x bare QEMU", at_least=goal, better="higher")


async def _ours(machine: QemuMachine, elf: Path, lines: list[str] | None = None) -> float:
    """Processor seconds of the kernels on a board of ours; `lines` gets what it prints."""
    async with asyncio.timeout(LIMIT), machine:
        await machine.start(elf, paused=True)
        reader, _ = await machine.connect()
        await machine.resume()
        assert machine.pid is not None
        return await _kernels(machine.pid, reader, lines)


async def _bare(board: Board, elf: Path) -> float:
    """Processor seconds of them in QEMU as one starts it by hand."""
    page = board.emulators["qemu"]
    arguments = [str(word).replace("{elf}", str(elf)) for word in page["arguments"]]
    serials = ["-serial", "null"] * int(page.get("serial", 0)) + ["-serial", "stdio"]
    process = await asyncio.create_subprocess_exec(
        *(str(page["system"]), *arguments, "-display", "none", "-nodefaults", "-monitor", "none", *serials),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(LIMIT):
            return await _kernels(process.pid, process.stdout)
    finally:
        process.kill()
        await process.wait()


async def _kernels(pid: int, reader: asyncio.StreamReader, lines: list[str] | None = None) -> float:
    """Processor seconds from the first kernel's line to the end: QEMU's own start is not in it."""
    begin = None
    while line := (await reader.readline()).decode("ascii", "replace"):
        if begin is None:
            begin = processor_seconds(pid)
        if lines is not None:
            lines.append(line)
        if line.strip() == "end":
            return processor_seconds(pid) - begin
    raise BenchError("The kernels did not come to their end.")


# -- boot and rest ----------------------------------------------------------------------------------------


async def _board(report: Report, master: Master, board: Board) -> None:
    report.step(f"building the firmware of {board.name}")
    built = await asyncio.to_thread(firmware.build, board)
    links, registrations = [], []
    boots = SMALL_BOOTS if report.small else BOOTS
    async with Gateway(master.address, (), AgentConfig()) as gateway:
        events = gateway.events()
        for number in range(1, boots + 1):
            report.step(f"booting {board.name}, {number} of {boots}")
            async with asyncio.timeout(LIMIT), booted(board, built.elf, gateway, events) as (machine, times):
                links.append(times[0])
                registrations.append(times[1])
                if number == boots:
                    seconds = SMALL_REST if report.small else REST
                    report.step(f"watching {board.name} at rest")
                    await _rest(report, machine, seconds)
    report.figure(f"{board.name}.boot.link", median(links), "s")
    report.figure(f"{board.name}.boot.registered", median(registrations), "s")


@asynccontextmanager
async def booted(
    board: Board, elf: Path, gateway: Gateway, events: EventStream
) -> AsyncIterator[tuple[QemuMachine, tuple[float, float]]]:
    """A board with its agent, and the seconds from power-on to the link and to the registration."""
    name = f"{board.name}@qemu"
    async with QemuMachine(board) as machine:
        begin = time.monotonic()
        await machine.start(elf)
        target = McuTarget(name, board, machine.connect)
        await target.open()
        linked = time.monotonic() - begin
        try:
            await gateway.add(target)
            async for event in events:
                if isinstance(event, Registered) and event.target == name:
                    break
            yield machine, (linked, time.monotonic() - begin)
            await gateway.remove(name)
        finally:
            await target.close()


async def _rest(report: Report, machine: QemuMachine, seconds: float) -> None:
    assert machine.pid is not None
    begin, start = processor_seconds(machine.pid), time.monotonic()
    await asyncio.sleep(seconds)
    busy = (processor_seconds(machine.pid) - begin) / (time.monotonic() - start)
    memory = own_bytes(machine.pid)
    name = machine.board.name
    report.figure(f"{name}.idle.cpu", busy * 1000, "ms/s")
    report.figure(f"{name}.idle.memory", memory / 1e6, "MB")
    room = os.sysconf("SC_PHYS_PAGES") * PAGE / memory
    cores = (os.cpu_count() or 1) / max(busy, 1e-6)
    report.figure(f"{name}.boards", int(min(room, cores)), "boards", better="higher")
