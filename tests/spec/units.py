"""Takes a test script apart for a board: each module with the steps that concern it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import wasmtime
from player import TRAPS
from script import Form, bits, commands, name
from trim import Modules

from hal.aot.binary import read
from hal.errors import ModuleError

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
    modules = Modules(text)
    for line, form in commands(text):
        if line in leave_out:
            continue
        try:
            if form.head == "module":
                current = None
                current = Unit(line, modules.binary(form))
                script.units.append(current)
                words = form.words[1:]
                if words and words[0].startswith("$"):
                    named[words[0]] = current
            elif form.head == "register":
                modules.register(form)
            elif form.head in ("assert_trap", "assert_uninstantiable") and form.forms[0].head == "module":
                unit = Unit(line, modules.binary(form.forms[0]))
                unit.trap = name(form.words[-1])
                script.units.append(unit)
            elif form.head in ("invoke", "assert_return", "assert_trap", "assert_exhaustion"):
                action = form if form.head == "invoke" else form.forms[0]
                words = action.words[1:]
                unit_or_none = named.get(words[0]) if words[0].startswith("$") else current
                if unit_or_none is None:
                    raise KeyError("no module")
                step = _step(line, form, action, text)
                if step.export not in read(unit_or_none.binary).exports:
                    raise KeyError(f"no export {step.export}")  # it was cut
                unit_or_none.steps.append(step)
            # assert_invalid and the like are for the gateway alone: tests/spec/player.py plays them
        except (KeyError, ModuleError, wasmtime.WasmtimeError) as error:
            script.left_out.append(f"line {line}: {str(error).splitlines()[0]}")
    script.units = [unit for unit in script.units if unit.steps or unit.trap]
    return script


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


def trap_is(wanted: str, code: int) -> bool:
    """A trap of ours is one that the script's words mean."""
    return any(wanted.startswith(words) for words in TRAPS[code].split("|"))  # type: ignore[index]
