"""Loops over arrays end as they do in wasmtime, at memory's end and around it: results, traps, memory.

The functions drawn go through arrays by indices, as heaps and queues do: base + (index << shift), the bases
and indices being parameters near to the memory's end or so large that sums wrap around.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from native import Native, TrapError

from hal.abi import Trap
from hal.aot.binary import read
from hal.aot.instructions import ACCESS, decode
from hal.aot.ranges import Ranges
from hal.aot.translate import HOSTS, Harness, translate
from hal.aot.values import assigned

SIZE = 65536
FUNCTIONS = 3
TURNS = 5
OUTSIDE = {wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS: Trap.MEMORY}
WHERE = [0, 1, 3, 16, 64, SIZE - 32, SIZE - 16, SIZE - 8, SIZE - 6, SIZE - 4, SIZE - 1, SIZE]
FAR = [
    1 << 14,
    1 << 30,
    (1 << 30) - 2,
    1 << 31,
    (1 << 32) - SIZE,
    (1 << 32) - 64,
    (1 << 32) - 4,
    (1 << 32) - 1,
]
BASES, INDICES = (0, 1), (2, 3, 4)
"""Locals: two bases, which are parameters as the first index is."""
LEFT, SUM = 5, 6
"""Locals: turns that are left, and what all loads add up to."""


@dataclass
class Writer:
    """Draws the body of a function."""

    draw: st.DrawFn

    def pick(self, *items: str) -> str:
        return self.draw(st.sampled_from(items))

    def number(self, most: int) -> int:
        return self.draw(st.integers(0, most))

    def base(self) -> str:
        return f"(local.get {self.draw(st.sampled_from(BASES))})"

    def index(self) -> str:
        return f"(local.get {self.draw(st.sampled_from(INDICES))})"

    def address(self) -> str:
        shift = self.draw(st.sampled_from([0, 1, 2, 2, 2, 3]))
        index = f"(i32.shl {self.index()} (i32.const {shift}))" if shift else self.index()
        parts = [self.base(), index]
        if self.number(3) == 0:
            parts.reverse()
        text = f"(i32.add {' '.join(parts)})"
        more = self.draw(st.sampled_from([0, 0, 0, 0, -4, 1, 4, 8]))
        return f"(i32.add {text} (i32.const {more}))" if more else text

    def access(self) -> str:
        offset = self.draw(st.sampled_from([0, 0, 0, 4, 8]))
        if self.number(2) == 0:
            store = self.pick("store", "store8", "store16")
            return f"(i32.{store} offset={offset} {self.address()} (local.get {SUM}))"
        load = f"(i32.{self.pick('load', 'load', 'load8_u', 'load16_s')} offset={offset} {self.address()})"
        return f"(local.set {SUM} (i32.add (i32.mul (local.get {SUM}) (i32.const 31)) {load}))"

    def step(self) -> str:
        """Let an index be another one."""
        choice = self.number(5)
        if choice == 0:
            value = f"(select {self.index()} {self.index()} (i32.and (local.get {SUM}) (i32.const 1)))"
        elif choice == 1:
            value = f"(i32.or (i32.shl {self.index()} (i32.const 1)) (i32.const 1))"
        elif choice == 2:
            value = f"(i32.const {self.number(3)})"
        elif choice == 3:
            value = f"(i32.add {self.index()} (i32.const {self.draw(st.sampled_from([-1, 1, 2]))}))"
        else:
            value = self.index()
        return f"(local.set {self.draw(st.sampled_from(INDICES))} {value})"

    def statement(self, deep: int) -> str:
        choice = self.number(11)
        if choice < 5:
            return self.access()
        if choice < 8:
            return self.step()
        if choice == 8 and deep:
            odd = f"(i32.and (local.get {SUM}) (i32.const 1))"
            return f"(if {odd} (then {self.some(deep)}) (else {self.some(deep)}))"
        if choice == 9 and deep:
            leave = f"(br_if 0 (i32.lt_u {self.index()} {self.index()}))"
            return f"(block {self.some(deep)} {leave} {self.some(deep)})"
        if choice == 10:
            return f"(local.set {self.draw(st.sampled_from(BASES))} (i32.add {self.base()} (i32.const 4)))"
        return self.loop(deep) if deep else self.access()

    def some(self, deep: int) -> str:
        return " ".join(self.statement(deep - 1) for _ in range(1 + self.number(2)))

    def loop(self, deep: int) -> str:
        left = f"(local.tee {LEFT} (i32.sub (local.get {LEFT}) (i32.const 1)))"
        again = f"(br_if 0 (i32.gt_s {left} (i32.const 0)))"
        return f"(loop {self.access()} {self.some(deep)} {self.some(deep)} {again})"


@st.composite
def modules(draw: st.DrawFn) -> str:
    functions = ""
    for number in range(FUNCTIONS):
        writer = Writer(draw)
        body = f"{writer.some(1)} (local.set {LEFT} (i32.const {TURNS})) {writer.loop(2)} {writer.some(1)}"
        functions += f"""(func (export "f{number}") (param i32 i32 i32) (result i32) (local i32 i32 i32 i32)
          (local.set 3 (local.get 2)) {body} (local.get {SUM}))"""
    grow = '(func (export "grow") (result i32) (memory.grow (i32.const 0)))' if draw(st.booleans()) else ""
    page = draw(st.booleans())
    memory = f"{SIZE} (pagesize 1)" if page and not grow else "1"
    data = "".join(f"\\{number * 37 + 11 & 255:02x}" for number in range(64))
    return f"""(module (memory (export "memory") {memory}) (data (i32.const 0) "{data}")
      (data (i32.const {SIZE - 64}) "{data}") {functions} {grow})"""


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=modules(), seed=st.randoms(use_true_random=False))
def test_arrays_end_where_memory_does(text: str, seed: Random) -> None:
    module = bytes(wasmtime.wat2wasm(text))
    config = wasmtime.Config()
    config.wasm_custom_page_sizes = True
    store = wasmtime.Store(wasmtime.Engine(config))
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, module), []).exports(store)
    with Native(module, memory=SIZE) as native:
        for turn in range(40):
            name = f"f{turn % FUNCTIONS}"
            arguments = [seed.choice([*WHERE, *FAR]) for _ in range(2)]
            arguments.append(seed.choice([0, 1, 2, *WHERE, *FAR, (SIZE - 8) // 4, SIZE // 4]))
            wanted: int | Trap
            got: int | Trap
            try:
                signed = [one - (1 << 32) if one >> 31 else one for one in arguments]
                wanted = exports[name](store, *signed) & 0xFFFFFFFF
            except wasmtime.Trap as trap:
                wanted = OUTSIDE[trap.trap_code]
            try:
                (got,) = native.call(name, *arguments)
            except TrapError as trap:
                got = Trap(trap.code)
            assert got == wanted, (name, arguments)
            assert native.read(0, SIZE) == bytes(exports["memory"].read(store, 0, SIZE)), (name, arguments)


def unchecked(body: str) -> list[bool]:
    """By access of a function, whether its index is known to have been one before."""
    text = f'(module (memory 1) (func (export "f") (param i32 i32) (local i32 i32) {body}))'
    module = read(bytes(wasmtime.wat2wasm(text)))
    code = decode(module, module.codes[0])
    found = Ranges(module, {}, 256).of(0, code, assigned(code))
    return [at in found.reached for at, one in enumerate(code) if one.code in ACCESS]


def place(index: int, shift: int = 2, base: int = 0) -> str:
    return f"(i32.add (local.get {base}) (i32.shl (local.get {index}) (i32.const {shift})))"


def load(index: int, shift: int = 2, base: int = 0) -> str:
    return f"(drop (i32.load {place(index, shift, base)}))"


def test_an_index_that_was_one_needs_no_check() -> None:
    assert unchecked(load(1) + load(1)) == [False, True]
    assert unchecked(load(1) + load(1, shift=1)) == [False, False]
    assert unchecked(load(1) + load(1, base=2)) == [False, False]
    assert unchecked(load(1) + "(local.set 0 (i32.const 7))" + load(1)) == [False, False]
    assert unchecked(load(1) + "(local.set 2 (local.get 1))" + load(2)) == [False, True]


def test_only_what_all_ways_looked_at_is_known_after_them() -> None:
    assert unchecked(f"(if (memory.size) (then {load(1)}) (else {load(1)})) {load(1)}") == [
        False,
        False,
        True,
    ]
    assert unchecked(f"(if (memory.size) (then {load(1)})) {load(1)}") == [False, False]
    below = f"(local.get 1) (block (br_if 0 (memory.size)) {load(1)}) (local.set 1) {load(1)}"
    assert unchecked(below) == [False, False]


def test_a_loop_goes_on_with_an_index_that_it_looked_at() -> None:
    chosen = "(local.set 2 (select (local.get 2) (local.get 3) (local.get 1)))"
    step = "(local.set 3 (i32.add (local.get 3) (i32.const 1)))"
    again = "(br_if 0 (local.get 3))"
    assert unchecked(f"{load(2)} (loop {load(2)} {load(3)} {chosen} {step} {again})") == [False, True, False]
    moved = "(local.set 0 (i32.add (local.get 0) (i32.const 4)))"
    assert unchecked(f"{load(2)} (loop {load(2)} {moved} {again})") == [False, False]
    unseen = f"{load(2)} (loop {load(2)} (local.set 2 (local.get 3)) {step} {again})"
    assert unchecked(unseen) == [False, False]


def test_a_loop_counts_the_indices_that_it_may_use_before_it() -> None:
    body = f"(loop {load(1)} (local.set 1 (i32.load {place(1)})) (br_if 0 (local.get 1)))"
    for more, counted in (("", True), ('(func (export "g") (drop (memory.grow (i32.const 1))))', False)):
        text = f'(module (memory 1) (func (export "f") (param i32 i32) {body}) {more})'
        c = translate(read(bytes(wasmtime.wat2wasm(text))), stack_check=False, harness=Harness(HOSTS, "")).c
        assert bool(re.search(r"MMA_PAST_SCALED\(l0, l1, 2, 4u\)", c)) == counted
