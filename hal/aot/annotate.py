"""Carries a module's own debug information into the C that is made of it; clang carries it on to native code.

Lines: statements stand behind #line directives that name the source. Variables: each becomes a C variable
that nobody reads; it is assigned wherever its value comes to be, or moves. clang drops the assignments and
keeps what they say, so the code is the same to the byte. Names that C could not bear are written over
clang's afterwards (`rename`): the debugger sees `n` and `const char *`, not mma_v3_0 and mma_t1.

Pointers stay what they are to the guest: offsets into its linear memory. A variable that lies there is
shown by its offset, and its type ends in `&`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from elftools.elf.elffile import ELFFile

from hal.aot import debug
from hal.aot.debug import Place, Variable
from hal.aot.lines import WASM

_FITS = {"u32": ("u32", "s32"), "u64": ("u64", "s64"), "float": ("float",), "double": ("double",)}
"""Types of a C parameter that are passed as the one that WebAssembly has."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What follows in a function comes from this line. `file` is a C string literal."""

    file: str
    line: int

    @property
    def c(self) -> str:
        """The directive. Damaged debug information may have any number, C takes 1 to 2**31 - 1."""
        return f"#line {min(max(self.line, 1), 0x7FFFFFFF)} {self.file}"


@dataclass(slots=True)
class Names:
    """C names, and what a debugger is to show in their place."""

    shown: dict[str, str] = field(default_factory=dict)
    types: dict[tuple[str, str], str] = field(default_factory=dict)
    """C names of types, by the C type they are and their text."""

    def add(self, name: str, text: str) -> str:
        """A C name that is long enough to be written over by `text`."""
        name = name.ljust(len(text), "_")
        self.shown[name] = text
        return name

    def type(self, c: str, text: str) -> str:
        """A C type with its name in the source."""
        text = "".join(char for char in text if 32 <= ord(char) < 127)[:60]
        key = (c, text)
        if key not in self.types:
            self.types[key] = self.add(f"mma_t{len(self.types)}", text)
        return self.types[key]

    def typedefs(self) -> list[str]:
        """In C."""
        return [f"typedef {c} {name};" for (c, _), name in self.types.items()]


