"""From a target's name to a Target that is open: the only place that knows how targets are made.

A name is `host`, BOARD, BOARD@EMULATOR or BOARD@/dev/PORT; `-2`, `-3` … after `host` or the emulator name
a second, third … of the same kind: stm32f4@qemu-2.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console.errors import EnvironmentMissing, UsageError
from hal.boards import Board, board_names, load_board
from hal.errors import BoardError
from hal.target import Target

if TYPE_CHECKING:
    from emulation.faults import LinkFaults
    from emulation.machine import Machine
    from emulation.pins import PinTrace
    from emulation.wires import Harness
    from hal.link import Traced

log = logging.getLogger(__name__)

HOST = "host"

_HOST = re.compile(r"host(-[1-9][0-9]*)?")
_EMULATOR = re.compile(r"(?P<emulator>[a-z]+)(?:-(?P<number>[1-9][0-9]*))?")

Tell = Callable[[str], None]
"""Hears what is being done, in a few words: "building the firmware"."""


@dataclass(frozen=True, slots=True)
class TargetName:
    """A target's name, taken apart. `board` is None for the host; `emulator` or `port` is set for a board."""

    text: str
    """In full: the bare `stm32f4` is `stm32f4@qemu`."""
    board: Board | None = None
    emulator: str | None = None
    port: str | None = None


def parse_name(text: str) -> TargetName:
    """UsageError or BoardError says what is wrong with the name."""
    if _HOST.fullmatch(text):
        return TargetName(text)
    name, _, where = text.partition("@")
    try:
        board = load_board(name)
    except BoardError as error:
        known = ", ".join((*board_names(), HOST))
        raise UsageError(
            f"There is no target {text!r}.", remedy=f"Targets begin with one of: {known}."
        ) from error
    if where.startswith("/"):
        return TargetName(text, board, port=where)
    where = where or board.default_emulator or ""
    match = _EMULATOR.fullmatch(where)
    if match is None or match["emulator"] not in board.emulators:
        known = ", ".join(f"{name}@{each}" for each in board.emulators)
        remedy = f"There is {known}, and {name}@/dev/PORT for a real one."
        raise UsageError(f"Board {name} has no emulator {where!r}.", remedy=remedy)
    return TargetName(f"{name}@{where}", board, emulator=match["emulator"])


def parse_names(texts: Iterable[str]) -> tuple[TargetName, ...]:
    """All of them; UsageError when one comes twice."""
    names = tuple(parse_name(text) for text in texts)
    check_unique(names)
    return names


def check_unique(names: Iterable[TargetName]) -> None:
    """UsageError when two targets have one name."""
    seen: set[str] = set()
    for name in names:
        if name.text in seen:
            remedy = f"A second one of its kind is {name.text}-2." if name.port is None else ""
            raise UsageError(f"Target {name.text} is named twice.", remedy=remedy)
        seen.add(name.text)


def harness_of(names: Iterable[TargetName], wires: Iterable[str]) -> Harness:
    """Wires in words, between the pins of these targets. UsageError says what cannot be."""
    from emulation.errors import MachineError

    try:
        return _harness(names, wires)
    except MachineError as error:
        raise UsageError(str(error)) from error


def _harness(names: Iterable[TargetName], wires: Iterable[str]) -> Harness:
    from emulation.wires import Harness, Wire

    parsed = []
    for wire in (Wire.parse(text) for text in wires):
        source, sink = parse_name(wire.source).text, parse_name(wire.sink).text  # a bare board's in full
        parsed.append(Wire(source, wire.output, sink, wire.input))
    ends = {end for wire in parsed for end in (wire.source, wire.sink)}
    emulated = {
        name.text: f"{name.board.name}@{name.emulator}"
        for name in names
        if name.board is not None and name.emulator is not None and name.text in ends
    }
    return Harness(emulated, parsed)


@dataclass(frozen=True, slots=True)
class Setup:
    """How a board is brought up, beyond its name. `faults` spoil its link, `icount` N makes an emulated
    instruction take 2**N ns, `on_trace` hears every CoAP message. `harness` has the wires at it,
    and the name that they call it by; `counts`: each of its instructions is counted (slower). `pins` hears of
    its pins' levels."""

    faults: LinkFaults | None = None
    icount: int | None = None
    on_trace: Callable[[Traced], None] | None = None
    harness: tuple[Harness, str] | None = None
    counts: bool = False
    pins: PinTrace | None = None


