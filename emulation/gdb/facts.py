"""What the debugger tells: one frozen dataclass a thing. Addresses and sizes are in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """What the target is doing, as GDB sees it."""

    DETACHED = "detached"
    STOPPED = "stopped"
    RUNNING = "running"
    EXITED = "exited"
    LOST = "lost"
    """The stub is gone; GDB lives, attach again."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Frame:
    """One call on the stack; level 0 is the innermost. `file` is the compiler's name, `path` on this disk."""

    level: int
    address: int
    function: str = ""
    file: str = ""
    path: str = ""
    line: int | None = None
    arguments: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A local or an argument. `value` is GDB's text; None for structures and arrays where not asked for."""

    name: str
    value: str | None
    type: str = ""
    argument: bool = False


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread of execution: a core, or a thread where the stub knows an RTOS."""

    id: str
    name: str
    running: bool
    frame: Frame | None
    current: bool


@dataclass(frozen=True, slots=True)
class Place:
    """One address of a breakpoint that has several."""

    number: str
    address: int | None
    enabled: bool
    function: str
    path: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """A breakpoint or watchpoint. `hits` counts since it was made, `ignore` how many to let pass yet."""

    number: str
    kind: str
    """GDB's word: breakpoint, hw breakpoint, hw watchpoint, read watchpoint, acc watchpoint, dprintf."""
    what: str
    """What was asked for: a location, or the watched expression."""
    enabled: bool
    temporary: bool
    hits: int
    ignore: int
    condition: str
    address: int | None
    function: str
    path: str
    line: int | None
    pending: bool
    """Its location does not exist yet, such as an executor that is not loaded."""
    places: tuple[Place, ...] = ()

    @property
    def watch(self) -> bool:
        return "watchpoint" in self.kind


@dataclass(frozen=True, slots=True)
class Register:
    """`value` is the raw bits, None where unavailable. `changed`: differs from the stop before."""

    number: int
    name: str
    value: int | None
    changed: bool

    @property
    def text(self) -> str:
        return "unavailable" if self.value is None else f"{self.value:#x}"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One machine instruction; `opcodes` as bytes in memory order."""

    address: int
    text: str
    opcodes: bytes
    function: str
    offset: int
    """From the start of its function."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """Instructions and the line they came from; `line` None where no source is known."""

    path: str
    file: str
    line: int | None
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that could be read; an unreadable stretch is left out between two of these."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Watched:
    """A GDB variable object: an expression that is followed and can be opened. `name` is its handle."""

    name: str
    expression: str
    type: str
    value: str
    children: int
    dynamic: bool
    in_scope: bool = True
    changed: bool = False

    @property
    def openable(self) -> bool:
        return self.children > 0 or self.dynamic


@dataclass(frozen=True, slots=True)
class SymbolFile:
    """An ELF whose symbols GDB knows. `start` and `end` bound its code; `offset` was added to both."""

    path: str
    start: int
    end: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function or a global from the debug information."""

    name: str
    description: str
    file: str
    path: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Source:
    """A text file that a program was compiled from; `code` are the lines that have instructions."""

    path: str
    lines: tuple[str, ...]
    code: frozenset[int]


@dataclass(frozen=True, slots=True)
class Completion:
    """What could follow a typed text: whole lines, and how far all of them agree."""

    text: str
    matches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attached:
    """The target as it was found.

    Attaching halts every target. `paused_for` are the seconds that this one was held, as measured, where it
    was let run on at once; None where it stays stopped. `reverse`: it can run backwards; else `why_not`.
    `features` are the stub's own words (qSupported).
    """

    address: str
    stub: str
    paused_for: float | None
    reverse: bool
    why_not: str
    features: tuple[str, ...]
    frame: Frame | None
