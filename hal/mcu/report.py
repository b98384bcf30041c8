"""Turns a device's report of an end (X of docs/link.md) into a cause, a sentence and a call chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hal import ends
from hal.abi import EndCause, Trap, trap_words
from hal.aot import Image, Symbol
from hal.aot.frames import Frames
from hal.ends import Call
from hal.link import ExecutorState
from hal.target import Cause


@dataclass(frozen=True, slots=True)
class Report:
    """How an executor ended, as Ended wants it."""

    cause: Cause
    status: int
    message: str
    trace: tuple[str, ...] = ()


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


def report(image: Image | None, state: ExecutorState, isa: str) -> Report:
    """How an executor ended; without its image no function can be named. Blocks: it reads the image's ELF."""
    if state.cause is EndCause.EXIT:
        status = _signed(state.status)
        return Report(Cause.EXITED, status, ends.exited(status))
    if state.cause is EndCause.KILLED:
        return Report(Cause.KILLED, 0, ends.killed())
    chain = _chain(image, state)
    pc = f"pc 0x{state.pc:08x}" if state.pc else ""
    trace = ends.trace(chain, pc)
    if state.cause is EndCause.TRAP:
        cause = Cause.MEMORY_LIMIT if state.status == Trap.BUDGET else Cause.TRAPPED
        return Report(cause, state.status, ends.trapped(trap_words(state.status), chain, pc), trace)
    words = _fault_words(state.status, isa)
    words += f" at 0x{state.fault_address:08x}" if state.fault_address else ""
    return Report(Cause.FAULTED, state.status, ends.faulted(words, chain, pc), trace)


def _fault_words(status: int, isa: str) -> str:
    if isa.startswith("rv"):
        words = _MCAUSE.get(status)
    else:
        words = next((words for mask, words in _CFSR if status & mask), None)
    return words or f"fault status 0x{status:x}"


def _chain(image: Image | None, state: ExecutorState) -> list[Call]:
    """The function it was in and those that called it, innermost first."""
    if image is None:
        return []
    # a return address lies after its call, where another function may begin already
    calls = [address - 1 for address in state.calls if address]
    here = image.symbolise(state.pc)
    if calls and here is not None:
        last = image.symbolise(calls[0])
        if last is not None and last.name == here.name:
            del calls[0]  # the link register, still of a call that has returned (docs/link.md, X)
    frames = Frames(image.elf, image.functions)
    chain = [
        Call(frame.name, str(frame.spot or ""))
        for address in (state.pc, *calls)
        for frame in frames.at(address)
    ]
    return chain or _by_symbols([here, *map(image.symbolise, calls)])


def _by_symbols(symbols: Sequence[Symbol | None]) -> list[Call]:
    """Where there is no DWARF. The executor's start stands for a guest's main inlined into it."""
    names = [symbol.name for symbol in symbols if symbol is not None and symbol.index is not None]
    inlined = any(symbol is not None and symbol.name == START for symbol in symbols)
    if inlined and not {"main", "_start"} & set(names):
        names.append("main")
    return [Call(name) for name in names]


def _signed(status: int) -> int:
    """A guest's i32 as its language means it."""
    return status - (1 << 32) if status >= 1 << 31 else status
