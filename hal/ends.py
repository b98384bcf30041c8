"""The sentences that tell how an executor ended: the same on every target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

MOST_CALLERS = 6


@dataclass(frozen=True, slots=True)
class Call:
    """One link of a chain of calls."""

    function: str
    """Its WebAssembly name."""
    place: str = ""
    """Where in it: `trap.c:6` where the module carries DWARF, else `wasm 0x4a`, a byte of the module."""


def exited(status: int) -> str:
    """It returned or called exit. Success needs no words."""
    return f"The executor exited with status {status}." if status else ""


def killed() -> str:
    """kill() ended it."""
    return "The executor was killed."


def trapped(words: str, chain: Sequence[Call], pc: str = "") -> str:
    """A trap, short: `out of bounds memory access in function NAME (a.c:3, pc 0x...)`, and who called that.

    `chain` is innermost first, and empty where nobody knows it; so is `pc`, the place in native code."""
    runs = [(call, len(list(run))) for call, run in groupby(chain)]
    if runs and runs[0][1] > 1:  # the first one is told apart
        runs[:1] = [(runs[0][0], 1), (runs[0][0], runs[0][1] - 1)]
    where = f" in function {runs[0][0].function}" if runs else ""
    where += _in_brackets(runs[0][0].place if runs else "", pc)
    callers = [call.function + _in_brackets(call.place, _times(count)) for call, count in runs[1:]]
    shown = ", ".join(callers[:MOST_CALLERS]) + (", ..." if len(callers) > MOST_CALLERS else "")
    return f"Trap: {words}{where}{f', called from {shown}' if shown else ''}."


def faulted(words: str, chain: Sequence[Call], pc: str = "") -> str:
    """The hardware caught what the compiled-in checks let through."""
    return trapped(words, chain, pc).replace("Trap:", "Fault:", 1)


def trace(chain: Sequence[Call], pc: str = "") -> tuple[str, ...]:
    """The whole chain, a line each."""
    return tuple(
        f"#{number} {call.function}{_in_brackets(call.place, '' if number else pc)}"
        for number, call in enumerate(chain)
    )


def _times(count: int) -> str:
    return f"{count} times" if count > 1 else ""


def _in_brackets(*words: str) -> str:
    text = ", ".join(word for word in words if word)
    return f" ({text})" if text else ""
