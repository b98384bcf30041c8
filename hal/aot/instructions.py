"""The instructions: how each is encoded (core specification 5.4) and what it is in C.

C text uses {a} {b} for operands, first pushed first. C names with mma_ are in firmware/sdk/executor/.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hal.aot.binary import Code, Module, Reader, Signature
from hal.errors import ModuleError

I32, I64, F32, F64 = "i32", "i64", "f32", "f64"


@dataclass(frozen=True, slots=True)
class Numeric:
    """An instruction without immediates: operand types, result type, C expression."""

    name: str
    operands: tuple[str, ...]
    result: str
    c: str
    traps: bool = False
    """It may trap: work must not move across it."""


@dataclass(frozen=True, slots=True)
class Access:
    """A load or store: value type, bytes in memory, and the C type of what lies there."""

    name: str
    type: str
    width: int
    c: str
    store: bool


class Instruction(NamedTuple):
    """One decoded instruction: opcode (0xFC00 | n for prefixed ones), immediates, place in the module."""

    code: int
    a: int = 0
    b: int = 0
    extra: tuple[int, ...] = ()
    block: Signature | None = None
    place: int = 0


def _integer(kind: str, base: int, compare: int) -> dict[int, Numeric]:
    """The instructions of i32 or i64; `base` is the opcode of clz, `compare` that of eqz."""
    bits = "32" if kind == I32 else "64"
    u, s = f"u{bits}", f"s{bits}"
    two = (kind, kind)
    table = {compare: Numeric(f"{kind}.eqz", (kind,), I32, "{a} == 0")}
    compares = [("eq", "==", u), ("ne", "!=", u)]
    for name, sign in (("lt", "<"), ("gt", ">"), ("le", "<="), ("ge", ">=")):
        compares += [(f"{name}_s", sign, s), (f"{name}_u", sign, u)]
    for number, (name, sign, cast) in enumerate(compares, compare + 1):
        table[number] = Numeric(f"{kind}.{name}", two, I32, f"({cast}){{a}} {sign} ({cast}){{b}}")
    for number, name in enumerate(("clz", "ctz", "popcnt"), base):
        table[number] = Numeric(f"{kind}.{name}", (kind,), kind, f"mma_{name}{bits}({{a}})")
    binary = [
        ("add", "{a} + {b}"),
        ("sub", "{a} - {b}"),
        ("mul", "{a} * {b}"),
        ("div_s", f"mma_div_s{bits}({{a}}, {{b}})"),
        ("div_u", f"mma_div_u{bits}({{a}}, {{b}})"),
        ("rem_s", f"mma_rem_s{bits}({{a}}, {{b}})"),
        ("rem_u", f"mma_rem_u{bits}({{a}}, {{b}})"),
        ("and", "{a} & {b}"),
        ("or", "{a} | {b}"),
        ("xor", "{a} ^ {b}"),
        ("shl", f"{{a}} << ({{b}} & {int(bits) - 1})"),
        ("shr_s", f"({u})(({s}){{a}} >> ({{b}} & {int(bits) - 1}))"),
        ("shr_u", f"{{a}} >> ({{b}} & {int(bits) - 1})"),
        ("rotl", f"mma_rotl{bits}({{a}}, {{b}})"),
        ("rotr", f"mma_rotr{bits}({{a}}, {{b}})"),
    ]
    for number, (name, c) in enumerate(binary, base + 3):
        table[number] = Numeric(f"{kind}.{name}", two, kind, c, traps=name[:3] in ("div", "rem"))
    return table


def _float(kind: str, base: int, compare: int) -> dict[int, Numeric]:
    """The instructions of f32 or f64; `base` is the opcode of abs, `compare` that of eq."""
    table = {}
    for number, (name, sign) in enumerate(
        (("eq", "=="), ("ne", "!="), ("lt", "<"), ("gt", ">"), ("le", "<="), ("ge", ">=")), compare
    ):
        table[number] = Numeric(f"{kind}.{name}", (kind, kind), I32, f"{{a}} {sign} {{b}}")
    for number, name in enumerate(("abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt"), base):
        table[number] = Numeric(f"{kind}.{name}", (kind,), kind, f"mma_{name}_{kind}({{a}})")
    binary = [
        ("add", "{a} + {b}"),
        ("sub", "{a} - {b}"),
        ("mul", "{a} * {b}"),
        ("div", f"mma_div_{kind}({{a}}, {{b}})"),
        ("min", f"mma_min_{kind}({{a}}, {{b}})"),
        ("max", f"mma_max_{kind}({{a}}, {{b}})"),
        ("copysign", f"mma_copysign_{kind}({{a}}, {{b}})"),
    ]
    for number, (name, c) in enumerate(binary, base + 7):
        table[number] = Numeric(f"{kind}.{name}", (kind, kind), kind, c)
    return table


def _conversions() -> dict[int, Numeric]:
    table = {0xA7: Numeric("i32.wrap_i64", (I64,), I32, "(u32){a}")}
    number = 0xA8
    for to in (I32, I64):
        if to == I64:
            table[0xAC] = Numeric("i64.extend_i32_s", (I32,), I64, "(u64)(s64)(s32){a}")
            table[0xAD] = Numeric("i64.extend_i32_u", (I32,), I64, "(u64){a}")
            number = 0xAE
        for source in (F32, F64):
            for sign in "su":
                name = f"trunc_{source}_{sign}"
                table[number] = Numeric(f"{to}.{name}", (source,), to, f"mma_{to}_{name}({{a}})", traps=True)
                number += 1
    for to, c, first in ((F32, "float", 0xB2), (F64, "double", 0xB7)):
        for number, (source, sign) in enumerate(((I32, "s"), (I32, "u"), (I64, "s"), (I64, "u")), first):
            cast = f"({c})({sign}{source[1:]}){{a}}"
            table[number] = Numeric(f"{to}.convert_{source}_{sign}", (source,), to, cast)
    table[0xB6] = Numeric("f32.demote_f64", (F64,), F32, "mma_demote({a})")
    table[0xBB] = Numeric("f64.promote_f32", (F32,), F64, "mma_promote({a})")
    for number, (to, source) in enumerate(((I32, F32), (I64, F64), (F32, I32), (F64, I64)), 0xBC):
        table[number] = Numeric(f"{to}.reinterpret_{source}", (source,), to, f"mma_{to}_from_{source}({{a}})")
    for number, (to, bits) in enumerate(((I32, 8), (I32, 16), (I64, 8), (I64, 16), (I64, 32)), 0xC0):
        wide = to[1:]
        table[number] = Numeric(f"{to}.extend{bits}_s", (to,), to, f"(u{wide})(s{wide})(s{bits}){{a}}")
    number = 0xFC00
    for to in (I32, I64):
        for source in (F32, F64):
            for sign in "su":
                name = f"trunc_sat_{source}_{sign}"
                table[number] = Numeric(f"{to}.{name}", (source,), to, f"mma_{to}_{name}({{a}})")
                number += 1
    return table


NUMERIC: dict[int, Numeric] = {
    **_integer(I32, 0x67, 0x45),
    **_integer(I64, 0x79, 0x50),
    **_float(F32, 0x8B, 0x5B),
    **_float(F64, 0x99, 0x61),
    **_conversions(),
}

ACCESS: dict[int, Access] = {
    code: Access(f"{kind}.{'store' if store else 'load'}{suffix}", kind, width, c, store)
    for code, kind, suffix, width, c, store in (
        (0x28, I32, "", 4, "u32", False),
        (0x29, I64, "", 8, "u64", False),
        (0x2A, F32, "", 4, "float", False),
        (0x2B, F64, "", 8, "double", False),
        (0x2C, I32, "8_s", 1, "s8", False),
        (0x2D, I32, "8_u", 1, "u8", False),
        (0x2E, I32, "16_s", 2, "s16", False),
        (0x2F, I32, "16_u", 2, "u16", False),
        (0x30, I64, "8_s", 1, "s8", False),
        (0x31, I64, "8_u", 1, "u8", False),
        (0x32, I64, "16_s", 2, "s16", False),
        (0x33, I64, "16_u", 2, "u16", False),
        (0x34, I64, "32_s", 4, "s32", False),
        (0x35, I64, "32_u", 4, "u32", False),
        (0x36, I32, "", 4, "u32", True),
        (0x37, I64, "", 8, "u64", True),
        (0x38, F32, "", 4, "float", True),
        (0x39, F64, "", 8, "double", True),
        (0x3A, I32, "8", 1, "u8", True),
        (0x3B, I32, "16", 2, "u16", True),
        (0x3C, I64, "8", 1, "u8", True),
        (0x3D, I64, "16", 2, "u16", True),
        (0x3E, I64, "32", 4, "u32", True),
    )
}

BLOCK, LOOP, IF, ELSE, END = 0x02, 0x03, 0x04, 0x05, 0x0B
BR, BR_IF, BR_TABLE, RETURN, CALL, CALL_INDIRECT = 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11
LOCAL_GET, LOCAL_SET, LOCAL_TEE, GLOBAL_GET, GLOBAL_SET, TABLE_GET, TABLE_SET = range(0x20, 0x27)
MEMORY_SIZE, MEMORY_GROW = 0x3F, 0x40
REF_NULL, REF_IS_NULL, REF_FUNC = 0xD0, 0xD1, 0xD2
MEMORY_INIT, DATA_DROP, MEMORY_COPY, MEMORY_FILL = range(0xFC08, 0xFC0C)
TABLE_INIT, ELEM_DROP, TABLE_COPY, TABLE_GROW, TABLE_SIZE, TABLE_FILL = range(0xFC0C, 0xFC12)

_ONE = {BR, BR_IF, CALL, *range(0x20, 0x27), MEMORY_SIZE, MEMORY_GROW, REF_FUNC}
_ONE |= {DATA_DROP, MEMORY_FILL, ELEM_DROP, TABLE_GROW, TABLE_SIZE, TABLE_FILL}
_TWO = {MEMORY_INIT, MEMORY_COPY, TABLE_INIT, TABLE_COPY}
_NONE = {0x00, 0x01, ELSE, END, RETURN, 0x1A, 0x1B, REF_IS_NULL, *NUMERIC}
_BLOCKS = {
    0x40: Signature((), ()),
    **{byte: Signature((), (kind,)) for byte, kind in ((0x7F, I32), (0x7E, I64), (0x7D, F32), (0x7C, F64))},
    0x70: Signature((), ("funcref",)),
    0x6F: Signature((), ("externref",)),
}

HARMLESS = {0x01, 0x1A, 0x1B, LOCAL_GET, LOCAL_SET, LOCAL_TEE, GLOBAL_GET, *range(0x41, 0x45), *ACCESS}
HARMLESS |= {code for code, numeric in NUMERIC.items() if not numeric.traps}
"""Instructions that bounds checks may move across: nobody observes them. (Stores end a group themselves.)"""


def decode(module: Module, code: Code) -> list[Instruction]:
    """All instructions of a function's body. ModuleError for what no target has."""
    reader = Reader(module.data, code.start, code.end)
    out: list[Instruction] = []
    while reader.more:
        place = reader.place
        op = reader.byte()
        if op == 0xFC:
            op = 0xFC00 | min(reader.u32(), 0xFF)
        if op in _NONE:
            out.append(Instruction(op, place=place))
        elif op in _ONE:
            out.append(Instruction(op, reader.u32(), place=place))
        elif op in ACCESS:
            align, offset = reader.u32(), reader.u32()
            if align >= 32:
                raise ModuleError(f"The module uses several memories (byte {place}); targets have one.")
            out.append(Instruction(op, align, offset, place=place))
        elif op == 0x41:
            out.append(Instruction(op, reader.signed(32) & 0xFFFFFFFF, place=place))
        elif op == 0x42:
            out.append(Instruction(op, reader.signed(64) & 0xFFFFFFFFFFFFFFFF, place=place))
        elif op in (0x43, 0x44):
            out.append(
                Instruction(op, int.from_bytes(reader.take(4 if op == 0x43 else 8), "little"), place=place)
            )
        elif op in (BLOCK, LOOP, IF):
            out.append(Instruction(op, block=_block(module, reader), place=place))
        elif op in _TWO or op == CALL_INDIRECT:
            out.append(Instruction(op, reader.u32(), reader.u32(), place=place))
        elif op == BR_TABLE:
            out.append(
                Instruction(op, extra=tuple(reader.u32() for _ in range(reader.u32() + 1)), place=place)
            )
        elif op == 0x1C:
            for _ in range(reader.u32()):
                reader.type()
            out.append(Instruction(0x1B, place=place))
        elif op == REF_NULL:
            reader.signed(33)
            out.append(Instruction(op, place=place))
        else:
            raise ModuleError(f"The module uses {_family(op)} (byte {place}), which no target has.")
    return out


def _block(module: Module, reader: Reader) -> Signature:
    byte = reader.data[reader.place] if reader.more else 0x40
    if byte in _BLOCKS:
        reader.byte()
        return _BLOCKS[byte]
    index = reader.signed(33)
    if not 0 <= index < len(module.types):
        raise ModuleError(f"A block's type {index} at byte {reader.place} is not one that targets have.")
    return module.types[index]


def _family(op: int) -> str:
    families = {0xFD: "SIMD instructions", 0xFE: "threads' atomic instructions", 0xFB: "garbage collection"}
    if op in families:
        return families[op]
    if op in (0x12, 0x13):
        return "tail calls"
    if op in (0x06, 0x07, 0x08, 0x09, 0x0A, 0x18, 0x19, 0x1F):
        return "exceptions"
    return f"instruction 0x{op:02x}"
