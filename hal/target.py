"""What the agent core needs of a target, and nothing more: the seam between `agent` and `hal`.

A target is one computer that runs WASM executors: a microcontroller behind a link, or the gateway
itself. It tells its resources, spawns and kills executors, and reports what happens as events.
Nothing here knows Mesos's wire or any hardware.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

MEBIBYTE = 1 << 20
"""Mesos counts `mem` in MB of 2**20 bytes (stout/bytes.hpp)."""


# -- what a target offers -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scalar:
    """A Mesos scalar resource: three decimals (Mesos rounds to 0.001), `mem` and `disk` in MB."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Ranges:
    """A Mesos ranges resource: inclusive (first, last) pairs, such as gpio:[0-15]."""

    name: str
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A Mesos set resource, such as sensors:{temp0,accel}."""

    name: str
    items: frozenset[str]


Resource = Scalar | Ranges | Items


@dataclass(frozen=True, slots=True)
class Description:
    """The facts of a target that its Mesos agent advertises.

    `resources` are the device's own words (what it has), `attributes` are Mesos TEXT attributes:
    board, mcu, isa, firmware, isolation ... `mem_bytes` is the exact size behind the `mem` scalar.
    """

    name: str
    resources: tuple[Resource, ...]
    attributes: Mapping[str, str]
    mem_bytes: int
    identity: str = ""
    """What the device itself says who it is, by whatever name and way it is reached; empty where it can't."""
    bursts: bool = False
    """Whether it can give an executor memory past its `mem` without lacking it for others: Budget.burst."""


# -- what a task asks ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Budget:
    """What the task's resources and labels allow its executor.

    `total` bytes is the task's `mem`, to be split into code, stack, linear memory, log and result;
    a part given in bytes is exact, a part that is None is chosen by the target. `total` None means
    "what it needs" (only `mma run` without --mem asks so). `cpus` is the share of one core. `burst` is
    how many bytes the linear memory may grow to past `total`, where the target bursts.
    """

    total: int | None = None
    cpus: float = 0.1
    stack: int | None = None
    memory: int | None = None
    log: int | None = None
    burst: int = 0


@dataclass(frozen=True, slots=True)
class Grants:
    """What else the executor may touch: pins and sensors that its resources hold."""

    gpio: frozenset[int] = frozenset()
    sensors: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Launch:
    """One executor to be spawned.

    `key` names it among all that this target ever ran (the agent uses framework id + "/" + task id).
    `arguments` are the guest's mma_arg(0..), without a program name.
    """

    key: str
    module: bytes
    arguments: tuple[str, ...] = ()
    budget: Budget = field(default_factory=Budget)
    grants: Grants = field(default_factory=Grants)
    checked: tuple[str, ...] = ()
    """Exports of the module, () -> (i32), that call() may have called while the guest waits."""


# -- what happens ---------------------------------------------------------------------------------


class Cause(Enum):
    """Why an executor ended."""

    EXITED = "exited"  # its entry returned or it called exit; `status` tells how
    TRAPPED = "trapped"  # a WASM trap, named in the message
    FAULTED = "faulted"  # the hardware caught it (MPU, PMP, bus): a trap of last resort
    MEMORY_LIMIT = "memory limit"  # it touched memory past its budget
    KILLED = "killed"  # kill() was called
    MODULE_REJECTED = "module rejected"  # it never ran: invalid or unsupported module
    NO_ROOM = "no room"  # it never ran: the target has not enough of something
    LAUNCH_FAILED = "launch failed"  # it never ran: toolchain, link or device error
    DEVICE_RESET = "device reset"  # the device restarted under it; its fate is known to be gone
    DEVICE_GONE = "device gone"  # the device vanished and will not come back


class Stage(Enum):
    """The stages of a launch, in order."""

    VALIDATE = "validate"
    COMPILE = "compile"
    LINK = "link"
    UPLOAD = "upload"


