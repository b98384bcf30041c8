"""Sets of i32 values: arcs on the circle of the numbers modulo 2**32, and what their lowest bits are.

An arc begins anywhere and may run past 2**32 - 1 to 0: so it holds signed ranges and unsigned ones alike, and
adding a constant only turns it. Every operation gives a set that holds all results that there can be; where
one arc can't say it, a larger one does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

WORLD = 1 << 32
MOST = WORLD - 1


class Arc(NamedTuple):
    """The numbers lo, lo + 2**bits, ... lo + size, modulo 2**32. `size` is a multiple of 2**bits; one number
    alone has 32 bits, all others fewer."""

    lo: int
    size: int
    bits: int

    @property
    def hi(self) -> int:
        """Where it ends."""
        return (self.lo + self.size) & MOST

    @property
    def number(self) -> int | None:
        """The only number in it."""
        return None if self.size else self.lo

    @property
    def zeros(self) -> int:
        """How many of the lowest bits are zero in all of it."""
        return min(self.bits, trailing(self.lo))

    def unsigned(self) -> tuple[int, int]:
        """Its least and its largest number."""
        if self.lo + self.size <= MOST:
            return self.lo, self.lo + self.size
        rest = self.lo & ((1 << self.bits) - 1)
        return rest, WORLD - (1 << self.bits) + rest

    def signed(self) -> tuple[int, int]:
        """The same, read as signed numbers."""
        low, high = Arc((self.lo + (1 << 31)) & MOST, self.size, self.bits).unsigned()
        return low - (1 << 31), high - (1 << 31)

    def turn(self, by: int) -> Arc:
        """All plus a number."""
        return Arc((self.lo + by) & MOST, self.size, self.bits)

    def holds(self, other: Arc) -> bool:
        """Whether all of another is in it."""
        begin, step = (other.lo - self.lo) & MOST, 1 << self.bits
        around = self.size >= WORLD - step
        same = self.bits <= other.bits and not begin & (step - 1)
        return same and (around or begin + other.size <= self.size)


def trailing(number: int) -> int:
    """How many of the lowest bits are zero, at most 32."""
    return (number & -number).bit_length() - 1 if number & MOST else 32


def arc(lo: int, size: int, bits: int = 0) -> Arc:
    """From `lo` on so far; all that end in the same bits where that is once around."""
    if size == 0:
        return Arc(lo & MOST, 0, 32)
    step = 1 << bits
    if size >= WORLD - step:
        return Arc(lo & (step - 1), WORLD - step, bits) if bits < 32 else Arc(lo & MOST, 0, 32)
    size &= -step
    return Arc(lo & MOST, size, bits if size else 32)


def span(low: int, high: int, bits: int = 0, rest: int = 0) -> Arc:
    """The numbers from `low` to `high` that end in the lowest `bits` of `rest`."""
    step = 1 << bits
    low += (rest - low) & (step - 1)
    high -= (high - rest) & (step - 1)
    return arc(low, high - low, bits) if low <= high else arc(rest, WORLD, bits)


ALL = arc(0, WORLD)
FLAG = span(0, 1)


def one(number: int) -> Arc:
    """A number alone."""
    return Arc(number & MOST, 0, 32)


def join(a: Arc, b: Arc) -> Arc:
    """Both: the shorter of the two ways around."""
    bits = min(a.bits, b.bits, trailing(a.lo - b.lo))
    first = max(a.size, ((b.lo - a.lo) & MOST) + b.size)
    second = max(b.size, ((a.lo - b.lo) & MOST) + a.size)
    return arc(a.lo, first, bits) if first <= second else arc(b.lo, second, bits)


def meet(a: Arc, b: Arc) -> Arc | None:
    """What is in both, or more where that is no arc; None if there is nothing."""
    begin = (b.lo - a.lo) & MOST
    end = begin + b.size
    if begin <= a.size:
        if end >= WORLD:  # it comes around to a's beginning: two pieces
            return a if a.size <= b.size else b
        low, high = begin, min(a.size, end)
    elif end >= WORLD:
        low, high = 0, min(a.size, end - WORLD)
    else:
        return None
    step = 1 << a.bits
    low, high = -(-low // step) * step, high // step * step
    return arc(a.lo + low, high - low, a.bits) if low <= high else None


def without(a: Arc, number: int) -> Arc | None:
    """All but one number, where that is at an end."""
    step = 1 << a.bits
    if a.size == 0:
        return None if a.lo == number else a
    if number == a.lo:
        return arc(a.lo + step, a.size - step, a.bits)
    return arc(a.lo, a.size - step, a.bits) if number == a.hi else a


def widen(old: Arc, new: Arc, stops: Iterable[int]) -> Arc:
    """`new`, which holds `old`, moved on to the next stop wherever it grew: so that growing ends."""
    down = (old.lo - new.lo) & MOST
    up = new.size - old.size - down
    if up < 0:  # it went around
        return arc(new.lo, WORLD, new.bits)
    if down:
        down = min((far for stop in stops if (far := (old.lo - stop) & MOST) >= down), default=MOST)
    if up:
        up = min((far for stop in stops if (far := (stop - old.hi) & MOST) >= up), default=MOST)
    step = 1 << new.bits
    lo = old.lo - down // step * step
    return arc(lo, down // step * step + old.size + up, new.bits)


def compute(name: str, a: Arc, b: Arc) -> Arc:
    """The result of an i32 instruction of two operands."""
    match name:
        case "add":
            return arc(a.lo + b.lo, a.size + b.size, min(a.bits, b.bits))
        case "sub":
            return arc(a.lo - b.lo - b.size, a.size + b.size, min(a.bits, b.bits))
        case "mul":
            return _multiply(a, b)
        case "shl" if b.number is not None:
            return _multiply(a, one(1 << (b.number & 31)))
        case "shr_u" | "shr_s" if b.number is not None:
            count = b.number & 31
            low, high = a.unsigned() if name == "shr_u" else a.signed()
            return arc(low >> count, (high >> count) - (low >> count), max(0, min(a.bits, 31) - count))
        case "and":
            bits, rest = max((min(a.bits, b.bits), a.lo & b.lo), (a.zeros, 0), (b.zeros, 0))
            return span(0, min(a.unsigned()[1], b.unsigned()[1]), bits, rest)
        case "or" | "xor":
            if apart(a, b):
                return compute("add", a, b)
            most = (1 << max(a.unsigned()[1], b.unsigned()[1]).bit_length()) - 1
            rest = a.lo | b.lo if name == "or" else a.lo ^ b.lo
            low = max(a.unsigned()[0], b.unsigned()[0]) if name == "or" else 0
            return span(low, most, min(a.bits, b.bits), rest)
        case "div_u" if b.number:
            low, high = a.unsigned()
            return span(low // b.number, high // b.number)
        case "div_u":
            return span(0, a.unsigned()[1])
        case "rem_u" if b.number:
            return a if a.unsigned()[1] < b.number else span(0, b.number - 1)
        case "rem_u":
            return span(0, min(a.unsigned()[1], b.unsigned()[1]))
    return ALL


def apart(a: Arc, b: Arc) -> bool:
    """Whether no bit is set in both: or, xor and add are the same then."""
    return a.unsigned()[1] < 1 << b.zeros or b.unsigned()[1] < 1 << a.zeros


def _multiply(a: Arc, b: Arc) -> Arc:
    if a.number is not None:
        a, b = b, a
    factor = b.number
    if factor == 0:
        return one(0)
    if factor is not None:
        return arc(a.lo * factor, a.size * factor, min(32, a.bits + trailing(factor)))
    (low, high), (other_low, other_high) = a.unsigned(), b.unsigned()
    bits = min(31, a.zeros + b.zeros)
    return (
        span(low * other_low, high * other_high, bits) if high * other_high <= MOST else arc(0, WORLD, bits)
    )


def bounds(name: str, other: Arc) -> Arc | None:
    """What x is if `x name other` holds, for one of the ten compares; None if it can't."""
    low, high = other.signed() if name.endswith("_s") else other.unsigned()
    least, most = (-(1 << 31), (1 << 31) - 1) if name.endswith("_s") else (0, MOST)
    match name[:2]:
        case "eq":
            return other
        case "lt":
            return span(least, high - 1) if high > least else None
        case "le":
            return span(least, high)
        case "gt":
            return span(low + 1, most) if low < most else None
        case "ge":
            return span(low, most)
    return ALL
