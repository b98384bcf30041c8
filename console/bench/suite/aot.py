"""What WebAssembly costs on the device: the same C native, through our compiler, and interpreted.

One text is compiled by the same clang with -O2, natively and to WebAssembly; all versions run one after the
other on one emulated stm32f4, without a kernel, and must give the same results. QEMU counts the instructions.
`ratio` is ours to native: 1 means that the sandbox costs nothing. All traps are kept. `_any` are kernels on
pointers and lengths that no compiler can see through. wasm3 0.5.0 is compiled with -O3. Its RAM is what it
allocates beyond the module's memory; ours has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from console.bench.report import BenchError, Report
from emulation.errors import EnvironmentMissing
from emulation.targets import open_machine
from hal.aot import bench
from hal.aot.compiler import compile_for
from hal.aot.model import Machine
from hal.aot.translate import HOSTS, Harness
from hal.boards import board_names, load_board
from hal.guest import build_module
from hal.toolchain import sdk

LIMIT = 300.0
"""Seconds that a run may take: it takes five."""


async def run(report: Report) -> None:
    """Build, run in QEMU, tell. In small mode without wasm3."""
    peer = None if report.small else await _peer(report)
    report.step("compiling the kernels")
    one = await asyncio.to_thread(bench.build, load_board("stm32f4"), peer)
    report.step("running them on an emulated stm32f4")
    async with asyncio.timeout(LIMIT):
        result = bench.parse(one, [line async for line in _lines(one)])
    wrong = [figure.kernel for figure in result.figures if not figure.equal]
    if wrong:
        raise BenchError(f"Native and translated code differ in their results: {', '.join(wrong)}.")
    goals, others = result.of(bench.KERNELS), result.of(bench.MORE)
    _mean(report, "mean.ratio", [one.ratio for one in goals], "x native", at_most=bench.GOAL_MEAN)
    _mean(report, "mean_any.ratio", [one.ratio for one in others], "x native")
    if peer:
        speeds = [figure.interpreted / figure.translated for figure in goals]
        _mean(report, "mean.wasm3", speeds, "x ours", at_least=bench.GOAL_INTERPRETER)
    for figure in (*goals, *others):
        name = figure.kernel
        report.figure(f"{name}.ratio", figure.ratio, "x native", at_most=bench.GOAL_EACH, steady=True)
        report.figure(f"{name}.native", figure.native, "instructions", steady=True)
        if peer:
            slower = figure.interpreted / figure.translated
            report.figure(f"{name}.wasm3", slower, "x ours", better="higher", steady=True)
    report.figure("module", one.module_bytes, "bytes", steady=True)
    report.figure("native.code", one.native_bytes, "bytes", steady=True)
    await asyncio.to_thread(_sizes, report)
    report.figure("memory", one.memory_bytes, "bytes", steady=True)
    if peer:
        report.figure("wasm3.code", one.interpreter_bytes, "bytes", steady=True)
        report.figure("wasm3.ram", result.interpreter_memory, "bytes", steady=True)


def _mean(
    report: Report,
    metric: str,
    ratios: list[float],
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> None:
    report.figure(metric, bench.mean(ratios), unit, at_most=at_most, at_least=at_least, steady=True)


async def _peer(report: Report) -> bench.Interpreter | None:
    from console.bench.wasm3 import wasm3

    report.step("fetching wasm3")
    try:
        return await asyncio.to_thread(wasm3)
    except EnvironmentMissing as error:
        report.note(f"Without wasm3: {error}")
        return None


def _sizes(report: Report) -> None:
    """What our code of all kernels takes on each board."""
    module = build_module(sdk() / "bench" / "kernels.c")
    for name in board_names():
        made = compile_for(module, Machine.of(load_board(name)), Harness(HOSTS, ""))
        report.figure(f"{name}.code", made.code_bytes, "bytes", steady=True)


async def _lines(one: bench.Bench) -> AsyncIterator[str]:
    """What the board prints, up to its last line."""
    async with open_machine("stm32f4@qemu", icount=bench.SHIFT) as machine:
        await machine.start(one.elf)
        reader, _ = await machine.connect()
        while line := (await reader.readline()).decode("ascii", "replace"):
            yield line
            if line.strip() in ("end", "fault"):
                return
