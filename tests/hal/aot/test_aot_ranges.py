"""What the compiler believes of addresses must hold: drawn loops run in wasmtime, which tells of each."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hal.aot.arcs import Arc, one
from hal.aot.binary import Module, read
from hal.aot.instructions import ACCESS, decode
from hal.aot.ranges import MOST_LOCALS, Ranges
from hal.aot.values import assigned

LOCALS = 4
"""Of which the first two are parameters."""
NUMBERS = [0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 24, 60, 64, 96, 255, 256, 1000, 0x7FFFFFFF, 0x80000000]
NUMBERS += [0xFFFFFFF0, 0xFFFFFFFC, 0xFFFFFFFE, 0xFFFFFFFF]
ARITHMETIC = ["add", "add", "sub", "mul", "and", "or", "xor", "shl", "shr_u", "shr_s", "div_u", "rem_u"]
COMPARE = ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"]
LOADS = ["load", "load8_u", "load8_s", "load16_u", "load16_s"]
SURE = 256
FUEL = 20_000
CONFIG = wasmtime.Config()
CONFIG.consume_fuel = True
ENGINE = wasmtime.Engine(CONFIG)


@dataclass
class Writer:
    """Draws a function's body. Addresses go through $a, so that the host can be told."""

    draw: st.DrawFn
    fuel: int = 50
    depth: int = 0
    """Blocks that a branch may leave or repeat."""
    loads: int = 0

    def number(self, most: int) -> int:
        return self.draw(st.integers(0, most))

    def pick(self, items: list[str]) -> str:
        return self.draw(st.sampled_from(items))

    def local(self) -> str:
        return f"(local.get {self.number(LOCALS - 1)})"

    def constant(self) -> str:
        return f"(i32.const {self.draw(st.sampled_from(NUMBERS))})"

    def expression(self, deep: int = 2) -> str:
        self.fuel -= 1
        choice = self.number(7) if deep and self.fuel > 0 else self.number(1)
        if choice == 0:
            return self.constant()
        if choice == 1:
            return self.local()
        if choice == 2:
            return self.condition()
        if choice == 3:
            return f"(select {self.expression(deep - 1)} {self.expression(deep - 1)} {self.condition()})"
        if choice == 4:
            return self.load()
        second = self.constant() if self.number(2) else self.expression(deep - 1)
        return f"(i32.{self.pick(ARITHMETIC)} {self.expression(deep - 1)} {second})"

    def condition(self, local: str = "") -> str:
        local = local or self.local()
        first = local if self.number(1) else f"(i32.add {local} {self.constant()})"
        second = self.constant() if self.number(1) else self.local()
        text = f"(i32.{self.pick(COMPARE)} {first} {second})"
        choice = self.number(5)
        return f"(i32.eqz {text})" if choice == 0 else self.local() if choice == 1 else text

    def load(self, local: str = "") -> str:
        self.loads += 1
        seen = f"(local.set $a {local or (self.local() if self.number(2) else self.expression(1))})"
        number = self.loads
        return (
            f"(block (result i32) {seen} (call $see (i32.const {number}) (local.get $a))"
            f" (i32.{self.pick(LOADS)} offset={self.draw(st.sampled_from([0, 0, 4, 65530]))} (local.get $a)))"
        )

    def statement(self) -> str:
        self.fuel -= 1
        choice = self.number(9)
        if choice < 3 or self.fuel <= 0:
            return f"(local.set {self.number(LOCALS - 1)} {self.expression()})"
        if choice == 3:
            return f"(drop {self.load()})"
        if choice == 4:
            local = self.local()
            yes, no = f"(drop {self.load(local)}) {self.block()}", f"(drop {self.load(local)}) {self.block()}"
            return f"(if {self.condition(local)} (then {yes}) (else {no}))"
        if choice == 5 and self.depth:
            return f"(br_if {self.number(self.depth - 1)} {self.condition()})"
        if choice == 6:
            return f"(block {self.block()})"
        if choice == 7 and self.depth:
            return f"(block (br_table 0 {self.number(self.depth)} {self.local()}))"
        return self.loop()

    def loop(self) -> str:
        """Most often one that counts."""
        counter = self.number(LOCALS - 1)
        begin = f"(local.set {counter} {self.constant()})" if self.number(2) else ""
        step = f"(local.set {counter} (i32.add (local.get {counter}) {self.constant()}))"
        limit = self.constant() if self.number(1) else self.local()
        compare = "ne" if self.number(1) else self.pick(COMPARE)
        again = f"(br_if 0 (i32.{compare} (local.get {counter}) {limit}))"
        used = f"(drop {self.load(f'(local.get {counter})')})"
        return f"{begin} (loop {self.block()} {used} {step} {again})"

    def block(self) -> str:
        self.depth += 1
        text = " ".join(self.statement() for _ in range(self.number(4)))
        self.depth -= 1
        return text


