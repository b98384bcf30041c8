"""Random functions must do in translation what they do in wasmtime: results, traps, memory, globals."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from native import Native, TrapError

from hal.abi import Trap

KINDS = ("i32", "i64", "f32", "f64")
INTEGER = [
    "add",
    "sub",
    "mul",
    "div_s",
    "div_u",
    "rem_s",
    "rem_u",
    "and",
    "or",
    "xor",
    "shl",
    "shr_s",
    "shr_u",
]
INTEGER += ["rotl", "rotr"]
COMPARE = ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"]
FLOAT = ["add", "sub", "mul", "div", "min", "max"]
INTERESTING = [
    0,
    1,
    2,
    3,
    7,
    8,
    31,
    32,
    63,
    127,
    128,
    255,
    256,
    65528,
    65531,
    65535,
    65536,
    0x7FFFFFFF,
    0x80000000,
]
INTERESTING += [0xFFFFFFFF, 0xFFFFFFFC]
FLOATS = [
    "0",
    "-0",
    "1",
    "-1",
    "0.5",
    "1.5",
    "-2.5",
    "inf",
    "-inf",
    "nan",
    "0x1p31",
    "-0x1p63",
    "1e-40",
    "3.4e38",
]
CODES = {
    wasmtime.TrapCode.UNREACHABLE: {Trap.UNREACHABLE},
    wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS: {Trap.MEMORY},
    wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO: {Trap.DIVIDE},
    wasmtime.TrapCode.INTEGER_OVERFLOW: {Trap.OVERFLOW},
    wasmtime.TrapCode.BAD_CONVERSION_TO_INTEGER: {Trap.CONVERSION},
    wasmtime.TrapCode.TABLE_OUT_OF_BOUNDS: {Trap.TABLE},
    wasmtime.TrapCode.INDIRECT_CALL_TO_NULL: {Trap.NULL},
    wasmtime.TrapCode.BAD_SIGNATURE: {Trap.SIGNATURE},
}


@dataclass
class Writer:
    """Draws a function as text. NaNs' bits never reach an integer: WebAssembly leaves them open.

    Locals: two parameters and one more of each type; i32 locals 8 and up are loop counters.
    """

    draw: st.DrawFn
    fuel: int = 40
    loops: int = 0
    depth: int = 0
    counters: list[str] = field(default_factory=list)

    def number(self, most: int) -> int:
        return self.draw(st.integers(0, most))

    def pick(self, items: list[str]) -> str:
        return self.draw(st.sampled_from(items))

    def local(self, kind: str) -> str:
        return f"${kind}{self.number(1)}"

    def expression(self, kind: str) -> str:
        self.fuel -= 1
        if self.fuel <= 0 or self.number(5) == 0:
            return self.leaf(kind)
        return self.integer(kind) if kind[0] == "i" else self.float(kind)

    def leaf(self, kind: str) -> str:
        if self.number(1):
            return f"(local.get {self.local(kind)})"
        if kind[0] == "f":
            return f"({kind}.const {self.pick(FLOATS)})"
        return f"({kind}.const {self.draw(st.sampled_from(INTERESTING))})"

    def integer(self, kind: str) -> str:
        choice = self.number(9)
        e = self.expression
        if choice < 4:
            return f"({kind}.{self.pick(INTEGER)} {e(kind)} {e(kind)})"
        if choice == 4:
            loads = ["load", "load8_s", "load8_u", "load16_s", "load16_u"]
            return f"({kind}.{self.pick(loads)} offset={self.offset()} {self.address()})"
        if choice == 5 and kind == "i32":
            other = self.pick(list(KINDS))
            compare = (
                self.pick(COMPARE) if other[0] == "i" else self.pick(["eq", "ne", "lt", "gt", "le", "ge"])
            )
            return f"({other}.{compare} {e(other)} {e(other)})"
        if choice == 5:
            return f"(i64.extend_i32_{self.pick(['s', 'u'])} {e('i32')})"
        if choice == 6:
            source = self.pick(["f32", "f64"])
            sat = self.pick(["", "sat_"])
            return f"({kind}.trunc_{sat}{source}_{self.pick(['s', 'u'])} {e(source)})"
        if choice == 7:
            return f"(if (result {kind}) {e('i32')} (then {e(kind)}) (else {e(kind)}))"
        if choice == 8:
            unary = ["clz", "ctz", "popcnt", "extend8_s", "extend16_s"]
            return f"({kind}.{self.pick(unary)} {e(kind)})"
        return f"(select {e(kind)} {e(kind)} {e('i32')})" if kind == "i64" else self.call()

    def call(self) -> str:
        if self.number(1):
            return f"(call $helper {self.expression('i32')} {self.expression('i32')})"
        return f"(call_indirect (type $unary) {self.expression('i32')} {self.leaf('i32')})"

    def float(self, kind: str) -> str:
        choice = self.number(5)
        e = self.expression
        if choice < 3:
            return f"({kind}.{self.pick(FLOAT)} {e(kind)} {e(kind)})"
        if choice == 3:
            unary = ["abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt"]
            return f"({kind}.{self.pick(unary)} {e(kind)})"
        if choice == 4:
            source = self.pick(["i32", "i64"])
            return f"({kind}.convert_{source}_{self.pick(['s', 'u'])} {e(source)})"
        return f"(f64.promote_f32 {e('f32')})" if kind == "f64" else f"(f32.demote_f64 {e('f64')})"

    def offset(self) -> int:
        return self.draw(st.sampled_from([0, 0, 1, 4, 8, 12, 100, 65528, 65535, 0xFFFFFFF0]))

    def address(self) -> str:
        if self.number(1):
            return (
                f"(i32.add (local.get {self.local('i32')}) (i32.const {self.pick(['4', '8', '-4', '16'])}))"
            )
        return self.expression("i32")

    def statement(self) -> str:
        self.fuel -= 1
        kind = self.pick(list(KINDS))
        choice = self.number(7)
        e = self.expression
        if choice < 2 or self.fuel <= 0:
            return f"(local.set {self.local(kind)} {e(kind)})"
        if choice == 2:
            kind = self.pick(["i32", "i64"])
            store = self.pick(["store", "store8", "store16"])
            return f"({kind}.{store} offset={self.offset()} {self.address()} {e(kind)})"
        if choice == 3:
            return f"(global.set $g (i32.add (global.get $g) {e('i32')}))"
        if choice == 4:
            return f"(if {e('i32')} (then {self.block()}) (else {self.block()}))"
        if choice == 5 and self.depth < 2:
            self.loops += 1
            self.depth += 1
            name = f"$n{self.loops}"
            self.counters.append(name)
            body = self.block()
            self.depth -= 1
            again = f"(br_if 0 (i32.lt_u (local.get {name}) (i32.const {self.number(4)})))"
            step = f"(local.set {name} (i32.add (local.get {name}) (i32.const 1)))"
            return f"(loop {step} {body} {again})"
        if choice == 6:
            return f"(block (br_if 0 {e('i32')}) {self.block()})"
        return f"(block (block (block (br_table 0 1 2 0 {e('i32')})) {self.block()}) {self.block()})"

    def block(self) -> str:
        return " ".join(self.statement() for _ in range(self.number(3)))


@st.composite
def modules(draw: st.DrawFn) -> str:
    """A module with one function `f` of the locals' types, a helper, a table and a page of memory."""
    writer = Writer(draw)
    kind = draw(st.sampled_from(KINDS))
    body = " ".join(writer.statement() for _ in range(draw(st.integers(1, 6))))
    result = writer.expression(kind)
    parameters = " ".join(f"(param ${one}0 {one})" for one in KINDS)
    locals_ = " ".join(f"(local ${one}1 {one})" for one in KINDS)
    counters = " ".join(f"(local {name} i32)" for name in writer.counters)
    return f"""(module
      (type $unary (func (param i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\\01\\80\\ff\\7f\\00\\10\\20\\30\\fe\\dc\\ba\\98\\76\\54\\32\\10")
      (global $g (export "g") (mut i32) (i32.const 5))
      (table 4 funcref) (elem (i32.const 0) $one $two)
      (func $one (param i32) (result i32) (i32.add (local.get 0) (global.get $g)))
      (func $two (param i64) (result i64) (local.get 0))
      (func $helper (param i32 i32) (result i32)
        (global.set $g (i32.xor (global.get $g) (local.get 0)))
        (i32.add (i32.mul (local.get 0) (i32.const 3))
          (i32.load offset=4 (i32.and (local.get 1) (i32.const 0xffff)))))
      (func (export "f") {parameters} (result {kind}) {locals_} {counters} {body} {result})
      (func (export "global") (result i32) (global.get $g)))"""


