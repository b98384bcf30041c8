"""One Machine: what an emulated board can do, whichever emulator runs it.

A backend (qemu.py, renode.py) is one class that follows `Machine`; a board is data on its page in
hal/boards. What a backend lacks it tells in `capabilities`, and the call raises Unsupported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from emulation.errors import Unsupported
from hal.boards import Board

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]
"""Opens a byte stream to a device: what the HAL's link wants as its factory."""


class Capability(Enum):
    """What a machine may be able to do; the value is how the console words it."""

    PAUSE = "pause and resume"
    RESET = "reset"
    POWER_CUT = "power cut"
    RUN_FOR = "run for a virtual time"
    VIRTUAL_TIME = "virtual time"
    INSTRUCTIONS = "count instructions"
    READ_MEMORY = "read memory"
    WRITE_MEMORY = "write memory"
    READ_REGISTERS = "read registers"
    WRITE_REGISTERS = "write registers"
    UART = "serial link"
    READ_PINS = "read pins"
    DRIVE_PINS = "drive pins"
    SENSORS = "set sensors"
    GDB = "debug with GDB"
    SNAPSHOT = "snapshot"
    PROFILE = "count each instruction"
    REVERSE = "run backwards"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one machine can do; for everything else `missing` has a sentence that says why not."""

    supported: frozenset[Capability]
    missing: Mapping[Capability, str] = field(default_factory=dict)

    def __contains__(self, capability: Capability) -> bool:
        return capability in self.supported

    def why_not(self, capability: Capability) -> str:
        """The reason why a capability is absent, or "" where it is present."""
        if capability in self.supported:
            return ""
        return self.missing.get(capability, f"This emulator cannot {capability.value}.")

    def having(self, *capabilities: Capability) -> Capabilities:
        """The same with these."""
        return Capabilities(self.supported.union(capabilities), self.missing)

    def without(self, capability: Capability, why: str) -> Capabilities:
        """The same but for one, with the sentence that says why it is not there."""
        return Capabilities(self.supported - {capability}, {**self.missing, capability: why})

    def require(self, capability: Capability) -> None:
        """Raise Unsupported unless the capability is there."""
        if capability not in self.supported:
            raise Unsupported(self.why_not(capability))


class State(Enum):
    """What a machine is doing."""

    OFF = "off"
    RUNNING = "running"
    PAUSED = "paused"
    DIED = "died"


@dataclass(frozen=True, slots=True)
class Counters:
    """What passed in the machine since power on; None where the backend cannot tell.

    `virtual_time` is in seconds; `virtual_error` is how far off it may be, in seconds.
    """

    virtual_time: float | None = None
    virtual_error: float = 0.0
    instructions: int | None = None


class Machine(Protocol):
    """One emulated board.

    Lifecycle: start(), any calls from one event loop, stop(); start() again is a new power-on. Or
    `async with machine:` around it, which stops at the end. Errors are emulation.errors.EmulationError.
    """

    @property
    def name(self) -> str:
        """As on the command line: `stm32f4@qemu`."""
        ...

    @property
    def board(self) -> Board: ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def state(self) -> State: ...

    @property
    def pid(self) -> int | None:
        """The emulator's process id while it lives."""
        ...

    @property
    def gdb(self) -> str | None:
        """What GDB's `target remote` takes, such as "127.0.0.1:4444"; None while off."""
        ...

    async def start(self, image: Path, *, paused: bool = False) -> None:
        """Power on with an ELF image. An open that fails undoes what it began."""
        ...

    async def stop(self) -> None:
        """Power off; idempotent. Nothing of the emulator remains."""
        ...

    async def __aenter__(self) -> Machine: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def load(self, image: Path) -> None:
        """Flash another image and power-cycle into it."""
        ...

    async def pause(self) -> None: ...

    async def resume(self) -> None: ...

    async def reset(self) -> None:
        """Pull the reset line: the core restarts, RAM keeps what it holds."""
        ...

    async def power_cut(self, seconds: float = 0.0) -> None:
        """Cut the power for that many host seconds: RAM is lost, the link breaks, flash stays."""
        ...

    async def drift(self, share: float) -> None:
        """From now on the board's clock loses that share of its time (0.1: a tenth) against ours; 0 is right.
        It is held back now and then: to whoever looks it is paused meanwhile."""
        ...

    async def wear(self, cells: int, *, seed: int = 0) -> None:
        """So many programmed cells of the flash lose their charge (emulation.wear), and the power is cut.
        load() brings a flash that is whole."""
        ...

    async def run_for(self, seconds: float) -> None:
        """From paused, run that many virtual seconds, then pause again."""
        ...

    async def counters(self) -> Counters: ...

    async def executed(self) -> Mapping[int, int]:
        """How often the instruction at each address ran since power on. Unsupported if not counted."""
        ...

    async def read_memory(self, address: int, size: int) -> bytes:
        """`size` bytes as the core's data bus sees them. Peripheral reads may have side effects."""
        ...

    async def write_memory(self, address: int, data: bytes) -> None: ...

    async def read_registers(self) -> Mapping[str, int]:
        """The core's registers by GDB's lower-case names: r0..r12, sp, lr, pc, xpsr; or x0..x31, pc."""
        ...

    async def write_register(self, name: str, value: int) -> None: ...

    async def connect(self) -> Streams:
        """The UART of the link. One client at a time: a new one takes over from the last. ConnectionError
        while the machine is off."""
        ...

    async def read_pin(self, pin: int) -> bool:
        """The level that the firmware drives on an output pin."""
        ...

    async def drive_pin(self, pin: int, level: bool) -> None:
        """Hold an input pin at a level, from outside."""
        ...

    async def set_sensor(self, name: str, value: float) -> None: ...

    async def save(self, path: Path) -> None:
        """Write a snapshot of the whole machine to a file."""
        ...

    async def restore(self, path: Path) -> None:
        """Go back to a snapshot of the same machine and image."""
        ...

    async def wait_died(self) -> str:
        """Return when the emulator ended without stop(): the sentence that says how."""
        ...