@st.composite
def modules(draw: st.DrawFn) -> str:
    writer = Writer(draw)
    body = " ".join(writer.statement() for _ in range(draw(st.integers(1, 6))))
    return f"""(module (import "" "see" (func $see (param i32 i32))) (memory 1)
      (data (i32.const 0) "\\05\\00\\00\\00\\ff\\ff\\ff\\ff\\10\\80\\7f\\00\\01\\02\\03\\04")
      (func (export "f") (param i32 i32) (local i32 i32) (local $a i32) {body}))"""


def believed(module: Module) -> list[tuple[Arc | None, bool, int]]:
    """By load, in the body's order: its addresses, whether it can't fail, and how many bytes it loads."""
    body = decode(module, module.codes[0])
    found = Ranges(module, {}, SURE).of(len(module.imported), body, assigned(body))
    return [
        (found.addresses.get(at), at in found.safe, ACCESS[one_.code].width + one_.b)
        for at, one_ in enumerate(body)
        if one_.code in ACCESS
    ]


def seen(module: bytes, *arguments: int) -> set[tuple[int, int]]:
    """Numbers and addresses of the loads that a run makes, or tries to."""
    store = wasmtime.Store(ENGINE)
    store.set_fuel(FUEL)
    out: set[tuple[int, int]] = set()
    kind = wasmtime.FuncType([wasmtime.ValType.i32()] * 2, [])
    see = wasmtime.Func(store, kind, lambda number, address: out.add((number, address & 0xFFFFFFFF)))
    exports = wasmtime.Instance(store, wasmtime.Module(ENGINE, module), [see]).exports(store)
    # it may end out of bounds, divided by zero, or out of fuel: what came before counts
    with contextlib.suppress(wasmtime.Trap, wasmtime.WasmtimeError):
        exports["f"](store, *arguments)
    return out


def numbers(text: str) -> list[int]:
    """The loads' numbers in the order of the text, which is that of the instructions."""
    return [int(part.split(")")[0]) for part in text.split("(call $see (i32.const ")[1:]]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=modules())
def test_every_address_lies_where_it_is_believed(text: str) -> None:
    module = bytes(wasmtime.wat2wasm(text))
    loads = dict(zip(numbers(text), believed(read(module)), strict=True))
    for arguments in ((0, 0), (5, -1), (-4, 64), ((1 << 31) - 1, 1000)):
        for number, address in seen(module, *arguments):
            arc, safe, count = loads[number]
            assert arc is not None
            assert arc.holds(one(address)), (number, hex(address), arc)
            assert not safe or address + count <= 65536, (number, hex(address))


def addresses(body: str) -> list[Arc | None]:
    text = f'(module (memory 1) (func (export "f") (param i32 i32) (local i32 i32 i32) {body}))'
    return [arc for arc, _, _ in believed(read(bytes(wasmtime.wat2wasm(text))))]


def safe(body: str) -> list[bool]:
    locals_ = "(local i32)" * 10
    text = f'(module (memory 1) (func (export "f") (param i32 i32) {locals_} {body}))'
    return [safe for _, safe, _ in believed(read(bytes(wasmtime.wat2wasm(text))))]


def test_a_counted_loop_has_bounds() -> None:
    step = "(local.set 2 (i32.add (local.get 2) (i32.const 4)))"
    (up,) = addresses(
        f"(loop (drop (i32.load (local.get 2))) {step} (br_if 0 (i32.ne (local.get 2) (i32.const 96))))"
    )
    assert up == Arc(0, 92, 2)
    (down,) = addresses("""(local.set 2 (i32.const 511)) (loop
        (drop (i32.load (i32.shl (local.get 2) (i32.const 2))))
        (br_if 0 (i32.ne (local.tee 2 (i32.sub (local.get 2) (i32.const 1))) (i32.const 1))))""")
    assert down == Arc(8, 2036, 2)


def test_bounds_pass_from_one_loop_to_the_inner() -> None:
    """As in heap sort: an index below another one, which the outer loop counts down."""
    (child,) = addresses("""(local.set 2 (i32.const 511)) (loop $outer
        (local.set 3 (i32.const 1))
        (loop $inner
          (if (i32.lt_u (local.get 3) (local.get 2)) (then
            (drop (i32.load (i32.shl (local.get 3) (i32.const 2))))
            (local.set 3 (i32.or (i32.shl (local.get 3) (i32.const 1)) (i32.const 1)))
            (br $inner))))
        (br_if $outer (i32.ne (local.tee 2 (i32.add (local.get 2) (i32.const -1))) (i32.const 0))))""")
    assert child is not None
    assert child.unsigned() == (4, 2036)


