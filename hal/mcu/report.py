"""Turns a device's report of an end (X of docs/link.md) into a cause and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from hal import ends
from hal.abi import EndCause, Trap, trap_words
from hal.aot import Image, Symbol
from hal.link import ExecutorState
from hal.target import Cause

START = "mma_start"
"""Where executors begin (hal.aot)."""

# Configurable Fault Status Register (ARMv7-M Architecture Reference Manual, B3.2.15): masks
_CFSR = (
    (1 << 0, "a jump out of its code"),
    (1 << 1 | 1 << 7, "an access outside its slot"),
    (1 << 4 | 1 << 12, "a stack that left its part"),
    (1 << 8 | 1 << 9 | 1 << 10, "a bus error"),
    (1 << 16, "an undefined instruction"),
    (1 << 17 | 1 << 18 | 1 << 19, "an invalid state of the CPU"),
    (1 << 24, "an unaligned access"),
    (1 << 25, "a division by zero"),
)
# mcause (RISC-V Privileged Architecture, table 14): numbers
_MCAUSE = {
    0: "a misaligned jump",
    1: "a jump out of its code",
    2: "an illegal instruction",
    4: "an unaligned access",
    5: "a read outside its slot",
    6: "an unaligned access",
    7: "a write outside its slot",
}


def cause_of(image: Image | None, state: ExecutorState, isa: str) -> tuple[Cause, int, str]:
    """(cause, status, sentence) of an executor that ended; without its image no function can be named."""
    if state.cause is EndCause.EXIT:
        status = _signed(state.status)
        return Cause.EXITED, status, ends.exited(status)
    if state.cause is EndCause.KILLED:
        return Cause.KILLED, 0, ends.killed()
    function, callers = _chain(image, state)
    place = f"pc 0x{state.pc:08x}" if state.pc else ""
    if state.cause is EndCause.TRAP:
        cause = Cause.MEMORY_LIMIT if state.status == Trap.BUDGET else Cause.TRAPPED
        return cause, state.status, ends.trapped(trap_words(state.status), function, place, callers)
    words = _fault_words(state.status, isa)
    words += f" at 0x{state.fault_address:08x}" if state.fault_address else ""
    return Cause.FAULTED, state.status, ends.faulted(words, function, place, callers)


def _fault_words(status: int, isa: str) -> str:
    if isa.startswith("rv"):
        words = _MCAUSE.get(status)
    else:
        words = next((words for mask, words in _CFSR if status & mask), None)
    return words or f"fault status 0x{status:x}"


def _chain(image: Image | None, state: ExecutorState) -> tuple[str | None, Sequence[str]]:
    """The function it was in and those that called it, innermost first, as WebAssembly names."""
    if image is None:
        return None, ()
    here = image.symbolise(state.pc)
    # a return address lies after its call, where another function may begin already
    calls = [image.symbolise(address - 1) for address in state.calls if address]
    if calls and here is not None and calls[0] is not None and calls[0].name == here.name:
        del calls[0]  # the link register, still of a call that has returned (docs/link.md, X)
    names = _names([here, *calls])
    runs = [(name, len(list(run))) for name, run in groupby(names)]
    if not runs:
        return None, ()
    (function, again), *others = runs
    callers = [_times(function, again - 1)] if again > 1 else []
    return function, [*callers, *(_times(name, count) for name, count in others)]


def _times(name: str, count: int) -> str:
    return f"{name} ({count} times)" if count > 1 else name


def _names(symbols: Sequence[Symbol | None]) -> list[str]:
    """WebAssembly names of functions. The executor's start stands for a guest's main inlined into it."""
    named = [symbol for symbol in symbols if symbol is not None and symbol.index is not None]
    names = [symbol.name for symbol in named]
    inlined = any(symbol is not None and symbol.name == START for symbol in symbols)
    if inlined and not {"main", "_start"} & set(names):
        names.append("main")
    return names


def _signed(status: int) -> int:
    """A guest's i32 as its language means it."""
    return status - (1 << 32) if status >= 1 << 31 else status
