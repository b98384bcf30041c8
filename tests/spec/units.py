"""Takes a test script apart for a board: each module with the steps that concern it, and those steps as C.

A board ends an executor at its first trap. So one run does all steps that return and compares their results
on the spot; each step that must trap gets a run of its own, after the steps before it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import wasmtime
from player import HOSTS, TRAPS
from script import Form, bits, commands, module_bytes, name

from hal.aot.binary import Module, read
from hal.aot.validate import validate_core
from hal.errors import ModuleError

MOST_STEPS = 400
"""Steps of one image: their values take room beside the code. Modules without state are cut there."""

U64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Step:
    """One call of an export. `wanted` are (mask, bits) of its results; or it must trap, in these words."""

    text: str
    line: int
    export: str
    arguments: tuple[int, ...]
    wanted: tuple[tuple[int, int], ...] | None
    """None compares nothing."""
    trap: str = ""


@dataclass(slots=True)
class Unit:
    """A module and its steps. `trap` is what its start must end with, else empty."""

    line: int
    binary: bytes
    steps: list[Step] = field(default_factory=list)
    trap: str = ""

    @property
    def traps(self) -> list[int]:
        """Steps that must trap."""
        return [number for number, step in enumerate(self.steps) if step.trap]


@dataclass(slots=True)
class Script:
    """What a board can play of a script, and why it leaves out the rest."""

    units: list[Unit] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def units_of(text: str, leave_out: Collection[int] = ()) -> Script:
    """Every module of a script with its steps, but for those at some lines."""
    script = Script()
    named: dict[str, Unit | None] = {}
    current: Unit | None = None
    for line, form in commands(text):
        if line in leave_out:
            continue
        try:
            if form.head == "module":
                current = None
                current = _unit(line, form, text)
                script.units.append(current)
                words = form.words[1:]
                if words and words[0].startswith("$"):
                    named[words[0]] = current
            elif form.head in ("assert_trap", "assert_uninstantiable") and form.forms[0].head == "module":
                unit = _unit(line, form.forms[0], text)
                unit.trap = name(form.words[-1])
                script.units.append(unit)
            elif form.head in ("invoke", "assert_return", "assert_trap", "assert_exhaustion"):
                action = form if form.head == "invoke" else form.forms[0]
                words = action.words[1:]
                unit_or_none = named.get(words[0]) if words[0].startswith("$") else current
                if unit_or_none is None:
                    raise KeyError("no module")
                unit_or_none.steps.append(_step(line, form, action, text))
            # assert_invalid and the like are for the gateway alone: tests/spec/player.py plays them
        except (KeyError, ModuleError, wasmtime.WasmtimeError) as error:
            script.left_out.append(f"line {line}: {str(error).splitlines()[0]}")
    script.units = [piece for unit in script.units for piece in _pieces(unit) if unit.steps or unit.trap]
    return script


def _unit(line: int, form: Form, text: str) -> Unit:
    binary = module_bytes(form, text)
    validate_core(binary)
    for one in read(binary).imports:
        if (one.module, one.name) not in HOSTS:
            raise KeyError(f"import {one.module}.{one.name}")
    return Unit(line, binary)


def _step(line: int, form: Form, action: Form, text: str) -> Step:
    if action.head != "invoke":
        raise KeyError(action.head)
    words = action.words[2 if action.words[1].startswith("$") else 1 :]
    arguments = tuple(bits(value) for value in action.forms)
    wanted = tuple(map(_pattern, form.forms[1:])) if form.head == "assert_return" else None
    trap = name(form.words[-1]) if form.head in ("assert_trap", "assert_exhaustion") else ""
    return Step(text[form.start : form.end], line, name(words[0]), arguments, wanted, trap)


def _pattern(form: Form) -> tuple[int, int]:
    """(mask, bits): a result is right if it has these bits where the mask is one. Not null is mask 0."""
    words = form.words
    kind = form.head
    if words[-1] in ("nan:canonical", "nan:arithmetic"):
        exponent, fraction = (8, 23) if kind == "f32.const" else (11, 52)
        quiet = ((2 << exponent) - 1) << (fraction - 1)
        return ((1 << (exponent + fraction)) - 1 if words[-1] == "nan:canonical" else quiet), quiet
    if words in (["ref.func"], ["ref.extern"]):
        return 0, 0
    if kind == "either":
        raise KeyError("either")
    return (0xFFFF_FFFF if kind[1:3] == "32" else U64), bits(form)


def _pieces(unit: Unit) -> list[Unit]:
    """The unit cut into images of a size that boards hold, where its module has no state."""
    module = read(unit.binary)
    if module.memories or module.tables or module.segments or any(one.mutable for one in module.globals):
        return [unit]
    starts = range(0, max(1, len(unit.steps)), MOST_STEPS)
    return [replace(unit, steps=unit.steps[start : start + MOST_STEPS]) for start in starts]


def c_of(unit: Unit) -> str:
    """The steps as C for the harness.

    Its arguments: the step that must trap or -1; the first to compare; after which to stop; and any to leave
    out. The exit status is 0, or the number of the first step with a wrong result plus 1; of a run that had
    to trap and didn't -1.
    """
    module = read(unit.binary)
    exports = sorted({_index(module, step) for step in unit.steps})
    rows, values = [], []
    for step in unit.steps:
        index = _index(module, step)
        results = len(module.signature(index).results)
        compared = step.wanted if step.wanted is not None else ()
        if step.wanted is not None and len(compared) != results:
            compared = ((0, 1),)  # matches nothing
        rows.append(
            f"{{{len(values)}, {exports.index(index)}, {len(step.arguments)}, {len(compared)}, "
            f"{int(bool(step.trap))}}}"
        )
        values += [*step.arguments, *(number for pair in compared for number in pair)]
    return _RUNNER.format(
        functions=", ".join(f"mma_export_{index}" for index in exports) or "0",
        rows=", ".join(rows) or "{0}",
        values=", ".join(f"{value:#x}ull" for value in values) or "0",
        count=len(unit.steps),
    )


def _index(module: Module, step: Step) -> int:
    return module.exports[step.export][1]


def trap_is(wanted: str, code: int) -> bool:
    """A trap of ours is one that the script's words mean."""
    return any(wanted.startswith(words) for words in TRAPS[code].split("|"))  # type: ignore[index]


