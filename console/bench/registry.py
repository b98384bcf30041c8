"""Every benchmark by name.

To add one: a file in suite/ with `async def run(report: Report) -> None`, and a line here.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from console.bench.report import Report
from console.errors import UsageError

BENCHMARKS = {
    "aot": "What WebAssembly costs on the device, beside native code and an interpreter.",
    "rules": "From the edge of a pin to the output that a rule on the device drives, in instructions.",
    "fleet": "Many agents in one gateway: time, memory, processor, and the storm after a master's restart.",
    "scale": "Where one master ends: what agents cost it, and larger fleets simulated from that.",
    "emulate": "Emulated boards: speed beside bare QEMU, boot to agent registered, cost at rest.",
    "footprint": "Flash and RAM of the kernel, by board and module, with the room that is left.",
    "launch": "From the ACCEPT of an offer to TASK_RUNNING and to the result, by stages.",
    "link": "Goodput of an upload and round trips at 115200 and 921600 baud, on a clean and a damaged line.",
    "console": "How soon the console answers keys and takes in logs, over ten and a thousand agents.",
}
"""Name and summary, in the order in which they run; imported only when they do."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One that can run."""

    name: str
    summary: str
    text: str
    """How it measures: the docstring of its file without the first line."""
    run: Callable[[Report], Awaitable[None]]


def load(name: str) -> Benchmark:
    """Import one by name. UsageError if there is none."""
    if name not in BENCHMARKS:
        known = ", ".join(BENCHMARKS)
        raise UsageError(f"There is no benchmark {name!r}.", remedy=f"There are: {known}.")
    module = importlib.import_module(f"console.bench.suite.{name}")
    _, _, text = (inspect.getdoc(module) or "").partition("\n")
    return Benchmark(name, BENCHMARKS[name], text.strip(), module.run)


def select(names: Sequence[str]) -> list[Benchmark]:
    """Those named, or all. UsageError."""
    return [load(name) for name in (names or BENCHMARKS)]
