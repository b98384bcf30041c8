"""Bounds checks as C: one for several accesses, and those whose address partly stays the same in a loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hal.aot.instructions import LOOP
from hal.aot.values import TOP, Frame, Value


@dataclass(frozen=True, slots=True)
class Sum:
    """An address in a loop as C: what stays the same in it, plus what does not."""

    base: str
    index: str
    scaled: tuple[str, int] | None
    """The index is the one, shifted by the other."""

    def check(self, far: int, size: int, otherwise: str) -> str:
        """A check of so many bytes, `far` from it on: how large the index may be is found before the loop.
        `otherwise` tells what to do about one that may be too large."""
        base = f"{self.base} + {far}u" if far else self.base
        if self.scaled:
            index, shift = self.scaled
            return f"if (MMA_PAST_SCALED({base}, {index}, {shift}, {size}u)) {{ {otherwise} }}"
        return f"if (MMA_PAST({base}, {self.index}, {size}u)) {{ {otherwise} }}"

    def alone(self, far: int, size: int) -> str | None:
        """The same for one access. What it computes is not needed elsewhere: so clang shares no register."""
        if not self.scaled:
            return None
        base = f"{self.base} + {far}u" if far else self.base
        index, shift = self.scaled
        return self.check(far, size, f"MMA_CHECK_SCALED({base}, {index}, {shift}, {size}u);")


@dataclass(slots=True)
class CheckGroup:
    """One bounds check for several accesses at constant distances, placed before the first of them.

    It compares once, for the whole stretch. Should that fail, as it also does where only the stretch wraps
    around, it checks one after the other in the program's order, so that a trap is a trap. That may come
    early: only what nobody can observe lies in between.
    """

    text: str
    first: int
    """Displacement of what `text` names."""
    parts: list[tuple[int, int]]
    """(displacement, end): bytes from there on, so many."""
    sum: Sum | None = None
    """What the root is."""

    def add(self, displacement: int, end: int, least: int) -> bool:
        """Take one more into it; False if the stretch would be too long."""
        low = min(displacement, *(place for place, _ in self.parts))
        high = max(displacement + end, *(place + size for place, size in self.parts))
        if high - low > least:
            return False
        self.parts.append((displacement, end))
        return True

    def c(self, least: int) -> str:
        """As C statements."""
        checks = [self._one(displacement, end, least) for displacement, end in self.parts]
        low = min(displacement for displacement, _ in self.parts)
        size = max(displacement + end for displacement, end in self.parts) - low
        if self.sum and size <= least:
            alone = self.sum.alone(low & TOP, size) if len(checks) == 1 else None
            return alone or self.sum.check(low & TOP, size, " ".join(checks))
        if len(checks) == 1:
            return checks[0]
        return f"if (MMA_OUTSIDE({self._at(low)}, {size}u)) {{ {' '.join(checks)} }}"

    def _one(self, displacement: int, end: int, least: int) -> str:
        return f"{'MMA_CHECK' if end <= least else 'MMA_CHECK_FAR'}({self._at(displacement)}, {end}u);"

    def _at(self, displacement: int) -> str:
        far = (displacement - self.first) & TOP
        return f"({self.text} + {far}u)" if far else self.text


def apart(address: Value, frames: Sequence[Frame], locals_: Sequence[Value]) -> Sum | None:
    """An address, or what is its root, as a sum of which one part stays the same in the loop around, if that
    is one that has none in it. Only where memory does not grow: its limit would not stay the same."""

    def still(value: Value) -> bool:
        """Whether its text still names it."""
        return value.local is None or locals_[value.local].id == value.id

    loop = next((frame for frame in reversed(frames) if frame.kind == LOOP), None)
    if not loop or not loop.flat or not address.parts or not all(map(still, address.parts)):
        return None
    for base, index in (address.parts, address.parts[::-1]):
        if base.local is not None and base.local not in loop.assigned:
            known = index.scaled if index.scaled and still(index.scaled[0]) else None
            return Sum(base.text, index.text, (known[0].text, known[1]) if known else None)
    return None
