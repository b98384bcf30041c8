"""Flash and RAM of the kernel, by board and module.

Each board's kernel is built with its default options and weighed by the linker's map. `kernel.flash` and
`kernel.ram` hold all that is not an executor's: code, constants, variables and stack. `arena` is the RAM left
to executors.
"""

from __future__ import annotations

import asyncio

from console.bench.report import Report
from hal import firmware
from hal.boards import board_names, load_board


async def run(report: Report) -> None:
    """Weigh every board's kernel; in small mode the totals alone."""
    for name in board_names():
        report.step(f"building the kernel for {name}")
        built = await asyncio.to_thread(firmware.build, load_board(name))
        sizes = await asyncio.to_thread(firmware.sizes, built)

        def tell(metric: str, value: int, most: int | None = None, *, board: str = name) -> None:
            report.figure(f"{board}.{metric}", value, "bytes", at_most=most, steady=True)

        tell("kernel.flash", sizes.flash, sizes.flash_budget)
        tell("kernel.ram", sizes.ram, sizes.ram_budget)
        report.figure(f"{name}.arena", sizes.arena, "bytes", better="higher", steady=True)
        for module in () if report.small else sizes.modules:
            if module.flash:
                tell(f"{module.name}.flash", module.flash)
            if module.ram:
                tell(f"{module.name}.ram", module.ram)
