"""Loops whose bounds checks can all be made before them, at once.

They count a number of turns that is known here, are left at their end only, and do nothing that anybody could
observe but trap: they load and compute, as sums of products do. Each address goes on by a constant with every
turn, so what a load touches in all turns is one stretch of memory that begins where the first turn's does.

If every stretch lies in memory, no load can trap. If one does not, some load traps for certain: its first or
last turn is an end of the stretch, and nothing keeps the loop from getting there. So to trap at once is the
same to all who watch; which trap it is, the first load that fails decides (`Stretch.walk`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hal.aot.arcs import MOST
from hal.aot.instructions import (
    ACCESS,
    BR_IF,
    END,
    GLOBAL_GET,
    LOCAL_GET,
    LOCAL_SET,
    LOCAL_TEE,
    NUMERIC,
    Instruction,
)
from hal.aot.values import Value

MOST_INSTRUCTIONS = 200
"""Longer loops gain nothing."""
NE = 0x47
"""i32.ne"""


@dataclass(frozen=True, slots=True)
class Linear:
    """A sum of locals, as they are when a turn begins, times constants."""

    terms: tuple[tuple[int, int], ...]
    """(local, factor), by local; no factor is 0."""
    constant: int

    def plus(self, other: Linear, factor: int = 1) -> Linear:
        """With another one so many times."""
        terms = dict(self.terms)
        for local, times in other.terms:
            terms[local] = signed(terms.get(local, 0) + factor * times)
        kept = tuple(sorted((local, times) for local, times in terms.items() if times))
        return Linear(kept, signed(self.constant + factor * other.constant))

    def times(self, factor: int) -> Linear:
        """So many times."""
        return Linear((), 0).plus(self, factor)

    def step(self, steps: dict[int, int | None]) -> int | None:
        """What it gains with every turn; None if that is not always the same."""
        total = 0
        for local, times in self.terms:
            one = steps.get(local, 0)
            if one is None:
                return None
            total += times * one
        return signed(total)

    def c(self) -> str:
        """As C, before the loop."""
        parts = [f"l{local}" if times == 1 else f"{times & MOST}u * l{local}" for local, times in self.terms]
        return f"({' + '.join([*parts, f'{self.constant & MOST}u'])})"


@dataclass(frozen=True, slots=True)
class Load:
    """A load of the loop."""

    at: int
    address: Linear
    step: int
    end: int
    """Bytes from the address on, offset and width."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What loads of one step touch in all turns."""

    begin: Linear
    size: int


@dataclass(frozen=True, slots=True)
class Hoisted:
    """The checks before a loop."""

    loads: tuple[Load, ...]
    stretches: tuple[Stretch, ...]

    def c(self, *, one_trap: bool) -> str:
        """As a C statement. With `one_trap` there is but one kind that an access ends in."""
        outside = " || ".join(f"MMA_OUTSIDE({one.begin.c()}, {one.size}u)" for one in self.stretches)
        return f"if ({outside}) {{ {'MMA_TRAP(MEMORY);' if one_trap else self._walk()} }}"

    def _walk(self) -> str:
        """Only the addresses, turn by turn in the program's order, up to the one that traps."""
        checks = [
            f"MMA_CHECK({one.address.c()} + turn * {one.step & MOST}u, {one.end}u);" for one in self.loads
        ]
        return f"for (u32 turn = 0;; turn++) {{ {' '.join(checks)} }}"


def hoist(
    body: Sequence[Instruction], at: int, locals_: Sequence[Value], least: int, proven: set[int]
) -> Hoisted | None:
    """The checks to be made before the loop at a place, and the loads they are for; None if it is no such
    loop. `locals_` are what is known where it begins, `proven` loads that need no check."""
    walk = _Turn(body, at)
    if not walk.plain:
        return None
    turns = _turns(walk, locals_)
    if turns is None:
        return None
    loads = []
    for place, address, end in walk.loads:
        if place in proven:
            continue
        step = address.step(walk.steps) if address else None
        if address is not None and step is not None and abs(step) * (turns - 1) + end <= least:
            loads.append(Load(place, address, step, end))
        else:
            return None  # one that could trap before the others
    stretches: dict[tuple[object, int], tuple[Linear, int]] = {}
    for one in loads:
        begin = one.address.plus(Linear((), min(0, one.step * (turns - 1))))
        size = abs(one.step) * (turns - 1) + one.end
        other, other_size = stretches.get((begin.terms, one.step), (begin, size))
        low = min(begin.constant, other.constant)
        high = max(begin.constant + size, other.constant + other_size)
        if high - low > least:
            return None
        stretches[begin.terms, one.step] = (Linear(begin.terms, low), high - low)
    if not loads:
        return None
    return Hoisted(tuple(loads), tuple(Stretch(*one) for one in stretches.values()))


