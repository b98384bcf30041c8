"""Splits a task's memory into the parts of its executor, to the byte."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hal.errors import BudgetError
from hal.target import MEBIBYTE, Budget

STEP = MEBIBYTE / 1000
"""Bytes of Mesos's smallest step of `mem`: 0.001 MB."""


TABLE_NAME = "budget.txt"
"""The file of an executor that has Parts.table()."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What an executor needs of each part, in bytes, on one target."""

    code: int
    stack: int
    """When the budget does not say."""
    least_stack: int
    memory: int
    """Linear memory that it surely uses."""
    instance: int = 0
    """State beside linear memory that counts as memory."""
    log: int = 512
    result: int = 256
    roomy_log: int = 0
    roomy_result: int = 0
    """What these two are where a total that was given has room for it."""
    alignment: int = 1
    """Every part is a multiple of this."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Bytes of each part. `memory` includes the `instance` bytes; `linear` is what the guest addresses."""

    code: int
    stack: int
    memory: int
    linear: int
    log: int
    result: int

    @property
    def total(self) -> int:
        """What the executor takes in all."""
        return self.code + self.stack + self.memory + self.log + self.result

    def table(self) -> str:
        """All of it in lines, for a person."""
        rows = (
            ("code", self.code, "code, constants and arguments"),
            ("stack", self.stack, ""),
            ("memory", self.memory, f"of which {self.linear} are the guest's linear memory"),
            ("log", self.log, "ring buffer of its log"),
            ("result", self.result, "what mma_result() publishes"),
            ("total", self.total, ""),
        )
        return "".join(f"{name:<8} {size:>11}  {note}".rstrip() + "\n" for name, size, note in rows)


def split(budget: Budget, needs: Needs) -> Parts:
    """The parts of an executor. Memory gets what the others leave of `total`, unless it is given.

    Without a `total` it is the least that will do, rounded up to Mesos's step of 0.001 MB.
    BudgetError where it does not fit, with the bytes missing and the part.
    """

    def up(value: int) -> int:
        return -(-value // needs.alignment) * needs.alignment

    code, result = up(needs.code), up(needs.result)
    stack = up(needs.stack if budget.stack is None else budget.stack)
    log = up(needs.log if budget.log is None else max(0, budget.log))
    if stack < needs.least_stack:
        raise BudgetError(
            f"A stack of {stack} bytes is too small: this target's least is {needs.least_stack}.",
            missing=needs.least_stack - stack,
            where="stack",
        )
    if budget.memory is not None and budget.memory < needs.memory:
        raise BudgetError(
            f"{budget.memory} bytes of linear memory are too few: the module's data reaches {needs.memory}.",
            missing=needs.memory - budget.memory,
            where="memory",
        )
    total = budget.total
    linear = needs.memory if budget.memory is None else budget.memory
    least = code + stack + log + result + up(linear + needs.instance)
    if total is not None:
        spare = (total - least) // needs.alignment * needs.alignment
        if budget.log is None:
            more = max(0, min(up(needs.roomy_log) - log, spare))
            log, spare = log + more, spare - more
        result += max(0, min(up(needs.roomy_result) - result, spare))
    others = code + stack + log + result
    least = others + up(linear + needs.instance)
    if total is None:
        total = math.floor(math.ceil(least / STEP) * STEP)
    if total < least:
        missing = least - total
        raise BudgetError(
            f"{total} bytes are not enough: code takes {code}, stack {stack}, log {log}, result {result} and "
            f"memory {least - others}, {least} in all.",
            missing=missing,
            where="memory" if others <= total else "code",
            remedy=f"Give the task mem {math.ceil(least / STEP) / 1000:.3f}, or less stack or log by labels.",
        )
    memory = (total - others) // needs.alignment * needs.alignment
    if budget.memory is not None:
        memory = up(linear + needs.instance)
    return Parts(code, stack, memory, min(memory - needs.instance, 0xFFFF_FFFF), log, result)
