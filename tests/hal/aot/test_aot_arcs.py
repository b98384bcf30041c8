"""Sets of values must hold every result that there can be: drawn sets and members against the arithmetic."""

from __future__ import annotations

import operator

from hypothesis import given, settings
from hypothesis import strategies as st

from hal.aot.arcs import ALL, MOST, WORLD, Arc, arc, bounds, compute, join, meet, one, span, widen, without

EDGES = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    255,
    256,
    0x7FFFFFFE,
    0x7FFFFFFF,
    0x80000000,
    0x80000001,
    MOST - 3,
    MOST - 1,
    MOST,
]
numbers = st.sampled_from(EDGES) | st.integers(0, MOST) | st.integers(0, 40)


@st.composite
def arcs(draw: st.DrawFn) -> tuple[Arc, int]:
    """An arc and one of its members."""
    made = arc(draw(numbers), draw(numbers | st.just(WORLD)), draw(st.integers(0, 31) | st.integers(0, 4)))
    steps = made.size >> made.bits
    step = draw(st.sampled_from([0, steps]) | st.integers(0, steps))
    return made, (made.lo + (step << made.bits)) & MOST


def holds(made: Arc, number: int) -> bool:
    return made.holds(one(number))


def signed(number: int) -> int:
    return number - WORLD if number >> 31 else number


ARITHMETIC = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "shl": lambda a, b: a << (b & 31),
    "shr_u": lambda a, b: a >> (b & 31),
    "shr_s": lambda a, b: signed(a) >> (b & 31),
    "div_u": lambda a, b: a // b if b else 0,
    "rem_u": lambda a, b: a % b if b else 0,
    "rotl": lambda a, b: (a << (b & 31) | a >> (32 - (b & 31))) & MOST,
}
COMPARE = {"lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge}


@settings(max_examples=3000, deadline=None)
@given(name=st.sampled_from(sorted(ARITHMETIC)), first=arcs(), second=arcs())
def test_a_result_lies_in_the_computed_set(
    name: str, first: tuple[Arc, int], second: tuple[Arc, int]
) -> None:
    (a, x), (b, y) = first, second
    if name in ("div_u", "rem_u") and y == 0:
        return  # a trap: there is no result
    assert holds(compute(name, a, b), ARITHMETIC[name](x, y) & MOST)


@settings(max_examples=2000, deadline=None)
@given(first=arcs(), second=arcs(), stops=st.lists(numbers, max_size=4))
def test_sets_hold_what_they_are_made_of(
    first: tuple[Arc, int], second: tuple[Arc, int], stops: list[int]
) -> None:
    (a, x), (b, y) = first, second
    assert holds(a, x)
    low, high = a.unsigned()
    assert low <= x <= high
    low, high = a.signed()
    assert low <= signed(x) <= high
    both = join(a, b)
    assert both.holds(a)
    assert both.holds(b)
    assert widen(a, both, stops).holds(both)
    if holds(b, x):
        shared = meet(a, b)
        assert shared is not None
        assert holds(shared, x)
    if x != y:
        rest = without(a, y)
        assert rest is not None
        assert holds(rest, x)
    assert a.turn(y).holds(one(x + y))
    assert ALL.holds(a)


@settings(max_examples=2000, deadline=None)
@given(name=st.sampled_from(sorted(COMPARE)), sign=st.booleans(), x=numbers, second=arcs())
def test_a_compare_bounds_its_operand(name: str, sign: bool, x: int, second: tuple[Arc, int]) -> None:
    b, y = second
    true = COMPARE[name](signed(x), signed(y)) if sign else COMPARE[name](x, y)
    if true:
        found = bounds(f"{name}_{'s' if sign else 'u'}", b)
        assert found is not None
        assert holds(found, x)


def test_small_sets_are_exact() -> None:
    index = compute("shl", span(0, 511), one(2))
    assert index == Arc(0, 2044, 2)
    assert compute("or", index, one(1)) == Arc(1, 2044, 2)
    assert compute("add", one(MOST - 7), span(0, 8)) == Arc(MOST - 7, 8, 0)
    assert compute("add", one(MOST - 7), span(0, 8)).unsigned() == (0, MOST)
    assert compute("add", one(MOST - 7), span(0, 8)).signed() == (-8, 0)
    assert compute("and", ALL, one(60)) == Arc(0, 60, 2)
    assert meet(span(0, 100), bounds("lt_u", one(7)) or ALL) == span(0, 6)
    assert without(Arc(0, 96, 2), 96) == Arc(0, 92, 2)
    assert join(span(0, 8, 3), one(16)) == Arc(0, 16, 3)
    assert widen(one(511), span(510, 511), [0, 2, 512]) == span(2, 511)
