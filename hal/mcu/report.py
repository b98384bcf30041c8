"""Turns a device's report of an end (X of docs/link.md) into a cause and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from hal import ends
from hal.abi import EndCause, Trap, trap_words
from hal.aot import Image, Symbol
from hal.link import ExecutorState
from hal.mcu.tenant import Tenant
from hal.target import Cause

# Configurable Fault Status Register (ARMv7-M Architecture Reference Manual, B3.2.15)
_CFSR_WORDS = (
    (1 << 0, "a jump out of its code"),
    (1 << 1 | 1 << 7, "an access outside its slot"),
    (1 << 4 | 1 << 12, "a stack overflow"),
    (1 << 8 | 1 << 9 | 1 << 10, "a bus error"),
    (1 << 16, "an undefined instruction"),
    (1 << 17 | 1 << 18 | 1 << 19, "an invalid state of the CPU"),
    (1 << 24, "an unaligned access"),
    (1 << 25, "a division by zero"),
)
_CFSR_STACKING = 1 << 4 | 1 << 12


def cause_of(tenant: Tenant, state: ExecutorState) -> tuple[Cause, int, str]:
    """(cause, status, sentence) of an executor that ended."""
    if state.cause is EndCause.EXIT:
        status = _signed(state.status)
        return Cause.EXITED, status, ends.exited(status)
    if state.cause is EndCause.KILLED:
        return Cause.KILLED, 0, ends.killed()
    function, callers = _chain(tenant.image, state)
    place = f"pc 0x{state.pc:08x}"
    if state.cause is EndCause.TRAP:
        cause = Cause.MEMORY_LIMIT if state.status == Trap.BUDGET else Cause.TRAPPED
        return cause, state.status, ends.trapped(trap_words(state.status), function, place, callers)
    if _overflowed(tenant, state):
        # where the hardware guards the stack there is no compiled-in check; WASM's trap it is all the same
        return Cause.TRAPPED, Trap.STACK, ends.trapped(Trap.STACK.words, function, place, callers)
    words = next((words for bits, words in _CFSR_WORDS if state.status & bits), "a fault")
    words += f" at 0x{state.fault_address:08x}" if state.fault_address else ""
    return Cause.FAULTED, state.status, ends.faulted(words, function, place, callers)


def _overflowed(tenant: Tenant, state: ExecutorState) -> bool:
    """The fault is one of a stack that grew down into the code part below it."""
    if state.status & _CFSR_STACKING:
        return True
    place, parts = tenant.place, tenant.parts
    return place is not None and parts is not None and place.code <= state.fault_address < place.stack


def _chain(image: Image | None, state: ExecutorState) -> tuple[str | None, Sequence[str]]:
    """The function it was in and those that called it, innermost first, as WebAssembly names."""
    if image is None:
        return None, ()
    # a return address lies after its call, where another function may begin already
    addresses = [state.pc, *((address & ~1) - 2 for address in state.calls)]
    symbols = [image.symbolise(address) for address in addresses if address > 0]
    names = [_name(symbol) for symbol in symbols if symbol is not None and symbol.index is not None]
    runs = [(name, len(list(run))) for name, run in groupby(names)]
    if not runs:
        return None, ()
    (function, again), *others = runs
    callers = [function] * (again > 1) + [
        f"{name} ({count} times)" if count > 1 else name for name, count in others
    ]
    return function, callers


def _name(symbol: Symbol) -> str:
    return symbol.name


def _signed(status: int) -> int:
    """A guest's i32 as its language means it."""
    return status - (1 << 32) if status >= 1 << 31 else status