class Annotator:
    """Follows one function while it is written. Without debug information for it, does nothing."""

    def __init__(
        self, info: debug.DebugInfo | None, names: Names, index: int, kinds: Sequence[str], place: int
    ):
        """`kinds` are the C types of its parameters, `place` where its code begins in the module."""
        self._info = info
        self._names = names
        self._index = index
        self._kinds = kinds
        self._place = place
        self.function = info.function(place) if info is not None else None
        variables = self.function.variables if self.function is not None else ()
        given = [one for one in variables if one.parameter]
        self._parameters = given if len(given) == len(kinds) else []
        self._variables = [
            (self._name(number, one), one) for number, one in enumerate(variables) if one.ranges
        ]
        self._active: dict[str, tuple[Variable, Place]] = {}
        self._line: tuple[str, int] | None = None
        self._stale = False

    # -- head of the function

    def parameters(self) -> list[str]:
        """Declarations of its parameters. The body's l0 ... are made of them, see declarations()."""
        if self.function is None:
            return [f"{kind} l{number}" for number, kind in enumerate(self._kinds)]
        return [
            f"{self._parameter_type(number)} {self.parameter(number)}" for number in range(len(self._kinds))
        ]

    def parameter(self, number: int) -> str:
        """The C name of a parameter."""
        shown = debug.plain(self._parameters[number].name) if self._parameters else f"l{number}"
        return self._names.add(f"mma_p{self._index}_{number}", shown)

    def declarations(self) -> list[str]:
        """Of its variables, and of the parameters' copies that the body works with."""
        if self.function is None:
            return []
        copies = [f"{kind} l{n} = {self.parameter(n)};" for n, kind in enumerate(self._kinds)]
        own = [f"{self._type(one)} {name};" for name, one in self._variables if not self._is_parameter(one)]
        return copies + own

    def head(self) -> str:
        """The line that the function itself is at, as a directive before it."""
        if self.function is None or not self.function.line:
            return f"{Mark(debug.quoted(WASM), self._place).c}\n"
        return f"{Mark(debug.quoted(self.function.file), self.function.line).c}\n"

    def _is_parameter(self, variable: Variable) -> bool:
        return any(one is variable for one in self._parameters)

    def _name(self, number: int, variable: Variable) -> str:
        for place, one in enumerate(self._parameters):
            if one is variable:
                return self.parameter(place)
        return self._names.add(f"mma_v{self._index}_{number}", debug.plain(variable.name))

    def _parameter_type(self, number: int) -> str:
        kind = self._kinds[number]
        if not self._parameters:
            return kind
        type_ = self._parameters[number].type
        return self._names.type(type_.c if type_.c in _FITS.get(kind, ()) else kind, type_.text)

    def _type(self, variable: Variable) -> str:
        type_ = variable.type
        if variable.ranges[0][2].memory or not type_.c:
            return self._names.type("u32", f"{type_.text} &")
        return self._names.type(type_.c, type_.text)

    # -- body

    def at(self, place: int, text: Callable[[Place], str]) -> Iterator[Mark | str]:
        """What to write before the instruction at a place; `text` gives the C of a value that is there."""
        line = (self._info.line(place) if self._info is not None else None) or (WASM, place)
        if line != self._line:
            self._line, self._stale = line, True
            yield Mark(debug.quoted(line[0]), line[1])
        for name, variable in self._variables:
            found = next((where for low, high, where in variable.ranges if low <= place < high), None)
            if found is not None and found.memory is not variable.ranges[0][2].memory:
                found = None
            before = self._active.get(name)
            if found is None:
                if before is not None:
                    del self._active[name]
                    yield f"{{ HIDDEN __typeof__({name}) gone; {name} = gone; }}"
            elif self._stale or before is None or before[1] != found:
                self._active[name] = (variable, found)
                yield f"{name} = {text(found)};"
        self._stale = False

    def wrote(self, local: int) -> Iterator[str]:
        """After a local was set: what lives there has another value."""
        for name, (_, where) in self._active.items():
            if where.kind == "local" and where.index == local:
                yield f"{name} = {f'l{local} + {where.offset}u' if where.offset else f'l{local}'};"

    def joined(self) -> None:
        """Several ways lead to here: what is known must be said again."""
        self._stale = True


def render(lines: Sequence[Mark | str]) -> str:
    """Statements, all of one source line in one line of text, so that clang counts as the source does."""
    out: list[str] = []
    row: list[str] = []
    for one in lines:
        if isinstance(one, Mark):
            out += [" ".join(row)] if row else []
            out.append(one.c)
            row = []
        else:
            row.append(one)
    return "\n".join([*out, " ".join(row)])


def rename(path: Path, names: dict[str, str]) -> None:
    """Write what is to be shown over the C names in an object's debug information.

    .debug_str holds strings that end in a zero; others point to their beginnings, which stay where they are.
    """
    with path.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".debug_str")
        if section is None:
            return
        offset, data = int(section["sh_offset"]), bytearray(section.data())
    place = 0
    while place < len(data):
        end = data.find(b"\0", place)
        end = len(data) if end < 0 else end
        shown = names.get(data[place:end].decode("utf-8", "replace"))
        if shown is not None:
            data[place:end] = shown.encode()[: end - place].ljust(end - place, b"\0")
        place = end + 1
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def hide(body: str, letters: str) -> str:
    """Temporaries are of no interest to who debugs: they get no debug information."""
    return re.sub(rf"(?<![\w.])(u32|u64|float|double|R[ilfdr]+) (?=[{letters}]\d)", r"HIDDEN \1 ", body)