class Member:
    """One target of a fleet with the machine under it. open() once, close() once; an open that fails
    undoes what it began."""

    def __init__(self, name: TargetName, setup: Setup | None = None) -> None:
        self.name = name
        self._setup = setup or Setup()
        self.machine: Machine | None = None
        self.firmware: Path | None = None
        self._target: Target | None = None

    @property
    def faults(self) -> LinkFaults | None:
        """How bad its link is; None where it cannot be spoilt."""
        return self._setup.faults if self.name.board is not None else None

    @property
    def target(self) -> Target:
        """The target; only after open()."""
        assert self._target is not None
        return self._target

    @property
    def opened(self) -> bool:
        """open() succeeded and close() was not called yet."""
        return self._target is not None

    async def open(self, tell: Tell) -> None:
        """Bring the target up. HalError or EmulationError says what failed."""
        try:
            target = await self._make(tell)
            tell("reaching the kernel" if self.name.board else "starting")
            await self._reach(target)
        except BaseException:
            await self._stop_machine()
            raise
        self._target = target

    async def _reach(self, target: Target) -> None:
        """Open it. If its emulator ends meanwhile, that is the error: it has last words."""
        if self.machine is None:
            await target.open()
            return
        died = asyncio.create_task(self.machine.wait_died(), name=f"death of {self.name.text}")
        opening = asyncio.create_task(target.open(), name=f"open {self.name.text}")
        try:
            await asyncio.wait((died, opening), return_when=asyncio.FIRST_COMPLETED)
            if died.done():
                from emulation.errors import MachineDied

                raise MachineDied(died.result())
            await opening
        finally:
            for task in (died, opening):
                task.cancel()
            await asyncio.gather(died, opening, return_exceptions=True)

    async def close(self) -> None:
        """Let go of the target and stop its machine. Idempotent."""
        target, self._target = self._target, None
        try:
            if target is not None:
                await target.close()
        finally:
            await self._stop_machine()

    async def restart(self, firmware: Path) -> None:
        """Power-cycle the emulated board into another kernel. What ran on it is lost."""
        assert self.machine is not None
        await self.machine.load(firmware)
        self.firmware = firmware

    async def _make(self, tell: Tell) -> Target:
        board = self.name.board
        if board is None:
            from hal.host import HostTarget

            return HostTarget(self.name.text)
        if self.name.port is not None:
            return _real_target(self.name, board, self.name.port, self._setup)
        self.firmware = await build_firmware(board, tell)
        from emulation.targets import open_machine
        from hal.mcu import McuTarget

        setup = self._setup
        if setup.harness is not None:
            harness, name = setup.harness
            self.machine = harness.open_machine(
                name, faults=setup.faults, icount=setup.icount, counts=setup.counts, pins=setup.pins
            )
        else:
            kind = f"{board.name}@{self.name.emulator}"
            self.machine = open_machine(
                kind, faults=setup.faults, icount=setup.icount, counts=setup.counts, pins=setup.pins
            )
        tell(f"starting {self.name.emulator}")
        await self.machine.start(self.firmware)
        return McuTarget(self.name.text, board, self.machine.connect, on_trace=setup.on_trace)

    async def _stop_machine(self) -> None:
        if self.machine is not None:
            await self.machine.stop()


async def build_firmware(board: Board, tell: Tell) -> Path:
    """The board's kernel as an ELF, built when a source changed."""
    from hal.firmware import build

    tell("building the firmware")
    return await asyncio.to_thread(lambda: build(board).elf)


def _real_target(name: TargetName, board: Board, port: str, setup: Setup) -> Target:
    if not Path(port).exists():
        raise EnvironmentMissing(
            f"There is no serial port {port}.",
            remedy="Is the board plugged in? `mma boards` lists the ports.",
        )
    from hal.link import Connect
    from hal.link.serial import SerialPort
    from hal.mcu import McuTarget

    connect: Connect = SerialPort(port, board.baud).connect
    if setup.faults is not None:
        from emulation.faults import with_faults

        connect = with_faults(connect, setup.faults)
    # A device that the operator gave a name of its own is who it is by that name: another may take its place.
    by_port = name.text == f"{board.name}@{port}"
    return McuTarget(name.text, board, connect, on_trace=setup.on_trace, by_id=by_port)
