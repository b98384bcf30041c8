"""What bytes mean by the types of the program that they belong to: each variable, member and element."""

from __future__ import annotations

from collections.abc import Iterator

from console.memory.view import Field
from hal.layout import Kind, Program, Type

MOST = 400
"""Fields that are told of one look."""
DEEPEST = 16


def fields(program: Program, address: int, data: bytes, base: int = 0) -> tuple[Field, ...]:
    """Those that lie in `data`, read at `address`, in order; of a union all of its members. `base`: where the
    program's address 0 is, as for a guest's linear memory."""
    found: list[Field] = []
    low, high = address - base, address - base + len(data)
    for one in program.variables:
        if one.name and one.address < high and one.address + one.type.size > low:
            for path, type_, at, bits in _leaves(one.name, one.type, one.address, low, high):
                if len(found) == MOST:
                    return tuple(found)
                start = at - low
                if start >= 0 and at + type_.size <= high:
                    text = type_.say(data[start : start + type_.size], bits)
                    leads = type_.kind is Kind.POINTER
                    found.append(Field(at + base, type_.size, path, type_.text, text, leads))
    return tuple(found)


def _leaves(
    path: str,
    type_: Type,
    at: int,
    low: int,
    high: int,
    bits: tuple[int, int] | None = None,
    depth: int = 0,
) -> Iterator[tuple[str, Type, int, tuple[int, int] | None]]:
    if at >= high or at + type_.size <= low or depth > DEEPEST:
        return
    of = type_.of
    if type_.kind is Kind.ARRAY and of is not None and of.size > 1:  # bytes are read best in a row
        first, last = max(0, (low - at) // of.size), min(type_.count, -(-(high - at) // of.size))
        for place in range(first, last):
            yield from _leaves(f"{path}[{place}]", of, at + place * of.size, low, high, None, depth + 1)
    elif type_.members:
        for one in type_.members:
            inner = f"{path}.{one.name}"
            yield from _leaves(inner, one.type, at + one.offset, low, high, one.bits, depth + 1)
    else:
        yield path, type_, at, bits
