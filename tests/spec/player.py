"""Plays a test script through our translator, compiler and linker, on the CPU of the tests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import wasmtime
from native import Native, TrapError
from script import Form, bits, commands, line_of, matches, module_bytes, name

from hal.abi import Trap
from hal.aot.binary import read
from hal.aot.validate import validate_core
from hal.errors import ModuleError

TRAPS = {
    Trap.UNREACHABLE: "unreachable",
    Trap.MEMORY: "out of bounds memory access",
    Trap.BUDGET: "out of bounds memory access",
    Trap.DIVIDE: "integer divide by zero",
    Trap.OVERFLOW: "integer overflow",
    Trap.CONVERSION: "invalid conversion to integer",
    Trap.TABLE: "undefined element|out of bounds table access",
    Trap.NULL: "uninitialized element",
    Trap.SIGNATURE: "indirect call type mismatch",
    Trap.STACK: "call stack exhausted",
}
"""The specification's words for our traps."""

PRINTS = {
    "print": "void",
    "print_i32": "u32 a",
    "print_i64": "u64 a",
    "print_f32": "float a",
    "print_f64": "double a",
    "print_i32_f32": "u32 a, float b",
    "print_f64_f64": "double a, double b",
}
PRELUDE = "".join(f"static inline void spectest_{one}({kinds}) {{}}\n" for one, kinds in PRINTS.items())
HOSTS = {("spectest", one): f"spectest_{one}" for one in PRINTS}
MOST_MEMORY = 64 << 20


@dataclass
class Report:
    """What became of a script's commands."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


class Player:
    """Plays one script."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.report = Report()
        self.current: Native | None = None
        self.named: dict[str, Native | None] = {}
        self.opened: list[Native] = []

    def play(self) -> Report:
        """All commands in order."""
        try:
            for line, form in commands(self.text):
                self._command(line, form)
        finally:
            for instance in self.opened:
                instance.close()
        return self.report

    def _command(self, line: int, form: Form) -> None:
        try:
            wrong = self._run(form)
        except KeyError as error:
            self.report.counts[f"left out: {error}"] += 1
        except (ModuleError, wasmtime.WasmtimeError) as error:  # a feature that no target has
            self.report.counts[f"left out: {str(error).splitlines()[0]}"] += 1
        except TrapError as error:
            self.report.failures.append(f"line {line}: {form.head}: {error}")
        else:
            self.report.counts[form.head if wrong is None else "failed"] += 1
            if wrong is not None:
                self.report.failures.append(f"line {line}: {self.text[form.start : form.end]}: {wrong}")

    def _run(self, form: Form) -> str | None:
        """Play one command; says what is wrong. KeyError for what isn't ours to play."""
        match form.head:
            case "module":
                self._module(form)
            case "invoke":
                self._act(form)
            case "assert_return":
                got = self._act(form.forms[0])
                wanted = form.forms[1:]
                if len(got) != len(wanted) or not all(map(matches, wanted, got)):
                    return f"got {[hex(value) for value in got]}"
            case "assert_trap" | "assert_exhaustion":
                return self._trap(form)
            case "assert_invalid" | "assert_malformed":
                return self._refused(form.forms[0])
            case _:
                raise KeyError(form.head)
        return None

    def _module(self, form: Form) -> None:
        words = form.words[1:]
        self.current = None
        if words and words[0].startswith("$"):
            self.named[words[0]] = None
        self.current = self._open(module_bytes(form, self.text))
        if words and words[0].startswith("$"):
            self.named[words[0]] = self.current

    def _open(self, binary: bytes) -> Native:
        module = read(binary)
        for one in module.imports:
            if (one.module, one.name) not in HOSTS:
                raise KeyError(f"import {one.module}.{one.name}")
        declared = module.memories[0].minimum * module.memories[0].page if module.memories else 0
        memory = min(declared + MOST_MEMORY, 2 * MOST_MEMORY)
        instance = Native(binary, hosts=HOSTS, prelude=PRELUDE, memory=memory)
        self.opened.append(instance)
        if len(self.opened) > 8:
            keep = [one for one in self.opened if one is instance or one in self.named.values()]
            for one in self.opened:
                if one not in keep:
                    one.close()
            self.opened = keep
        return instance

    def _act(self, form: Form) -> list[int]:
        words = form.words[1:]
        instance = self.current
        if words[0].startswith("$"):
            instance = self.named[words[0]]
            words = words[1:]
        if form.head != "invoke" or instance is None:
            raise KeyError(form.head if instance else "no module")
        return instance.call(name(words[0]), *(bits(value) for value in form.forms))

    def _trap(self, form: Form) -> str | None:
        wanted = name(form.words[-1])
        action = form.forms[0]
        try:
            if action.head == "module":
                self._open(module_bytes(action, self.text))
                got: list[int] = []
            else:
                got = self._act(action)
        except TrapError as error:
            words = TRAPS[Trap(error.code)]
            return None if any(wanted.startswith(word) for word in words.split("|")) else words
        except ModuleError:
            return None if action.head == "module" else "refused"  # what traps at once never starts
        return f"no trap, but {[hex(value) for value in got]}"

    def _refused(self, form: Form) -> str | None:
        try:
            binary = module_bytes(form, self.text)
            validate_core(binary)
            read(binary)
        except (wasmtime.WasmtimeError, UnicodeError, ModuleError):
            return None
        return f"accepted, line {line_of(self.text, form)}"


def play(text: str) -> Report:
    """Play a script."""
    return Player(text).play()