def test_a_compare_bounds_what_its_operand_was_made_of() -> None:
    """(x + 3) < 10 holds for -3 to 6, and its opposite for all others; so does a select by it."""
    yes, no, chosen = addresses("""
        (if (i32.lt_u (i32.add (local.get 0) (i32.const 3)) (i32.const 10))
          (then (drop (i32.load (local.get 0))))
          (else (drop (i32.load (local.get 0)))))
        (drop (i32.load (select (local.get 0) (i32.const 0)
          (i32.lt_u (i32.sub (local.get 0) (i32.const 4)) (i32.const 8)))))""")
    assert yes == Arc(0xFFFFFFFD, 9, 0)
    assert no == Arc(7, 0xFFFFFFF5, 0)
    assert chosen == Arc(0, 11, 0)


def test_what_is_not_bounded_is_not_believed() -> None:
    (parameter, after) = addresses("""(drop (i32.load (local.get 0)))
        (loop (br_if 0 (i32.ne (local.tee 2 (i32.add (local.get 2) (i32.const 3))) (i32.const 100))))
        (drop (i32.load (local.get 2)))""")
    assert parameter is not None
    assert parameter.unsigned()[1] == 0xFFFFFFFF
    assert after == one(100)
    many = " ".join(["(local i32)"] * MOST_LOCALS)
    assert addresses(f"(drop (i32.load (i32.const 4))))(func {many} (nop)")[0] == one(4)


def test_a_pointer_that_was_followed_is_safe() -> None:
    load = "(drop (i32.load offset={} (local.get {})))"
    first, again, longer, behind, before = safe(
        load.format(4, 0)
        + load.format(0, 0)
        + load.format(8, 0)
        + "(local.set 2 (i32.add (local.get 0) (i32.const 8)))"
        + load.format(0, 2)
        + "(local.set 2 (i32.add (local.get 0) (i32.const -4)))"
        + load.format(0, 2)
    )
    assert (first, again, longer, behind, before) == (False, True, False, True, False)
    ahead = "(local.set 2 (i32.add (local.get 0) (i32.const 8)))"
    assert safe(ahead + load.format(8, 0) + load.format(0, 2) + load.format(4, 2)) == [False, True, False]
    assert safe(
        f"(if (local.get 1) (then {load.format(0, 0)}) (else {load.format(4, 0)})) {load.format(0, 0)}"
    ) == [False, False, True]
    assert safe(f"(if (local.get 1) (then {load.format(0, 0)})) {load.format(0, 0)}") == [False, False]
    assert safe(load.format(0, 0) + "(local.set 0 (i32.load (local.get 0)))" + load.format(0, 0)) == [
        False,
        True,
        False,
    ]


def test_a_pointer_taken_over_from_the_last_turn_is_safe() -> None:
    """As in walking a list with its last node kept; it begins as null, which is in memory."""
    walk = """(loop (drop (i32.load (local.get 0))) (drop (i32.load (local.get 2)))
      (local.set 2 (local.get {})) (br_if 0 (local.tee 0 (i32.load (local.get 0)))))"""
    assert safe(walk.format(0)) == [False, True, True]
    assert safe(walk.format(1)) == [False, False, True]
    follow = "(drop (i32.load (local.tee {0} (i32.load (local.get 0)))))"
    before = " ".join(follow.format(number) for number in range(2, 12))
    moves = " ".join(f"(local.set {number} (local.get {number + 1}))" for number in range(2, 11))
    later = f"""{before} (loop (drop (i32.load (local.get 2))) {moves} (local.set 11 (local.get 1))
      (br_if 0 (local.get 1)))"""
    assert safe(later)[-1] is False  # what was never followed gets there in the eleventh turn


def test_looking_ends() -> None:
    """Loops in loops, each counting another local against another."""
    depth = 12
    head = " ".join(
        f"(loop (local.set {2 + n % 3} (i32.add (local.get {2 + (n + 1) % 3}) (i32.const {n + 1})))"
        for n in range(depth)
    )
    tail = " ".join(
        f"(br_if 0 (i32.lt_u (local.get {2 + n % 3}) (i32.const {97 * n})))" + ")" for n in range(depth)
    )
    found = addresses(f"{head} (drop (i32.load (local.get 2))) {tail}")
    assert len(found) == 1
