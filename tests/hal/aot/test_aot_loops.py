"""Checks made before a loop: drawn loops of loads must end as a plain model of them says, traps and all."""

from __future__ import annotations

from dataclasses import dataclass

import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from native import Native, TrapError

from hal.abi import Trap
from hal.aot.binary import read
from hal.aot.instructions import LOOP, decode
from hal.aot.loops import hoist
from hal.aot.shared import SURE
from hal.aot.values import Value

WIDTHS = {"load8_u": 1, "load16_u": 2, "load": 4}
LOOPS = 4


@dataclass(frozen=True)
class Walk:
    """One pointer of a loop: it starts at an argument and goes on by a step."""

    load: str
    offset: int
    step: int
    indexed: bool
    """It is the argument plus the loop's counter times `step`, not a local of its own."""


@dataclass(frozen=True)
class Loop:
    walks: tuple[Walk, ...]
    turns: int
    down: bool

    def wat(self, name: str) -> str:
        first = (self.turns - 1) * 3 if self.down else 0
        last, step = (-3, -3) if self.down else (self.turns * 3, 3)
        body, steps = "", ""
        for number, walk in enumerate(self.walks):
            at = f"(local.get {number})"
            if walk.indexed:
                at = f"(i32.add {at} (i32.mul (local.get 3) (i32.const {walk.step})))"
            else:
                steps += f"(local.set {number} (i32.add (local.get {number}) (i32.const {walk.step})))"
            load = f"(i32.{walk.load} offset={walk.offset} {at})"
            body += f"(local.set 2 (i32.add (i32.mul (local.get 2) (i32.const 31)) {load}))"
        count = f"(local.tee 3 (i32.add (local.get 3) (i32.const {step})))"
        again = f"(br_if 0 (i32.ne {count} (i32.const {last})))"
        return f"""(func (export "{name}") (param i32 i32) (result i32) (local i32 i32)
          (local.set 3 (i32.const {first})) (loop {body} {steps} {again}) (local.get 2))"""

    def run(self, memory: bytes, declared: int, pointers: tuple[int, int]) -> int | Trap:
        """What it returns, or the trap that it ends in."""
        at, total = list(pointers), 0
        counter = (self.turns - 1) * 3 if self.down else 0
        for _ in range(self.turns):
            for number, walk in enumerate(self.walks):
                base = at[number] + (counter * walk.step if walk.indexed else 0)
                place, width = (base & 0xFFFFFFFF) + walk.offset, WIDTHS[walk.load]
                if place + width > len(memory):
                    return Trap.BUDGET if place + width <= declared else Trap.MEMORY
                value = int.from_bytes(memory[place : place + width], "little")
                total = (total * 31 + value) & 0xFFFFFFFF
                if not walk.indexed:
                    at[number] += walk.step
            counter += -3 if self.down else 3
        return total


walks = st.builds(
    Walk,
    st.sampled_from(sorted(WIDTHS)),
    st.sampled_from([0, 0, 1, 4, 20]),
    st.sampled_from([0, 1, 2, 4, 4, 12, -1, -4]),
    st.booleans(),
)
loops = st.builds(Loop, st.lists(walks, min_size=1, max_size=2).map(tuple), st.integers(1, 6), st.booleans())


def pointers(end: int) -> list[int]:
    """Around where memory begins and ends."""
    near = range(-9, 3, 2)
    far = [
        end - 60,
        end - 24,
        *(end + n for n in near),
        *(n & 0xFFFFFFFF for n in (0, 8, 70, -1, -3, -24, -70)),
    ]
    return [*far, 0x80000000, 65536 - 24, 65532, 65534, 65536]


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=st.lists(loops, min_size=LOOPS, max_size=LOOPS), page=st.sampled_from([1, 65536]))
def test_loops_end_as_they_would_turn_by_turn(drawn: list[Loop], page: int) -> None:
    size = 600
    memory = f"(memory {size} (pagesize 1))" if page == 1 else "(memory 1)"
    data = bytes((n * 37 + 11) & 0xFF for n in range(200))
    text = "".join(f"\\{one:02x}" for one in data)
    functions = "".join(loop.wat(f"f{number}") for number, loop in enumerate(drawn))
    module = bytes(wasmtime.wat2wasm(f'(module {memory} (data (i32.const 380) "{text}") {functions})'))
    with Native(module, memory=size) as native:
        contents = native.read(0, size)
        for number, loop in enumerate(drawn):
            for first in pointers(size):
                for second in (first, 40, size - 8):
                    wanted = loop.run(contents, size if page == 1 else 65536, (first, second))
                    got: int | Trap
                    try:
                        (got,) = native.call(f"f{number}", first, second)
                    except TrapError as trap:
                        got = Trap(trap.code)
                    assert got == wanted, (loop, first, second)