class _Turn:
    """One turn of a loop in symbols. `plain` tells whether it could be followed."""

    def __init__(self, body: Sequence[Instruction], at: int) -> None:
        self.stack: list[Linear | None] = []
        self.now: dict[int, Linear | None] = {}
        self.loads: list[tuple[int, Linear | None, int]] = []
        self.difference: Linear | None = None
        """Of what was compared last."""
        self.going_on: Linear | None = None
        """Not 0 as long as the loop goes on."""
        self.steps: dict[int, int | None] = {}
        """What locals gain with it; None where that is not always the same."""
        block = body[at].block
        self.plain = not (block and (block.parameters or block.results)) and self._follow(body, at + 1)

    def _follow(self, body: Sequence[Instruction], at: int) -> bool:
        for place in range(at, min(at + MOST_INSTRUCTIONS, len(body))):
            one = body[place]
            if one.code == BR_IF:
                if one.a != 0 or body[place + 1].code != END or not self.stack:
                    return False
                self.going_on = self.difference if body[place - 1].code == NE else self.stack[-1]
                for local, value in self.now.items():
                    gained = value.plus(Linear(((local, 1),), 0), -1) if value else None
                    self.steps[local] = gained.constant if gained and not gained.terms else None
                return True
            if not self._one(place, one):
                return False
        return False

    def _one(self, place: int, one: Instruction) -> bool:
        code, stack = one.code, self.stack
        if code == LOCAL_GET:
            stack.append(self.now.get(one.a, Linear(((one.a, 1),), 0)))
        elif code in (LOCAL_SET, LOCAL_TEE):
            self.now[one.a] = stack[-1]
            if code == LOCAL_SET:
                stack.pop()
        elif code == 0x41:
            stack.append(Linear((), signed(one.a)))
        elif code in (0x42, 0x43, 0x44, GLOBAL_GET):
            stack.append(None)
        elif code in ACCESS and not ACCESS[code].store:
            self.loads.append((place, stack.pop(), one.b + ACCESS[code].width))
            stack.append(None)
        elif code in NUMERIC and not NUMERIC[code].traps:
            values = [stack.pop() for _ in NUMERIC[code].operands][::-1]
            if code == NE:
                self.difference = _compute("i32.sub", values)
            stack.append(_compute(NUMERIC[code].name, values))
        elif code == 0x1A:
            stack.pop()
        elif code == 0x1B:
            del stack[-2:]
            stack[-1] = None
        else:
            return code == 0x01
        return True


def _compute(name: str, values: list[Linear | None]) -> Linear | None:
    if len(values) != 2:
        return None
    a, b = values
    if a is None or b is None:
        return None
    if name == "i32.add":
        return a.plus(b)
    if name == "i32.sub":
        return a.plus(b, -1)
    if name == "i32.mul" and not (a.terms and b.terms):
        return a.times(b.constant) if not b.terms else b.times(a.constant)
    if name == "i32.shl" and not b.terms:
        return a.times(1 << (b.constant & 31))
    return None


def _turns(walk: _Turn, locals_: Sequence[Value]) -> int | None:
    """How often the loop's body runs: it goes on while a number, which changes by a constant, is not 0."""
    left = walk.going_on
    step = left.step(walk.steps) if left else None
    if left is None or not step:
        return None
    roots: dict[int, int] = {}
    begin = left.constant
    for local, times in left.terms:
        value = locals_[local]
        if value.number is not None:
            begin += times * value.number
        else:
            roots[value.root] = roots.get(value.root, 0) + times
            begin += times * value.displacement
    begin = signed(begin)
    if any(times & MOST for times in roots.values()) or -begin % step or -begin // step < 0:
        return None
    return -begin // step + 1


def signed(number: int) -> int:
    """Modulo 2**32, from -2**31 on."""
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)