def failing(unit: Unit, numbers: Sequence[int]) -> list[str]:
    """Steps for a person."""
    return [f"line {unit.steps[number].line}: {unit.steps[number].text}" for number in numbers]


_RUNNER = """
static void (*const script_functions[])(u64 *) = {{{functions}}};
static const struct {{ u32 values; u16 function; u8 arguments, results, trap; }} script_steps[] = {{{rows}}};
static const u64 script_values[] = {{{values}}};

static s32 script_argument(u32 index) {{
    const u32 *at = mma_arguments + 1;
    if (index >= mma_arguments[0]) return -1;
    while (index--) at += 1 + (at[0] + 3) / 4;
    const u8 *text = (const u8 *)(at + 1);
    s32 value = 0, sign = 1;
    for (u32 n = 0; n < at[0]; n++) {{
        if (text[n] == '-') sign = -1; else value = value * 10 + text[n] - '0';
    }}
    return sign * value;
}}

static u32 mma_script(void) {{
    s32 trap = script_argument(0), first = script_argument(1), last = script_argument(2);
    u64 values[32];
    for (s32 n = 0; n < {count} && n <= last; n++) {{
        u32 left_out = script_steps[n].trap && n != trap;
        for (u32 m = 3; m < mma_arguments[0]; m++) left_out |= script_argument(m) == n;
        if (left_out) continue;
        const u64 *from = script_values + script_steps[n].values;
        for (u32 m = 0; m < script_steps[n].arguments; m++) values[m] = *from++;
        script_functions[script_steps[n].function](values);
        if (n == trap) return (u32)-1;
        for (u32 m = 0; m < script_steps[n].results; m++, from += 2)
            if ((values[m] & from[0]) != from[1] && n >= first && trap < 0) return (u32)n + 1;
    }}
    return trap < 0 ? 0 : (u32)-1;
}}
"""
