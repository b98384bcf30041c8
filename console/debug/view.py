"""What the debugger shows, as facts for the eye: no GDB, no sockets, cheap to import."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Phase(Enum):
    """Where the debugger is with its target; the value is what a person reads."""

    DETACHED = "not attached"
    ATTACHING = "attaching"
    RUNNING = "running"
    STOPPED = "stopped"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a program. `owner` is `kernel` or an executor's task; `line` 0 where no source is known."""

    address: int = 0
    function: str = ""
    path: str = ""
    line: int = 0
    owner: str = ""

    @property
    def where(self) -> str:
        """`fib.c:5`, or the address."""
        return f"{self.path.rpartition('/')[2]}:{self.line}" if self.line else f"{self.address:#010x}"


@dataclass(frozen=True, slots=True)
class Frame:
    """One call, level 0 the innermost."""

    level: int
    spot: Spot
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """A variable, a watched expression, or a register. `detail` is what a pointer leads to."""

    name: str
    text: str
    type: str = ""
    changed: bool = False
    argument: bool = False
    detail: str = ""
    path: str = ""
    """The expression that it is the value of; that of a member is longer than its name."""
    depth: int = 0
    """In how many others it is."""
    opens: bool = False
    """It has members, elements, or leads to something."""
    opened: bool = False
    """Those follow it."""
    watched: bool = False
    """It is a watched expression, or in one."""

    @property
    def key(self) -> str:
        """Names it among all that are shown; an expression is watched beside the variable of its name."""
        return f"{'watch ' if self.watched else ''}{self.path or self.name}"


@dataclass(frozen=True, slots=True)
class Code:
    """One instruction. `line` is that of its source, 0 where none is known."""

    address: int
    text: str
    opcodes: bytes
    function: str
    offset: int
    line: int = 0
    file: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A source file. `code` are the lines that have instructions."""

    path: str
    lines: tuple[str, ...]
    code: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Break:
    """A breakpoint or watchpoint. `spots` are the (path, line) that it is at."""

    key: str
    what: str
    kind: str
    where: str
    enabled: bool = True
    hits: int = 0
    ignore: int = 0
    condition: str = ""
    waiting: bool = False
    """Nothing has it yet; an executor that comes may."""
    spots: tuple[tuple[str, int], ...] = ()
    addresses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bits:
    """A field of a peripheral's register."""

    name: str
    bits: str
    value: int
    meaning: str
    changed: bool
    description: str = ""


@dataclass(frozen=True, slots=True)
class Register:
    """A register of a peripheral. `value` is None where it was not read: `why_not`."""

    name: str
    address: int
    value: int | None
    changed: bool
    why_not: str = ""
    description: str = ""
    fields: tuple[Bits, ...] = ()


@dataclass(frozen=True, slots=True)
class Unmodelled:
    """An access that the emulator has no model for. `pc` is 0 where it does not tell."""

    what: str
    count: int
    pc: int = 0
    verb: str = ""
    """read or write; empty where it is neither."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of the kernel. `current`: it ran last."""

    number: int
    state: str
    task: str
    current: bool


@dataclass(frozen=True, slots=True)
class Bytes:
    """Memory that is looked at. `changed` are offsets that differ from the last look."""

    address: int
    data: bytes
    what: str = ""
    changed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the debugger's console. `kind`: typed, gdb, target, sent, note or trouble."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class DebugView:
    """All of it. Times are seconds since the epoch."""

    target: str = ""
    phase: Phase = Phase.DETACHED
    sentence: str = ""
    """Why and where it stopped; or why there is nothing to see, and what to do."""
    serial: int = 0
    """Grows with every stop."""
    held_since: float = 0.0
    ping_limit: float = 75.0
    """Seconds without an answer after which the master takes an agent for lost."""
    frames: tuple[Frame, ...] = ()
    frame: int = 0
    spot: Spot = field(default_factory=Spot)
    """Of the selected frame."""
    source: Text | None = None
    variables: tuple[Value, ...] = ()
    hidden: int = 0
    """Variables that have no value here."""
    watches: tuple[Value, ...] = ()
    registers: tuple[Value, ...] = ()
    code: tuple[Code, ...] = ()
    breaks: tuple[Break, ...] = ()
    slots: tuple[Slot, ...] = ()
    peripherals: tuple[str, ...] = ()
    peripheral: str = ""
    device_registers: tuple[Register, ...] = ()
    unmodelled: tuple[Unmodelled, ...] = ()
    memory: Bytes | None = None
    said: tuple[Said, ...] = ()
    on_trap: bool = False
    reverse: bool = False
    why_not: str = ""
    """Why it cannot run backwards."""
    gives_up: float = 0.0
    """Seconds that a board may be held before the master gives it up; 0 for never."""