def hoisted(body: str, *, first: int = 0) -> list[tuple[str, int]]:
    """Where the checks before the only loop begin, and of how many bytes; local 2 begins as `first`."""
    text = f'(module (memory 1) (func (export "f") (param i32 i32) (local i32 i32) (loop {body})))'
    module = read(bytes(wasmtime.wat2wasm(text)))
    instructions = decode(module, module.codes[0])
    at = next(at for at, one in enumerate(instructions) if one.code == LOOP)
    values = [Value("i32", f"l{n}", n + 1) for n in range(4)]
    values[2] = Value("i32", "0u", 9, number=first)
    found = hoist(instructions, at, values, SURE, set())
    return [(one.begin.c(), one.size) for one in found.stretches] if found else []


COUNT = "(br_if 0 (i32.ne (local.tee 2 (i32.add (local.get 2) (i32.const 4))) (i32.const 40)))"
LOAD = "(drop (i32.load offset=8 (local.get 0)))"
STEP = "(local.set 0 (i32.add (local.get 0) (i32.const 12)))"


def test_a_counted_loop_of_loads_has_its_checks_before_it() -> None:
    assert hoisted(f"{LOAD} {STEP} {COUNT}") == [("(l0 + 0u)", 9 * 12 + 12)]
    indexed = "(drop (i32.load16_u (i32.add (local.get 1) (local.get 2))))"
    assert hoisted(f"{indexed} {COUNT}") == [("(l1 + l2 + 0u)", 9 * 4 + 2)]
    two = f"{LOAD} (drop (i32.load8_u offset=15 (local.get 0)))"
    assert hoisted(f"{two} {STEP} {COUNT}") == [("(l0 + 0u)", 9 * 12 + 16)]


def test_other_loops_keep_theirs_inside() -> None:
    stores = "(i32.store (local.get 1) (i32.const 1))"
    leaves = "(br_if 1 (local.get 1))"
    divides = "(drop (i32.div_u (local.get 1) (local.get 0)))"
    for more in (stores, leaves, divides, "(drop (memory.grow (local.get 1)))"):
        assert hoisted(f"{LOAD} {more} {STEP} {COUNT}") == []
    assert hoisted(f"{LOAD} {STEP} {COUNT}", first=2) == []  # it never hits its end exactly
    assert hoisted(f"{LOAD} {STEP} {COUNT}", first=44) == []  # only once around
    squares = "(local.set 0 (i32.mul (local.get 0) (i32.const 3)))"
    assert hoisted(f"{LOAD} {squares} {COUNT}") == []
    assert hoisted(f"{LOAD} (local.set 0 (i32.load (local.get 0))) {COUNT}") == []
    assert hoisted(f"{LOAD} {STEP} (br_if 0 (local.get 1))") == []
    far = "(drop (i32.load offset=200 (local.get 0)))"
    assert hoisted(f"{far} {STEP} {COUNT}") == []  # a stretch longer than every memory is


def test_the_result_of_a_compare_is_not_taken_for_a_difference() -> None:
    """The counter must be what is compared last."""
    flag = "(local.set 3 (i32.ne (local.get 1) (i32.const 7))) (drop (i32.load8_u (local.get 3)))"
    assert hoisted(f"{flag} {COUNT}") == []
