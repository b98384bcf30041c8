"""How fast a rule on the device acts: from the edge of a pin to the output that its handler drives.

Counted in instructions of an emulated stm32f4 with the real kernel, from the first of the edge's interrupt to
that which writes the output: interrupt, kernel, executor, its handler, host call. The example `button` is the
executor, beside others that loop without end. The link is cut meanwhile; each scene is measured often,
and the middle is told. At 168 MHz a thousand instructions are some ten microseconds.
"""

from __future__ import annotations

import asyncio
import statistics

from console.bench.report import BenchError, Report
from emulation.faults import LinkFaults
from emulation.qemu import QemuMachine
from hal import firmware
from hal.boards import load_board
from hal.guest import build_module
from hal.mcu import McuTarget
from hal.target import Ended, Grants, Launch, Started
from hal.toolchain import sdk

BUTTON, LED = 4, 0
SCENES = {"edge.alone": 0, "edge.beside_1": 1, "edge.beside_6": 6}
"""Metric, and how many executors loop beside it."""
GOAL_ALONE, GOAL_BESIDE = 2000, 2500
"""Most instructions that an edge may take, on an idle board and beside others."""
ICOUNT = 3
"""An instruction is 8 ns of virtual time: about what it takes at 168 MHz."""
LIMIT = 300.0
"""Seconds that one scene may take: it takes two to ten."""


async def run(report: Report) -> None:
    """Every scene on a board of its own. In small mode only the first, and three edges."""
    board = load_board("stm32f4")
    report.step("building the firmware")
    built = await asyncio.to_thread(firmware.build, board)
    scenes = dict(list(SCENES.items())[:1]) if report.small else SCENES
    for metric, neighbours in scenes.items():
        report.step(f"edges on an emulated stm32f4, {neighbours} neighbours")
        try:
            async with asyncio.timeout(LIMIT):
                counts = await measure(built, neighbours, 3 if report.small else 9)
        except TimeoutError:
            raise BenchError(f"{metric} was not done after {LIMIT:g} s.") from None
        goal = GOAL_BESIDE if neighbours else GOAL_ALONE
        report.figure(metric, statistics.median_low(counts), "instructions", at_most=goal, steady=True)


async def measure(built: firmware.Firmware, neighbours: int, edges: int) -> list[int]:
    """Instructions from edge to output, for each of so many edges."""
    faults = LinkFaults()
    first = built.symbol("mma_exti_handler") & ~1
    last = built.symbol("mma_chip_gpio_write") & ~1
    async with QemuMachine(built.board, faults=faults, icount=ICOUNT) as machine:
        await machine.start(built.elf)
        target = McuTarget("stm32f4@qemu", built.board, machine.connect)
        await target.open()
        try:
            await _start(target, "button", frozenset({BUTTON, LED}))
            for number in range(neighbours):
                await _start(target, "spin", frozenset(), number)
            faults.cut = True
            counts = []
            for edge in range(edges):
                level = edge % 2 == 0
                async with machine.traced() as trace:
                    await machine.drive_pin(BUTTON, level)
                    while await machine.read_pin(LED) is not level:  # noqa: ASYNC110 - nobody tells it
                        await asyncio.sleep(0.002)
                counts.append(_between(trace, first, last))
        finally:
            faults.cut = False
            await target.close()
    return counts


def _between(trace: list[int], first: int, last: int) -> int:
    try:
        begin = trace.index(first)
        return trace.index(last, begin) - begin
    except ValueError:
        raise BenchError("The edge did not lead to the output.") from None


async def _start(target: McuTarget, example: str, pins: frozenset[int], number: int = 0) -> None:
    module = await asyncio.to_thread(build_module, sdk() / "examples" / f"{example}.c")
    stream = target.events()
    key = f"{example} {number}"
    await target.spawn(Launch(key, module, grants=Grants(gpio=pins)))
    async for event in stream:
        if isinstance(event, Started) and event.key == key:
            return
        if isinstance(event, Ended):
            raise BenchError(f"{event.key} ended: {event.message}")
