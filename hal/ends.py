"""The sentences that tell how an executor ended: the same on every target."""

from __future__ import annotations

from collections.abc import Sequence

MOST_CALLERS = 6


def exited(status: int) -> str:
    """It returned or called exit. Success needs no words."""
    return f"The executor exited with status {status}." if status else ""


def killed() -> str:
    """kill() ended it."""
    return "The executor was killed."


def trapped(words: str, function: str | None, place: str, callers: Sequence[str] = ()) -> str:
    """A trap: `out of bounds memory access in function NAME (pc 0x...)`, and who called that.

    `place` may be empty where nobody knows it."""
    where = f" in function {function}" if function else ""
    shown = ", ".join(callers[:MOST_CALLERS]) + (", ..." if len(callers) > MOST_CALLERS else "")
    chain = f", called from {shown}" if shown else ""
    return f"Trap: {words}{where}{f' ({place})' if place else ''}{chain}."


def faulted(words: str, function: str | None, place: str, callers: Sequence[str] = ()) -> str:
    """The hardware caught what the compiled-in checks let through."""
    return trapped(words, function, place, callers).replace("Trap:", "Fault:", 1)
