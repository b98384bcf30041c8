"""What is known of a function's values while it is written: bounds, distances, blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from hal.aot.binary import Signature
from hal.aot.instructions import BLOCK, END, IF, LOCAL_SET, LOCAL_TEE, LOOP, Instruction

TOP = 0xFFFFFFFF
"""Upper bound of an i32 that nothing is known of."""


@dataclass(slots=True)
class Value:
    """An operand: C text that is an atom, and what is known of it."""

    type: str
    text: str
    id: int
    """Equal ids are equal values: facts about addresses hang on it."""
    bound: int = TOP
    number: int | None = None
    root: int = 0
    displacement: int = 0
    """It is the value with the id `root`, plus this (wrapping)."""
    index: bool = False
    """It was scaled, as indices into arrays are."""
    local: int | None = None
    """The text names this C local, which a later local.set would change."""
    parts: tuple[Value, Value] | None = None
    """The value that is its root is the sum of these two."""
    scaled: tuple[Value, int] | None = None
    """It is the one, shifted by the other."""

    def __post_init__(self) -> None:
        self.root = self.root or self.id


@dataclass(slots=True)
class Frame:
    """A block, loop, if, or the function itself."""

    kind: int
    label: int
    signature: Signature
    height: int
    facts: dict[int, tuple[tuple[int, int], ...]]
    locals: list[Value]
    assigned: set[int]
    parameters: list[Value] = field(default_factory=list)
    reached: bool = False
    """Some branch goes to its label."""
    dead: bool = False
    """Unreachable code follows until its end."""
    dead_at_start: bool = False
    flat: bool = False
    """A loop that has none in it."""


def displace(value: Value, a: Value, b: Value, *, sign: int) -> None:
    """Note what a sum or difference is relative to where one operand is constant, else what it is made of."""
    if a.number is not None and sign > 0:
        a, b = b, a
    if b.number is not None:
        value.root = a.root
        displacement = a.displacement + sign * b.number
        value.displacement = (displacement + (1 << 31)) % (1 << 32) - (1 << 31)
        value.parts = a.parts
    elif sign > 0:
        value.parts = (a, b)


def assigned(body: list[Instruction]) -> dict[int, set[int]]:
    """Which locals each block sets, by the place of the instruction that opens it; -1 is the function."""
    out: dict[int, set[int]] = {-1: set()}
    open_blocks = [-1]
    for place, instruction in enumerate(body):
        if instruction.code in (LOCAL_SET, LOCAL_TEE):
            out[open_blocks[-1]].add(instruction.a)
        elif instruction.code in (BLOCK, LOOP, IF):
            out[place] = set()
            open_blocks.append(place)
        elif instruction.code == END and len(open_blocks) > 1:
            inner = open_blocks.pop()
            out[open_blocks[-1]] |= out[inner]
    return out


def flat_loops(body: list[Instruction]) -> set[int]:
    """The loops that have none in them, by place: what is done often is done there."""
    out: set[int] = set()
    open_blocks: list[int] = []
    for place, instruction in enumerate(body):
        if instruction.code in (BLOCK, LOOP, IF):
            if instruction.code == LOOP:
                out.difference_update(open_blocks)
                out.add(place)
            open_blocks.append(place)
        elif instruction.code == END and open_blocks:
            open_blocks.pop()
    return out


def fold(name: str, values: list[Value]) -> int | None:
    """The few constant computations that addresses are made of."""
    if len(values) == 2 and values[0].number is not None and values[1].number is not None:
        a, b = values[0].number, values[1].number
        match name:
            case "i32.add":
                return (a + b) & TOP
            case "i32.sub":
                return (a - b) & TOP
            case "i32.shl":
                return (a << (b & 31)) & TOP
    return None


def bound(name: str, values: list[Value]) -> int:
    """An upper bound of an i32 result as an unsigned number."""
    if not name.startswith("i32.") or len(values) != 2:
        return 1 if name.endswith("eqz") else TOP
    a, b = values
    match name[4:]:
        case "and":
            return min(a.bound, b.bound)
        case "or" | "xor":
            return (1 << max(a.bound, b.bound).bit_length()) - 1
        case "add":
            return a.bound + b.bound if a.bound + b.bound <= TOP else TOP
        case "mul":
            return a.bound * b.bound if a.bound * b.bound <= TOP else TOP
        case "shl" if b.number is not None:
            wide = a.bound << (b.number & 31)
            return wide if wide <= TOP else TOP
        case "shr_u" if b.number is not None:
            return a.bound >> (b.number & 31)
        case "div_u":
            return a.bound
        case "rem_u" if b.number:
            return min(a.bound, b.number - 1)
        case "eq" | "ne" | "lt_s" | "lt_u" | "gt_s" | "gt_u" | "le_s" | "le_u" | "ge_s" | "ge_u":
            return 1
    return TOP
