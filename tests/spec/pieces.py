"""Cuts a unit into images that fit a board: some of its steps, and before them what they depend on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from units import Unit

from hal.aot.binary import Module, read
from hal.aot.instructions import (
    ACCESS,
    CALL,
    CALL_INDIRECT,
    DATA_DROP,
    ELEM_DROP,
    GLOBAL_SET,
    MEMORY_COPY,
    MEMORY_FILL,
    MEMORY_GROW,
    MEMORY_INIT,
    REF_FUNC,
    TABLE_COPY,
    TABLE_FILL,
    TABLE_GROW,
    TABLE_INIT,
    TABLE_SET,
    decode,
)

MOST_STEPS = 400
"""Steps of one image: their values take room beside the code, and clang time."""

_WRITES = {
    *(code for code, access in ACCESS.items() if access.store),
    *(GLOBAL_SET, MEMORY_COPY, MEMORY_FILL, MEMORY_GROW, MEMORY_INIT, DATA_DROP),
    *(TABLE_COPY, TABLE_FILL, TABLE_GROW, TABLE_INIT, TABLE_SET, ELEM_DROP),
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Steps of a unit to be judged, from `begin` up to `end`; `numbers` are those to be done, in order: with
    the steps before that leave something behind."""

    unit: Unit
    begin: int
    end: int
    numbers: tuple[int, ...]

    @property
    def first(self) -> int:
        """Place of the first one to be judged among those to be done."""
        return len(self.numbers) - (self.end - self.begin)

    @property
    def halves(self) -> tuple[tuple[int, int], ...]:
        """(begin, end) of two smaller pieces; none if it is one step."""
        middle = (self.begin + self.end) // 2
        return ((self.begin, middle), (middle, self.end)) if self.end - self.begin > 1 else ()


def piece(unit: Unit, begin: int, end: int, dead: Collection[int]) -> Piece:
    """Cut one. `dead` are steps known to end the executor though they must not."""
    module = read(unit.binary)
    writers = _writers(unit.binary)
    before = [
        number
        for number, step in enumerate(unit.steps[:begin])
        if number not in dead and not step.trap and module.exports[step.export][1] in writers
    ]
    return Piece(unit, begin, end, (*before, *range(begin, end)))


@cache
def _writers(binary: bytes) -> frozenset[int]:
    """Functions that may leave something behind in memory, globals or tables."""
    module = read(binary)
    bodies = {index: decode(module, code) for index, code in enumerate(module.codes, len(module.imported))}
    constants = [item for segment in module.elements for item in segment.items]
    constants += [one.start for one in module.globals]
    named = {operand for one in constants for what, operand in one.steps if what == "func"}
    named |= {one.a for body in bodies.values() for one in body if one.code == REF_FUNC}
    calls: dict[int, set[int]] = {}
    for index, body in bodies.items():
        calls[index] = {one.a for one in body if one.code == CALL}
        if any(one.code == CALL_INDIRECT for one in body):
            calls[index] |= named  # what may be in a table
    found = {index for index, body in bodies.items() if any(one.code in _WRITES for one in body)}
    grown = True
    while grown:
        more = {index for index, callees in calls.items() if callees & found} - found
        grown = bool(more)
        found |= more
    return frozenset(found)


def c_of(piece: Piece) -> str:
    """The steps as C for the harness.

    Its arguments are those of `arguments`. The exit status is 0, or the place of the first step with a wrong
    result plus 1; of a run that had to trap and didn't -1. The size of memory that the executor tells the
    kernel is the place of the step at hand plus 1, until that step grows its memory.
    """
    module = read(piece.unit.binary)
    exports = sorted({_index(piece, module, number) for number in piece.numbers})
    rows: list[str] = []
    values: list[int] = []
    for number in piece.numbers:
        step = piece.unit.steps[number]
        index = _index(piece, module, number)
        results = len(module.signature(index).results)
        judged = step.wanted is not None and number >= piece.begin
        compared: Sequence[tuple[int, int]] = step.wanted if judged and step.wanted else ()
        if judged and len(compared) != results:
            compared = ((0, 1),)  # matches nothing
        rows.append(
            f"{{{len(values)}, {exports.index(index)}, {len(step.arguments)}, {len(compared)}, "
            f"{int(bool(step.trap))}}}"
        )
        values += [*step.arguments, *(bits for pair in compared for bits in pair)]
    return _RUNNER.format(
        functions=", ".join(f"mma_export_{index}" for index in exports) or "0",
        rows=", ".join(rows) or "{0}",
        values=", ".join(f"{value:#x}ull" for value in values) or "0",
        count=len(piece.numbers),
    )


def arguments(piece: Piece, trap: int, first: int, dead: Collection[int]) -> tuple[str, ...]:
    """For a run: the place of the step that must trap or -1, that of the first to compare, and which steps
    to leave out."""
    marks = "".join(".x"[number in dead] for number in piece.numbers)
    return (str(trap), str(first), marks)


def _index(piece: Piece, module: Module, number: int) -> int:
    return module.exports[piece.unit.steps[number].export][1]


_RUNNER = """
static void (*const script_functions[])(u64 *) = {{{functions}}};
static const struct {{ u32 values; u16 function; u8 arguments, results, trap; }} script_steps[] = {{{rows}}};
static const u64 script_values[] = {{{values}}};

static const u8 *script_text(u32 index, u32 *length) {{
    const u32 *at = mma_arguments + 1;
    while (index--) at += 1 + (at[0] + 3) / 4;
    *length = at[0];
    return (const u8 *)(at + 1);
}}

static s32 script_number(u32 index) {{
    u32 length;
    const u8 *text = script_text(index, &length);
    s32 value = 0, sign = 1;
    for (u32 n = 0; n < length; n++) {{
        if (text[n] == '-') sign = -1; else value = value * 10 + text[n] - '0';
    }}
    return sign * value;
}}

static u32 mma_script(void) {{
    s32 trap = script_number(0), first = script_number(1);
    u32 marks;
    const u8 *mark = script_text(2, &marks);
    u64 values[32];
    for (s32 n = 0; n < {count}; n++) {{
        if (script_steps[n].trap ? n != trap : (u32)n < marks && mark[n] == 'x') continue;
        const u64 *from = script_values + script_steps[n].values;
        for (u32 m = 0; m < script_steps[n].arguments; m++) values[m] = *from++;
        mma_call_32(MMA_CALL_MEMORY_SIZE, (u32)n + 1, 0, 0);  // so that it is known which one ends all
        script_functions[script_steps[n].function](values);
        if (n == trap) return (u32)-1;
        for (u32 m = 0; m < script_steps[n].results; m++, from += 2)
            if ((values[m] & from[0]) != from[1] && n >= first && trap < 0) return (u32)n + 1;
    }}
    return trap < 0 ? 0 : (u32)-1;
}}
"""