@dataclass(frozen=True, slots=True)
class Usage:
    """What an executor used so far: CPU seconds, context switches, bytes at their high-water marks."""

    cpu_seconds: float = 0.0
    switches: int = 0
    code_bytes: int = 0
    stack_bytes: int = 0
    stack_peak: int = 0
    memory_bytes: int = 0
    memory_peak: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """A launch advances: `done` of `total` (bytes for UPLOAD, else 0 or 1 of 1)."""

    key: str
    stage: Stage
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Artifact:
    """A text about the executor for who looks closer: its link map, its budget. Comes before Started."""

    key: str
    name: str
    """A file's name, such as module.map."""
    text: str


@dataclass(frozen=True, slots=True)
class Started:
    """The executor runs."""

    key: str


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes that the executor logged, in order; `dropped` bytes were lost before them."""

    key: str
    data: bytes
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """The executor ended; the last event of its key.

    `status` is the entry's return value (0 = success) and only meaningful for EXITED. `message` is a
    sentence for a person, with the function and trap where there is one; `trace` is the whole chain of calls
    that led there, a line each, innermost first. `output` is what the guest published by mma_result().
    """

    key: str
    cause: Cause
    status: int = 0
    message: str = ""
    output: bytes = b""
    usage: Usage = field(default_factory=Usage)
    trace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A line of the target itself: boot text, kernel messages, link trouble."""

    text: str


@dataclass(frozen=True, slots=True)
class Connection:
    """The link came up or went down; executors on the device may well live on while it is down."""

    up: bool
    message: str = ""


Event = Progress | Artifact | Started | Output | Ended | Diagnostic | Connection


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of the link as a line; `time` since the epoch, `key` of the executor that it is about, or
    empty."""

    time: float
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Trace:
    """Messages, oldest first; `next` is what to ask with for those that follow."""

    next: int
    lines: tuple[Heard, ...]


@runtime_checkable
class Traces(Protocol):
    """A target with a link whose messages can be told. They are kept while somebody asks."""

    def trace(self, after: int) -> Trace:
        """Those after number `after`, as far as they are kept."""
        ...


class Target(Protocol):
    """One computer that runs WASM executors.

    Lifecycle: open() once, then any calls in any order from one event loop, close() once. An open that
    fails undoes what it began. All errors are hal.errors.HalError.
    """

    @property
    def name(self) -> str:
        """As on the command line: `stm32f4@qemu`, `host`."""
        ...

    async def open(self) -> None:
        """Reach the target and read its facts. LinkError when nobody answers."""
        ...

    async def close(self) -> None:
        """Let go of the target. Idempotent. Executors on a real device are left running."""
        ...

    def describe(self) -> Description:
        """The facts read by open()."""
        ...

    async def recover(
        self, keys: Collection[str], offsets: Mapping[str, int] | None = None
    ) -> frozenset[str]:
        """Find executors again that an earlier gateway launched; to be called before any spawn().

        Those found are followed from now on: Output from `offsets` on (bytes of log seen by then, 0 if not
        given), Ended when they end or have ended. The keys not found are not on the target any more. All
        else that is on it is ended and removed. From then on the target keeps what tells of an end until
        release(key), so that a gateway that dies between can ask again. LinkError when nobody answers.
        """
        ...

    async def release(self, key: str) -> None:
        """The end of `key` is on record: the target may forget the executor. Unknown keys are ignored."""
        ...

    async def spawn(self, launch: Launch) -> None:
        """Begin to launch; returns at once. All that follows, success or failure, comes as events:
        Progress* and Artifact*, then Started, Output*, Ended; or Ended without Started."""
        ...

    async def kill(self, key: str, grace: float = 0.0) -> None:
        """End an executor: tell its guest, and wait `grace` seconds for it to end by itself. Its Ended
        follows (KILLED unless it ended first). Unknown keys are ignored."""
        ...

    async def send(self, key: str, data: bytes) -> None:
        """Hand a message to a guest; HalError says why it does not take it."""
        ...

    async def call(self, key: str, request: int) -> None:
        """Have an export of a guest called, as soon as it waits; see hal/checks.py for `request` and for the
        line of Output that answers. HalError says why it is not to be."""
        ...

    async def usage(self) -> Mapping[str, Usage]:
        """What each living executor used so far, by key."""
        ...

    def events(self) -> AsyncIterator[Event]:
        """All events from this call on; each caller gets its own complete stream."""
        ...
