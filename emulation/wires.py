"""Wires between emulated boards: what one board drives on a pin, another one reads on its.

In Renode the boards are machines of one emulation, and its own connectors carry the level at the very instant
of virtual time. In QEMU each board is a process: the one that writes its outputs is held at that instruction
until the other's input has the level. So no edge is lost, and their order is kept, but the clocks of two
processes are not one: an edge arrives as much later as they are apart, some milliseconds of the host's time.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from emulation.errors import EmulationError, MachineError
from emulation.faults import LinkFaults
from emulation.machine import Capability, Machine, State
from emulation.pins import PinTrace
from emulation.qemu import QemuMachine
from emulation.renode import RenodeMachine
from emulation.renode_shared import SharedRenode
from emulation.targets import parse_target
from hal.boards import load_board

_NO_GDB = "QEMU has one GDB stub a board, which tells the wires that lead away from this one: use Renode."
_WIRE = re.compile(r"\s*(?:(?P<source>\S+):)?(?P<pin>\d+)\s*->\s*(?:(?P<sink>\S+):)?(?P<input>\d+)\s*")


@dataclass(frozen=True, slots=True)
class Wire:
    """From an output of a board to an input of another, or of the same one. Pins by number."""

    source: str
    output: int
    sink: str
    input: int

    @classmethod
    def parse(cls, text: str, here: str = "") -> Wire:
        """`BOARD:PIN -> BOARD:PIN`; a pin alone is one of the board `here`. MachineError if it is none."""
        match = _WIRE.fullmatch(text)
        source, sink = (match["source"] or here, match["sink"] or here) if match else ("", "")
        if match is None or not source or not sink:
            form = "PIN -> BOARD:PIN" if here else "BOARD:PIN -> BOARD:PIN"
            raise MachineError(f"{text!r} is no wire.", remedy=f"Write {form}.")
        return cls(source, int(match["pin"]), sink, int(match["input"]))

    def __str__(self) -> str:
        return f"{self.source}:{self.output} -> {self.sink}:{self.input}"


class Harness:
    """Boards with wires between them. Each is a Machine of its own, to be started and stopped as ever.

    `boards` are targets of one emulator by the names that the wires use: {"lamp": "stm32f4@qemu"}.
    MachineError says what cannot be wired.
    """

    def __init__(self, boards: Mapping[str, str], wires: Iterable[Wire]) -> None:
        self.wires = tuple(wires)
        self.boards: Mapping[str, str] = dict(boards)
        parsed = {name: parse_target(target) for name, target in boards.items()}
        emulators = {emulator for _, emulator in parsed.values()}
        if len(emulators) > 1:
            raise MachineError(
                f"A wire cannot lead from one emulator to another: {', '.join(sorted(boards.values()))}.",
                remedy="Take all boards of it in one.",
            )
        self._pages = {name: load_board(board) for name, (board, _) in parsed.items()}
        self._check(next(iter(emulators)))
        self._shared: SharedRenode | None = None
        if emulators == {"renode"}:
            joints = [(wire.source, wire.output, wire.sink, wire.input) for wire in self.wires]
            self._shared = SharedRenode(self._pages, joints)
        self._running: dict[str, QemuMachine] = {}
        self._levels: dict[tuple[str, int], bool] = {}

    def _check(self, emulator: str) -> None:
        ends = set()
        for wire in self.wires:
            for name, pin in ((wire.source, wire.output), (wire.sink, wire.input)):
                if name not in self.boards:
                    known = ", ".join(self.boards)
                    raise MachineError(f"{wire} is a wire to no board {name}.", remedy=f"There is: {known}.")
                page = self._pages[name].emulators[emulator]
                pins = page.get("gpio", {}).get("pins", ())
                if not pins:
                    raise MachineError(f"{self.boards[name]} has no emulated pins that a wire could be at.")
                if pin >= len(pins):
                    raise MachineError(
                        f"{self._pages[name].title} has no pin {pin}: they are 0 to {len(pins) - 1}."
                    )
            board = self._pages[wire.source]
            if not board.emulators[emulator]["gpio"].get("wires", True):
                raise MachineError(
                    f"No wire can lead away from {self.boards[wire.source]}: its outputs are only registers.",
                    remedy=f"{board.name}@{board.default_emulator} has them.",
                )
            if (wire.sink, wire.input) in ends:
                raise MachineError(f"Two wires lead to {wire.sink}:{wire.input}.", remedy="Leave one out.")
            ends.add((wire.sink, wire.input))

    def open_machine(
        self,
        name: str,
        *,
        faults: LinkFaults | None = None,
        icount: int | None = None,
        counts: bool = False,
        pins: PinTrace | None = None,
    ) -> Machine:
        """The machine of a board, still powered off; as emulation.targets.open_machine."""
        board = self._pages[name]
        if self._shared is not None:
            renode = RenodeMachine(board, faults=faults, icount=icount, shared=(self._shared, name))
            if pins is not None:
                renode.watch_pins(pins)
            return renode
        machine = QemuMachine(board, faults=faults, icount=icount, counts=counts)
        machine.wiring = ends = _Ends(self, name)
        if ends.drives:
            machine.capabilities = machine.capabilities.without(Capability.GDB, _NO_GDB)
        if pins is not None:
            machine.watch_pins(pins)
        return machine

    # -- for QEMU's machines

    def _leads_away(self, name: str) -> bool:
        return any(wire.source == name for wire in self.wires)

    async def _opened(self, name: str, machine: QemuMachine) -> None:
        """A board has power, and no instruction ran yet."""
        self._running[name] = machine
        for wire in self.wires:
            if wire.sink == name:
                await machine.drive_pin(wire.input, self._levels.get((wire.source, wire.output), False))

    async def _wrote(self, name: str, outputs: int) -> None:
        """A board wrote its outputs: bit N is its pin N."""
        for wire in self.wires:
            level = bool(outputs >> wire.output & 1)
            if wire.source != name or self._levels.get((name, wire.output), False) is level:
                continue
            self._levels[name, wire.output] = level
            for other in self.wires:
                sink = self._running.get(other.sink)
                if (other.source, other.output) == (name, wire.output) and sink is not None:
                    with contextlib.suppress(EmulationError):  # it has just lost its power
                        await sink.drive_pin(other.input, level)

    async def _closed(self, name: str) -> None:
        """A board has no power any more: what it drove falls."""
        self._running.pop(name, None)
        await self._wrote(name, 0)


class _Ends:
    """The wires at one board of QEMU's, as its machine knows them (emulation.qemu.Wiring)."""

    def __init__(self, harness: Harness, name: str) -> None:
        self._harness = harness
        self._name = name
        self.drives = harness._leads_away(name)

    async def opened(self, machine: QemuMachine) -> None:
        await self._harness._opened(self._name, machine)

    async def wrote(self, outputs: int) -> None:
        await self._harness._wrote(self._name, outputs)

    async def closed(self) -> None:
        await self._harness._closed(self._name)


async def join_uarts(one: Machine, other: Machine) -> None:
    """Wire the UART of one board to the other's, TX to RX both ways, until cancelled. Bytes go as they come;
    when a board's power goes and comes back, it is connected anew."""
    while True:
        try:
            ends = await one.connect(), await other.connect()
        except ConnectionError:
            if State.DIED in (one.state, other.state):
                raise
            await asyncio.sleep(0.02)
            continue
        try:
            pumps = [
                asyncio.create_task(_pump(ends[0][0], ends[1][1]), name=f"{one.name} to {other.name}"),
                asyncio.create_task(_pump(ends[1][0], ends[0][1]), name=f"{other.name} to {one.name}"),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            for _, writer in ends:
                writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
