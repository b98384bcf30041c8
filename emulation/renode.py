"""Renode as a Machine: one headless Renode, spoken to by its robot port; UART and GDB on their own ports.

Works with releases from 1.13.3 to 1.16.1. Renode binds every port on all interfaces and has no option
against it (docs/emulation.md says what that means). Its virtual time is a count of instructions always, so
counters and run_for are exact.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from emulation.errors import EmulationError, EnvironmentMissing, MachineError
from emulation.faults import LinkFaults
from emulation.lifecycle import ProcessMachine, capabilities_of
from emulation.machine import Capability, Counters, State, Streams
from emulation.process import Child
from emulation.renode_shared import SharedRenode
from emulation.renode_start import PortHolder, command_line, load_platform, until_listening
from emulation.renode_watch import (
    count_instructions,
    counted,
    follow_outputs,
    seconds_of,
    unmodelled,
    watch_outputs,
)
from emulation.robot import RenodeRefused, Robot
from emulation.unmodelled import Tally
from hal.boards import Board

_MISSING = {
    Capability.READ_PINS: "This board's page names no GPIO for Renode.",
    Capability.DRIVE_PINS: "This board's page names no GPIO for Renode.",
    Capability.SENSORS: "This board's page names no sensors for Renode.",
    Capability.PROFILE: "Renode counts each instruction only where it was started to.",
}

_SHARED_MISSING = {
    Capability.RUN_FOR: "The boards of one Renode share its time: none can be run for a time alone.",
    Capability.SNAPSHOT: "A snapshot would hold every board that is wired to this one.",
    Capability.REVERSE: "The boards of one Renode share its time: none can go back alone.",
}
_NOT_SAVED = "Renode saves nothing while each instruction is counted."
_NEWEST_TRIED = (1, 16, 1)
_TOO_OLD = "Renode runs backwards from 1.16.1 on."
_PAST_MARKS = 40
"""Points to go back to that are kept: each is a snapshot of about a megabyte."""

_READ_CHUNK = 4096
_WIDTHS = {1: "Byte", 2: "Word", 4: "DoubleWord"}
_ARM_REGISTERS = {f"r{n}": n for n in range(13)} | {"sp": 13, "lr": 14, "pc": 15, "xpsr": 25}
_RISCV_REGISTERS = {f"x{n}": n for n in range(32)} | {"pc": 32}
"""Numbers as in GDB's target descriptions, which Renode's GetRegister takes."""


class RenodeMachine(ProcessMachine):
    """One board in Renode. See emulation.machine.Machine for what each method does."""

    open_timeout = (
        120.0  # Mono compiles for 5 s of processor time, and without a network a download fails first
    )

    def __init__(
        self,
        board: Board,
        *,
        faults: LinkFaults | None = None,
        icount: int | None = None,
        counts: bool = False,
        program: str = "",
        shared: tuple[SharedRenode, str] | None = None,
    ) -> None:
        """`icount` N: an instruction takes 2**N ns of virtual time, else the page's `mips` holds.
        `counts`: each instruction is counted, which makes it slower.
        `program`: else the one in RENODE, else `renode` on the PATH. `shared`: run in that Renode, as its
        board of that name, and not in one of its own."""
        faults = faults or LinkFaults()
        super().__init__(board, "renode", faults)
        self.capabilities = capabilities_of(self._page, _MISSING | (_SHARED_MISSING if shared else {}))
        if counts:
            counting = self.capabilities.having(Capability.PROFILE)
            self.capabilities = counting.without(Capability.SNAPSHOT, _NOT_SAVED).without(
                Capability.REVERSE, _NOT_SAVED
            )
        self.icount = icount
        self._counts = counts
        self._program = program
        self._shared = shared[0] if shared is not None else None
        self._name_there = shared[1] if shared is not None else ""
        self._machine = self._shared.machine(self._name_there) if self._shared is not None else "board"
        self._robot: Robot | None = None
        self._uart: Streams | None = None
        self._ports = PortHolder()
        self._uart_port = 0
        self._gdb_port = 0
        self._unsafe = ""  # a part of the registers' method names
        faults.gate = self._pass_gate
        self._gate = asyncio.Event()  # set where the link's input may come in
        self._gate.set()
        self._fed = False  # something came in since the past was marked
        self._marks: list[Path] = []
        self._marked = False  # there were marks since power on
        self._made = 0  # sockets made for the link: each time under a new name

    # -- power ------------------------------------------------------------------------------------

    @property
    def gdb(self) -> str | None:
        return f"127.0.0.1:{self._gdb_port}" if self._gdb_port and self._robot is not None else None

    def _find(self) -> str:
        wanted = self._program or os.environ.get("RENODE") or "renode"
        program = shutil.which(wanted)
        if program is None:
            raise EnvironmentMissing(
                f"Renode is not installed: there is no program {wanted}.",
                remedy="Put the portable release (renode.io, from 1.13.3 on) on the PATH, or name its program"
                " in RENODE; @qemu needs neither.",
            )
        return program

    async def _open(self, program: str, folder: Path, image: Path) -> None:
        if self._shared is not None:
            self._child, self._robot, self._folder = await self._shared.enter(self._name_there, program)
            await asyncio.to_thread(folder.rmdir)
            self._spawn(self._watch(self._child), "watch")
        else:
            port = self._ports.reserve()
            # Its temporary files go below TMPDIR: they end with our folder, and at its start Renode removes
            # every folder renode-* there that is not a living Renode's.
            child = await self._launch(
                command_line(program, folder, port), env={**os.environ, "TMPDIR": str(folder)}
            )
            self._robot = Robot(port)
            await self._guard(until_listening(self._robot, child))
            await self._execute(f'mach create "{self._machine}"', machine="")
            await self._guard(load_platform(self._robot, self._page, self._machine))
            if parse_version(await self._execute("version", machine="")) < _NEWEST_TRIED:
                self.capabilities = self.capabilities.without(Capability.REVERSE, _TOO_OLD)
        await self._prepare(image)
        await self._turn(State.PAUSED)
        await self._set_room_values(image)
        if self._pins is not None:
            version = parse_version(await self._execute("version", machine=""))
            if version < _NEWEST_TRIED:
                raise EnvironmentMissing(
                    "This Renode loses writes to watched memory.", remedy="Pins are recorded from 1.16.1 on."
                )
            self._pins.powered()
            path = (self._folder or Path()) / "outputs"
            await watch_outputs(self._execute, path, self._our_kernel().outputs)
            self._spawn(follow_outputs(path, self._pins), "outputs of")

    async def _prepare(self, image: Path) -> None:
        """From a platform without a program to a board at its first instruction."""
        mips = self._page.get("mips") if self.icount is None else max(1, round(1000 / 2**self.icount))
        if mips:
            await self._execute(f"sysbus.cpu PerformanceInMips {mips}")
        if self.icount is not None:
            await self._execute("emulation SetGlobalSerialExecution true")
            await self._execute("emulation SetSeed 1")
        await self._open_ports()
        if self._counts:
            await count_instructions(self._execute, self._folder or Path())
        await self._flash(image)
        # Among others the core is halted until it has a program: a reset, as `reset` says, lets it go.
        await self._execute("machine Reset" if self._shared is not None else f"sysbus LoadELF @{self._elf}")

    @property
    def _elf(self) -> Path:
        return (self._folder or Path()) / "firmware.elf"

    async def _flash(self, image: Path) -> None:
        """What a reset starts from now on."""
        await asyncio.to_thread(shutil.copyfile, image, self._elf)  # the Monitor quotes no spaces
        wake = "; sysbus.cpu IsHalted false" if self._shared is not None else ""
        # without it, a reset core stays dead
        await self._execute(f'macro reset "sysbus LoadELF @{self._elf}{wake}"')

    async def _open_ports(self) -> None:
        """Make the link's socket and GDB's server; snapshots do not hold them."""
        await self._open_link()
        self._gdb_port = self._ports.reserve()
        await self._execute(f"machine StartGdbServer {self._gdb_port}")

    async def _open_link(self) -> None:
        self._uart_port = self._ports.reserve()
        name, self._made = f"{self._machine}_link{self._made}", self._made + 1
        await self._execute(f'emulation CreateServerSocketTerminal {self._uart_port} "{name}" false')
        await self._execute(f"connector Connect {self._page['uart']} {name}")

    async def _close(self) -> None:
        if self._uart is not None:
            self._uart[1].close()
        self._ports.close()
        self._marks.clear()
        self._marked = False
        self._gate.set()
        robot, self._robot, self._uart = self._robot, None, None
        self._gdb_port = 0
        if robot is not None and self._shared is None:
            with contextlib.suppress(OSError):
                await robot.close()

    async def _end(self, child: Child) -> None:
        if self._shared is None:
            await super()._end(child)
            return
        with contextlib.suppress(EmulationError, OSError):
            if self._robot is not None and child.alive:
                await self._robot.execute("machine Pause", self._machine)
                await self._robot.execute("sysbus.cpu IsHalted true", self._machine)
                await self._robot.execute(f"machine StopGdbServer {self._gdb_port}", self._machine)
        await self._shared.leave(self._name_there)

    async def power_cut(self, seconds: float = 0.0) -> None:
        if self._shared is None:
            await super().power_cut(seconds)
            return
        self._living()
        assert self._image is not None
        await self.pause()
        ram = self.board.ram
        await self.write_memory(ram.address, bytes(ram.size))
        await asyncio.sleep(seconds)
        await self._flash(await self._flashed(self._image, self._folder or Path()))
        await self._execute("machine Reset")
        await self._set_room_values(self._image)
        if self._uart is not None:
            self._uart[1].close()  # as the link of a board that was gone
        await self.resume()

    def _last_words(self, text: str) -> str:
        """The line after .NET's "Fatal error:" or the last one."""
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("   at ")]
        for before, line in itertools.pairwise(lines):
            if before.startswith("Fatal error"):
                return line
        return lines[-1] if lines else ""

    # -- time -------------------------------------------------------------------------------------

    async def pause(self) -> None:
        await self._execute("machine Pause" if self._shared is not None else "pause")
        await self._turn(State.PAUSED)

    async def resume(self) -> None:
        await self._execute("machine Start" if self._shared is not None else "start")
        await self._turn(State.RUNNING)

    async def reset(self) -> None:
        await self._execute("machine Reset")

    async def run_for(self, seconds: float) -> None:
        self.capabilities.require(Capability.RUN_FOR)
        self._must_be_paused()
        # Decimal seconds in quotes: Renode takes "10ms" for ten seconds and a bare number for nothing.
        await self._execute(f'emulation RunFor "{seconds:.9f}"')

    async def counters(self) -> Counters:
        text = await self._execute("emulation GetTimeSourceInfo")
        instructions = await self._execute("sysbus.cpu ExecutedInstructions")
        return Counters(parse_elapsed(text), 0.0, _number(instructions))

    async def executed(self) -> Mapping[int, int]:
        self.capabilities.require(Capability.PROFILE)
        return await counted(self._execute)

    def unmodelled(self) -> AbstractAsyncContextManager[Tally]:
        """See emulation.unmodelled.TellsUnmodelled."""
        return unmodelled(self._execute, self._folder or Path())

    # -- insides ----------------------------------------------------------------------------------

    async def read_memory(self, address: int, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            count = min(size - len(data), _READ_CHUNK)
            if count in _WIDTHS and len(data) == 0:  # a register may mind how wide it is read
                value = _number(await self._execute(f"sysbus Read{_WIDTHS[count]} {address:#x}"))
                return value.to_bytes(count, "little")
            text = await self._execute(f"sysbus ReadBytes {address + len(data):#x} {count}")
            data += bytes(int(word, 16) for word in re.findall(r"0x([0-9A-Fa-f]{1,2})\b", text))
        return bytes(data[:size])

    async def write_memory(self, address: int, data: bytes) -> None:
        width = _WIDTHS.get(len(data))
        if width is not None:  # a register may mind how wide it is written
            await self._execute(f"sysbus Write{width} {address:#x} {int.from_bytes(data, 'little'):#x}")
            return
        # A file, for 1.13 has no literals of arrays.
        file = (self._folder or Path()) / "memory.bin"
        await asyncio.to_thread(file.write_bytes, data)
        await self._execute(f"sysbus LoadBinary @{file} {address:#x}")

    def _register_numbers(self) -> Mapping[str, int]:
        return _ARM_REGISTERS if self.board.arch == "cortex_m" else _RISCV_REGISTERS

    async def read_registers(self) -> Mapping[str, int]:
        return {
            name: _number(await self._register("Get", str(number)))
            for name, number in self._register_numbers().items()
        }

    async def write_register(self, name: str, value: int) -> None:
        number = self._register_numbers().get(name)
        if number is None:
            raise MachineError(f"{self.board.title} has no register {name!r}.")
        await self._register("Set", f"{number} {value:#x}")

    async def _register(self, verb: str, arguments: str) -> str:
        try:
            return await self._execute(f"sysbus.cpu {verb}Register{self._unsafe} {arguments}")
        except RenodeRefused:
            if self._unsafe:
                raise
            self._unsafe = "Unsafe"  # as 1.13 calls it
            return await self._register(verb, arguments)

    async def drive_pin(self, pin: int, level: bool) -> None:
        _, bit, port = self._pin(Capability.DRIVE_PINS, pin)
        await self._execute(f"{port} OnGPIO {bit} {'true' if level else 'false'}")
        await self._turned_pin(pin, level)

    async def save(self, path: Path) -> None:
        self.capabilities.require(Capability.SNAPSHOT)
        self._living()
        ours = (self._folder or Path()) / "snapshot.save"
        await self._execute(f"Save @{ours}")
        await asyncio.to_thread(shutil.move, ours, path)

    async def restore(self, path: Path) -> None:
        self.capabilities.require(Capability.SNAPSHOT)
        self._living()
        if not os.path.exists(path):  # noqa: ASYNC240
            raise MachineError(f"There is no snapshot {path}.")
        ours = (self._folder or Path()) / "restore.save"
        await asyncio.to_thread(shutil.copyfile, path, ours)
        running = self._state is State.RUNNING
        await self.pause()
        await self._execute("Clear", machine="")
        await self._execute(f"Load @{ours}", machine="")
        if self._uart is not None:
            self._uart[1].close()
        await self._open_ports()
        if running:
            await self.resume()

    async def _open_uart(self) -> Streams:
        """Renode keeps what was printed before the first connection, so no boot text is lost."""
        if self._uart is not None:
            self._uart[1].close()
        try:
            self._uart = await asyncio.open_connection("127.0.0.1", self._uart_port)
        except ConnectionRefusedError:
            if not (self._marked and self._gate.is_set()):  # GDB may be going back just now
                raise
            await self._open_link()  # it went back to a snapshot, which holds no socket
            self._uart = await self._guard(asyncio.open_connection("127.0.0.1", self._uart_port))
        return self._uart

    # -- the past, see emulation.past.KeepsPast ---------------------------------------------------

    async def mark_past(self) -> None:
        self.capabilities.require(Capability.REVERSE)
        self._living()
        folder = (self._folder or Path()) / "past"
        self._gate.clear()
        if self._fed:
            await self._drop_marks()
        self._fed = False
        if not self._marks:
            # Its own snapshots would leave out what came in since: ours alone are to be used. But
            # reverse-continue looks at the breakpoints of this many seconds after one at a time.
            await asyncio.to_thread(folder.mkdir, exist_ok=True)
            await self._execute(f"autoSave true 0.2 @{folder} false")
            await self._execute("autoSave false")
        mark = folder / f"{time.monotonic_ns()}.save"
        await self._execute(f"Save @{mark}")
        self._marks.append(mark)
        self._marked = True
        await self._drop_marks(keep=_PAST_MARKS)

    def open_link(self) -> None:
        self._gate.set()

    async def forget_past(self) -> None:
        await self._drop_marks()
        self._gate.set()

    async def _drop_marks(self, keep: int = 0) -> None:
        """Renode does not go back to a snapshot whose file is gone."""
        old, self._marks = self._marks[: len(self._marks) - keep], self._marks[len(self._marks) - keep :]
        for mark in old:
            await asyncio.to_thread(mark.unlink, missing_ok=True)

    async def _pass_gate(self, _: int) -> None:
        await self._gate.wait()
        self._fed = True

    async def _execute(self, command: str, machine: str | None = None) -> str:
        """For our machine, unless another is named."""
        self._living()
        if self._robot is None:
            raise MachineError(f"{self.name} is not ready yet.")
        return await self._guard(self._robot.execute(command, self._machine if machine is None else machine))


def parse_elapsed(text: str) -> float:
    """Seconds in `Elapsed Virtual Time: [days.]hours:minutes:seconds` of `emulation GetTimeSourceInfo`."""
    return seconds_of(text.partition("Elapsed Virtual Time:")[2])


def parse_version(text: str) -> tuple[int, ...]:
    """The first dotted number in what `version` prints; () where there is none."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(map(int, found[0].split("."))) if found is not None else ()


def _number(text: str) -> int:
    """A number that the Monitor printed, such as 0x0000002A or True."""
    word = (text.split() or [""])[-1]
    try:
        return int(word, 0)
    except ValueError:
        raise MachineError(f"Renode gave no number: {text.strip()[:80]!r}.") from None