ARGUMENTS = [
    (0, 0, 0.0, 0.0),
    (7, 65528, 1.5, -0.0),
    (0xFFFFFFFC, 0x8000000000000000, float("nan"), 1e300),
    (65529, 0xFFFFFFFFFFFFFFFF, -2147483648.0, float("-inf")),
]


def plain(kind: str, value: int) -> object:
    """A result that can be compared: all NaNs are one."""
    if kind[0] == "f":
        size, mantissa = (
            (0x7F800000, 0x7FFFFFFF) if kind == "f32" else (0x7FF0000000000000, 0x7FFFFFFFFFFFFFFF)
        )
        return "nan" if value & mantissa > size else value
    return value


def bits_of(kind: str, value: float) -> int:
    """What an argument or result of wasmtime's is in bits."""
    if kind == "f32":
        return int(struct.unpack("<I", struct.pack("<f", value))[0])
    if kind == "f64":
        return int(struct.unpack("<Q", struct.pack("<d", value))[0])
    return int(value) & (0xFFFFFFFF if kind == "i32" else 0xFFFFFFFFFFFFFFFF)


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=modules())
def test_translation_does_what_wasmtime_does(text: str) -> None:
    module = bytes(wasmtime.wat2wasm(text))
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, module), []).exports(store)
    with Native(module, memory=65536) as native:
        kind = native.module.signature(native.module.exports["f"][1]).results[0]
        for a, b, c, d in ARGUMENTS:
            wanted: object
            got: object
            try:
                result = exports["f"](store, signed(a, 32), signed(b, 64), c, d)
                wanted = plain(kind, bits_of(kind, result))
            except wasmtime.Trap as trap:
                wanted = CODES[trap.trap_code]
            try:
                arguments = [a, b, bits_of("f32", c), bits_of("f64", d)]
                got = plain(kind, native.call("f", *arguments)[0])
            except TrapError as trap:
                got = {Trap(trap.code)}
            assert got == wanted
            assert native.read(0, 65536) == bytes(exports["memory"].read(store, 0, 65536))
            assert native.call("global")[0] == bits_of("i32", exports["g"].value(store))
