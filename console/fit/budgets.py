"""What a task asks of its target, to the byte, and whether it fits: before anything is sent.

Sizes on the command line are bytes, with K or M for 2**10 and 2**20 of them. The parts of a task's `mem`
travel as labels: mma.stack, mma.memory, mma.log (docs/tasks.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from console.cluster.mesos import Range, Resources, mem_scalar
from console.errors import UsageError
from hal.target import Budget

LABELS = ("stack", "memory", "log")

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKmM]?)(?:i?[bB])?")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20}


def parse_size(text: str) -> int:
    """`8192`, `8K`, `0.5M` as bytes. UsageError for anything else."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a size.", remedy="Write bytes such as 8192, or 8K, or 0.5M.")
    size = float(match[1]) * _UNITS[match[2].lower()]
    if size != int(size) or size < 1:
        raise UsageError(f"{text!r} is not a whole number of bytes.")
    return int(size)


def parse_pins(text: str) -> tuple[Range, ...]:
    """`12`, `0-3` or `0-3,12` as inclusive ranges. UsageError for anything else."""
    ranges: list[Range] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"{text!r} names no pins.", remedy="Write pins such as 12 or 0-3,12.")
        pair = (int(first), int(last or first))
        if pair[0] > pair[1]:
            raise UsageError(f"{part.strip()!r} ends before it begins.")
        ranges.append(pair)
    return tuple(sorted(ranges))


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person asked for; sizes in bytes, None where it is left to the target."""

    mem: int | None = None
    cpus: float = 0.1
    stack: int | None = None
    memory: int | None = None
    log: int | None = None
    gpio: tuple[Range, ...] = ()
    sensors: frozenset[str] = frozenset()

    def resources(self) -> Resources:
        """As a Mesos task's resources."""
        scalars = {"cpus": round(self.cpus, 3)}
        if self.mem is not None:
            scalars["mem"] = mem_scalar(self.mem)
        ranges = {"gpio": self.gpio} if self.gpio else {}
        sets = {"sensors": self.sensors} if self.sensors else {}
        return Resources(scalars, ranges, sets)

    def budget(self) -> Budget:
        """As a target takes it."""
        return Budget(self.mem, self.cpus, self.stack, self.memory, self.log)

    def labels(self) -> dict[str, str]:
        """The parts that were said, as the labels of the task."""
        parts = {"stack": self.stack, "memory": self.memory, "log": self.log}
        return {f"mma.{name}": str(size) for name, size in parts.items() if size is not None}


def parse_ask(
    *,
    mem: str | None,
    cpus: float,
    stack: str | None,
    memory: str | None,
    log: str | None,
    gpio: str | None,
    sensors: Iterable[str],
) -> Ask:
    """From the words of a command line or a dialog. UsageError says which is wrong."""
    if not 0.001 <= cpus <= 1:
        raise UsageError(f"{cpus:g} is no share of a core.", remedy="Write a number from 0.001 to 1.")
    return Ask(
        mem=None if mem is None else parse_size(mem),
        cpus=cpus,
        stack=None if stack is None else parse_size(stack),
        memory=None if memory is None else parse_size(memory),
        log=None if log is None else parse_size(log),
        gpio=parse_pins(gpio) if gpio else (),
        sensors=frozenset(name for text in sensors for name in text.replace(",", " ").split()),
    )
