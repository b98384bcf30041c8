"""QEMU as a Machine: one qemu-system process, spoken to by QMP, qtest and a serial socket.

All sockets are Unix sockets in a private folder that goes away with the process. QMP (qemu-qmp-ref)
pauses, resumes and resets, and its STOP and RESUME events tell when the guest ran, also when it was GDB
that stopped it. The qtest socket reads and writes guest memory and drives input lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from qemu.qmp import EventListener, ExecInterruptedError, ExecuteError, QMPClient, QMPError, Runstate

from emulation.counts import plugin, read_counts, read_sum
from emulation.edges import WriteWatch
from emulation.errors import EnvironmentMissing, MachineError, Unsupported
from emulation.faults import LinkFaults
from emulation.gdb.replay import empty_qcow2
from emulation.lifecycle import ProcessMachine, capabilities_of
from emulation.machine import Capability, Counters, State, Streams
from emulation.pins import PinTrace
from emulation.process import Child
from emulation.qemu_text import parse_drift, parse_last_words, parse_registers, parse_trace
from emulation.qtest import Qtest
from emulation.unmodelled import Tally, device_bases
from hal.boards import Board

_log = logging.getLogger(__name__)

_DISK, _DISK_SIZE, _SNAPSHOT = "snapshots.qcow2", 64 << 20, "mma"
_PACKAGES = {"qemu-system-riscv32": "qemu-system-misc", "qemu-system-riscv64": "qemu-system-misc"}
"""Debian's package of a program, where it is not called as the program is."""

_MISSING = {
    Capability.INSTRUCTIONS: "QEMU counts instructions only where it was started to; Renode does always.",
    Capability.PROFILE: "QEMU counts instructions only where it was started to.",
    Capability.REVERSE: "QEMU runs backwards only while it replays a record.",
    Capability.WRITE_REGISTERS: "QEMU lets only a debugger write registers: use GDB.",
    Capability.SENSORS: "QEMU has no way to set a sensor of this board; Renode has.",
    Capability.SNAPSHOT: "QEMU does not save this board's peripherals as they are.",
    Capability.READ_PINS: "QEMU does not model the GPIO of this board; Renode does.",
    Capability.DRIVE_PINS: "QEMU does not model the GPIO of this board; Renode does.",
}

_NO_GDB = "QEMU's GDB stub watches the pins of this board."
_ONE_BY_ONE = "singlestep"
"""Each translated block is one instruction: QEMU's name of it up to 8.0, which later ones understand too."""
_LOGGED = "log unimp,guest_errors"
_PLACE_EVERY = 1.0
_PLACE_FOR, _PLACE_LOOKS = 0.03, 10
"""Host seconds, and how many times as long at most: a fed watchdog is fed every tenth of a second."""


class Wiring(Protocol):
    """The wires at a board (emulation.wires). `drives`: some lead away from it, its outputs are watched."""

    drives: bool

    async def opened(self, machine: QemuMachine) -> None:
        """The board has power, and no instruction ran yet."""

    async def wrote(self, outputs: int) -> None:
        """It wrote its outputs: bit N is its pin N. It is held meanwhile."""

    async def closed(self) -> None:
        """It has no power any more."""


class QemuMachine(ProcessMachine):
    """One board in QEMU. See emulation.machine.Machine for what each method does."""

    def __init__(
        self,
        board: Board,
        *,
        faults: LinkFaults | None = None,
        icount: int | None = None,
        program: str = "",
        counts: bool = False,
    ) -> None:
        """`icount` N: each instruction takes 2**N ns of virtual time. `program` replaces the page's QEMU.
        `counts`: each instruction is counted, which makes it slower."""
        super().__init__(board, "qemu", faults)
        self.icount = icount
        self.capabilities = capabilities_of(self._page, _MISSING)
        self._counts = counts
        self._restoring: Path | None = None  # the disk that the next start begins with
        if self._page.get("snapshot"):
            self.capabilities = self.capabilities.having(Capability.SNAPSHOT)
        if counts:
            self.capabilities = self.capabilities.having(Capability.INSTRUCTIONS, Capability.PROFILE)
        self._program = program or str(self._page["system"])
        self._qmp: QMPClient | None = None
        self._qtest: Qtest | None = None
        self._serial: Streams | None = None
        self._serial_taken = False
        self._ran = 0.0  # host seconds for which the guest ran, without the current stretch
        self._running_since = 0.0  # time.monotonic()
        self._ticking = False
        self.wiring: Wiring | None = None
        """To be set before it starts."""
        self._watch_outputs: WriteWatch | None = None
        self._reins = asyncio.Lock()  # who stops the guest or lets it go on; for boards that drive wires
        self._goes = False  # it is to run, though it may be held at a write to its outputs
        self._driving = asyncio.Lock()
        self._driven: dict[int, bool] = {}  # levels of inputs

    # -- power ------------------------------------------------------------------------------------

    @property
    def gdb(self) -> str | None:
        if self._folder is None or self._qmp is None or self._watch_outputs is not None:
            return None
        return str(self._folder / "gdb")

    def _find(self) -> str:
        path = shutil.which(self._program)
        if path is None:
            package = _PACKAGES.get(self._program, self._program)
            remedy = f"Install it: apt install {package} (on macOS: brew install qemu)."
            raise EnvironmentMissing(f"{self._program} is not installed.", remedy=remedy)
        return path

    async def _open(self, program: str, folder: Path, image: Path) -> None:
        self._ran, self._ticking = 0.0, False
        self._driven.clear()
        words = self._arguments(image, folder)
        if Capability.SNAPSHOT in self.capabilities:
            await asyncio.to_thread(self._make_disk, folder / _DISK)
            words += ["-drive", f"if=none,format=qcow2,id=snapshots,file={_escape(folder / _DISK)}"]
        if self._counts:
            library = await asyncio.to_thread(plugin, program)
            words += ["-plugin", f"file={_escape(library)},out={_escape(folder / 'counts')}"]
        child = await self._launch([program, *words])
        # QEMU answers QMP only after all else was set up: then the other sockets are there too.
        self._qmp = await self._guard(self._open_qmp(child, folder / "qmp"), QMPError)
        self._qtest = await Qtest.open(folder / "qtest")
        # Connected before the first instruction, so that the boot text is not lost.
        self._serial, self._serial_taken = await asyncio.open_unix_connection(str(folder / "serial")), False
        await self._turn(State.PAUSED)
        await self._set_room_values(image)
        await self._wire(folder)

    async def _wire(self, folder: Path) -> None:
        if self._pins is not None:
            self._pins.powered()
        if self._pins is not None or (self.wiring is not None and self.wiring.drives):
            written = asyncio.Event()
            address = self._our_kernel().outputs
            self._watch_outputs = await WriteWatch.open(str(folder / "gdb"), address, written.set)
            self._spawn(self._carry(address, written), "wires of")
        if self.wiring is not None:
            await self.wiring.opened(self)

    async def _carry(self, address: int, written: asyncio.Event) -> None:
        """Each time that the guest wrote its outputs: carry them on, then let it go on."""
        while True:
            await written.wait()
            written.clear()
            async with self._reins:
                if self._watch_outputs is None:
                    return
                await self._watch_outputs.write()
                outputs = int.from_bytes(await self.read_memory(address, 4), "little")
                if self._pins is not None:
                    self._pins.wrote(await self._virtual_time(), outputs)
                if self.wiring is not None:
                    await self.wiring.wrote(outputs)
                if self._goes:
                    await self._execute("cont")

    def _arguments(self, image: Path, folder: Path) -> list[str]:
        def unix(name: str) -> str:
            return f"unix:{_escape(folder / name)},server=on,wait=off"

        link = int(self._page.get("serial", 0))
        arguments = [str(word).replace("{elf}", _escape(image)) for word in self._page["arguments"]]
        arguments += ["-nographic", "-nodefaults", "-monitor", "none", "-S"]
        arguments += ["-serial", "null"] * link + ["-serial", unix("serial")]
        if self.icount is not None:
            arguments += ["-icount", f"shift={self.icount}"]
        arguments += ["-gdb", unix("gdb"), "-qtest", unix("qtest"), "-qtest-log", os.devnull]
        return [*arguments, "-qmp", unix("qmp")]

    async def _open_qmp(self, child: Child, path: Path) -> QMPClient:
        while child.alive:
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                _, writer = await asyncio.open_unix_connection(str(path))  # qemu.qmp logs failures loudly
                writer.close()
                break
            await asyncio.sleep(0.005)
        else:
            raise ConnectionError("it ended before it opened its sockets")
        qmp = QMPClient(self.name)
        qmp.logger = _log.getChild("qmp")
        listener = EventListener(("STOP", "RESUME"))
        qmp.register_listener(listener)
        await qmp.connect(str(path))
        self._spawn(self._follow(listener), "events of")
        return qmp

    async def _close(self) -> None:
        if self._serial is not None:
            self._serial[1].close()
        if self._qtest is not None:
            self._qtest.close()
        self._serial = self._qtest = None
        watch, self._watch_outputs = self._watch_outputs, None
        if watch is not None:
            await watch.close()
        if self.wiring is not None:
            await self.wiring.closed()
        qmp, self._qmp = self._qmp, None
        if qmp is not None:
            with contextlib.suppress(QMPError, OSError, EOFError):
                if qmp.runstate is not Runstate.IDLE:
                    await qmp.disconnect()

    def _last_words(self, text: str) -> str:
        return parse_last_words(text)

    # -- time -------------------------------------------------------------------------------------

    async def pause(self) -> None:
        async with self._reins:
            self._goes = False
            await self._execute("stop")
            if self._watch_outputs is not None:  # held at a write already, it tells of no other stop
                await self._turn(State.PAUSED)
        await self._until(State.PAUSED)

    async def resume(self) -> None:
        async with self._reins:
            self._goes = True
            await self._execute("cont")
        await self._until(State.RUNNING)

    async def reset(self) -> None:
        await self._execute("system_reset")

    async def run_for(self, seconds: float) -> None:
        self._must_be_paused()
        goal = await self._virtual_time() + seconds
        await self.resume()
        try:
            while (left := goal - await self._virtual_time()) > 0:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(left if self.icount is None else max(left / 2, 0.0005))
        finally:
            await self.pause()

    async def counters(self) -> Counters:
        count = await asyncio.to_thread(read_sum, self._counted()) if self._counts else None
        return Counters(await self._virtual_time(), virtual_error=0.001, instructions=count)

    async def executed(self) -> Mapping[int, int]:
        self.capabilities.require(Capability.PROFILE)
        return await asyncio.to_thread(read_counts, self._counted())

    def _counted(self) -> Path:
        self._living()
        return (self._folder or Path()) / "counts"

    async def _virtual_time(self) -> float:
        """Without icount, QEMU's virtual clock is the host's while it runs; with it, some drift apart."""
        self._living()
        drift = parse_drift(await self._monitor("info jit")) if self.icount is not None else 0.0
        if drift is None:
            raise Unsupported(f"This QEMU does not tell the virtual time of {self.name}.")
        stretch = time.monotonic() - self._running_since if self._ticking else 0.0
        return max(0.0, self._ran + stretch - drift)

    async def _follow(self, listener: EventListener) -> None:
        """Keep the state and the running time by QEMU's events."""
        async for event in listener:
            stamp: Any = event["timestamp"]
            ago = (
                time.time() - stamp["seconds"] - stamp["microseconds"] / 1e6
            )  # UNIX time; it may have jumped
            now = time.monotonic() - (ago if 0 <= ago < 1 else 0)
            if event["event"] == "RESUME":
                self._running_since, self._ticking = now, True
                if self._watch_outputs is None or self._goes:
                    await self._turn(State.RUNNING)
            elif self._ticking:
                self._ran, self._ticking = self._ran + now - self._running_since, False
                if self._watch_outputs is None or not self._goes:  # else it is held at a write for a moment
                    await self._turn(State.PAUSED)

    @contextlib.asynccontextmanager
    async def traced(self) -> AsyncIterator[list[int]]:
        """Meanwhile every instruction is noted: the list has their addresses in order when this ends. It is
        slow; the guest does not notice where time is counted in instructions (icount)."""
        addresses: list[int] = []
        log = (self._folder or Path()) / "trace"
        # each translated block is one instruction then; the option was renamed in QEMU 8.1
        for option in ("one-insn-per-tb", "singlestep"):
            await self._monitor(f"{option} on")
        await self._monitor(f"logfile {log}")
        await self._monitor("log exec,nochain")
        try:
            yield addresses
        finally:
            await self._monitor("log none")
            for option in ("one-insn-per-tb", "singlestep"):
                await self._monitor(f"{option} off")
        addresses += parse_trace(await asyncio.to_thread(log.read_text))
        log.unlink()

    @contextlib.asynccontextmanager
    async def unmodelled(self) -> AsyncIterator[Tally]:
        """Meanwhile accesses to what QEMU has no model for are counted, and once a second those whose
        instruction is not known are looked for, for some milliseconds that are slower than others.

        The log goes through a pipe: however much a guest makes QEMU complain, nothing grows.
        """
        tally = Tally(device_bases(await self._monitor("info mtree -f")))
        path = (self._folder or Path()) / "unmodelled"
        os.mkfifo(path)
        # Open before QEMU opens it, which would wait for a reader and answer nobody meanwhile.
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        loop = asyncio.get_running_loop()

        def read() -> None:
            with contextlib.suppress(BlockingIOError):
                tally.take(os.read(reader, 1 << 16))

        async def place() -> None:
            before = 0
            if at_start:
                await self._until(State.RUNNING)
                await self._follow_for(tally)
            while True:
                await asyncio.sleep(_PLACE_EVERY)
                if tally.unplaced > before and self._state is State.RUNNING:
                    await self._monitor(f"{_ONE_BY_ONE} on")
                    await self._monitor(f"{_LOGGED},exec,nochain")
                    await self._follow_for(tally)
                before = tally.unplaced

        at_start = self._state is State.PAUSED  # what it does first it mostly does once
        placing: asyncio.Task[None] | None = None
        try:
            await self._monitor(f"logfile {path}")
            if at_start:
                await self._monitor(f"{_ONE_BY_ONE} on")
            await self._monitor(f"{_LOGGED},exec,nochain" if at_start else _LOGGED)
            loop.add_reader(reader, read)
            placing = asyncio.create_task(place(), name=f"place the unmodelled of {self.name}")
            yield tally
        finally:
            if placing is not None:
                placing.cancel()
                await asyncio.gather(placing, return_exceptions=True)
            with contextlib.suppress(MachineError):
                await self._monitor("log none")
                await self._monitor(f"{_ONE_BY_ONE} off")
            loop.remove_reader(reader)
            os.close(reader)
            path.unlink(missing_ok=True)

    async def _follow_for(self, tally: Tally) -> None:
        """The log tells each instruction: no longer than until none is sought."""
        for _ in range(_PLACE_LOOKS):
            await asyncio.sleep(_PLACE_FOR)
            if tally.counts and not tally.unplaced:
                break
        await self._monitor(_LOGGED)
        await self._monitor(f"{_ONE_BY_ONE} off")
        tally.untraced()

    # -- insides ----------------------------------------------------------------------------------

    async def read_memory(self, address: int, size: int) -> bytes:
        return await self._guard(self._open_qtest().read(address, size))

    async def write_memory(self, address: int, data: bytes) -> None:
        await self._guard(self._open_qtest().write(address, data))

    async def read_registers(self) -> Mapping[str, int]:
        return parse_registers(await self._monitor("info registers"))

    async def write_register(self, name: str, value: int) -> None:
        self.capabilities.require(Capability.WRITE_REGISTERS)

    def watch_pins(self, pins: PinTrace) -> None:
        super().watch_pins(pins)
        self.capabilities = self.capabilities.without(Capability.GDB, _NO_GDB)

    async def drive_pin(self, pin: int, level: bool) -> None:
        _, bit, line = self._pin(Capability.DRIVE_PINS, pin)
        async with self._driving:  # of pins in one word
            if self._driven.get(pin) is level:  # no edge
                return
            if self._page["gpio"].get("stand_in"):
                await self._our_kernel().drive(self.read_memory, self.write_memory, pin, level)
            if await self._is_selected(pin, bit):
                await self._guard(self._open_qtest().set_input(line, bit, level))
            self._driven[pin] = level
            await self._turned_pin(pin, level)

    async def _is_selected(self, pin: int, bit: int) -> bool:
        """Whether the line of that number listens to this pin's port, where ports share it (STM32's EXTI)."""
        gpio = self._page["gpio"]
        if "select" not in gpio:
            return True
        word = int.from_bytes(await self.read_memory(int(gpio["select"]) + bit // 4 * 4, 4), "little")
        port: int = int(gpio["pins"][pin]) // int(gpio["width"])
        return word >> bit % 4 * 4 & 0xF == port

    async def read_pin(self, pin: int) -> bool:
        self._pin(Capability.READ_PINS, pin)
        if self._page["gpio"].get("stand_in"):
            return await self._our_kernel().output(self.read_memory, pin)
        return await super().read_pin(pin)

    def _make_disk(self, disk: Path) -> None:
        """For savevm, which keeps the whole machine in a disk image that no device uses."""
        if self._restoring is not None:
            shutil.copyfile(self._restoring, disk)
        else:
            disk.write_bytes(empty_qcow2(_DISK_SIZE))

    async def save(self, path: Path) -> None:
        self.capabilities.require(Capability.SNAPSHOT)
        running = self._state is State.RUNNING
        await self.pause()
        said = await self._monitor(f"savevm {_SNAPSHOT}")
        if said.strip():
            raise MachineError(f"QEMU refused a snapshot: {said.strip()}.")
        await asyncio.to_thread(shutil.copyfile, (self._folder or Path()) / _DISK, path)
        if running:
            await self.resume()

    async def restore(self, path: Path) -> None:
        """By a new process: one that runs does not take the disk of another."""
        self.capabilities.require(Capability.SNAPSHOT)
        self._living()
        if not os.path.exists(path):  # noqa: ASYNC240
            raise MachineError(f"There is no snapshot {path}.")
        assert self._image is not None
        running = self._state is State.RUNNING
        await self.stop()
        self._restoring = path
        try:
            await self.start(self._image, paused=True)
            said = await self._monitor(f"loadvm {_SNAPSHOT}")
        finally:
            self._restoring = None
        if said.strip():
            await self.stop()
            raise MachineError(f"QEMU refused the snapshot {path}: {said.strip()}.")
        if running:
            await self.resume()

    async def _open_uart(self) -> Streams:
        """The first caller gets the stream opened before boot, each further one a new stream in its place."""
        if self._serial is None or self._serial_taken:
            if self._serial is not None:
                self._serial[1].close()
            self._living()
            path = str((self._folder or Path()) / "serial")
            self._serial = await self._guard(asyncio.open_unix_connection(path))
        self._serial_taken = True
        return self._serial

    def _open_qtest(self) -> Qtest:
        self._living()
        if self._qtest is None:
            raise MachineError(f"{self.name} is not ready yet.")
        return self._qtest

    async def _execute(self, command: str, **arguments: object) -> object:
        self._living()
        if self._qmp is None:
            raise MachineError(f"{self.name} is not ready yet.")
        try:
            call = self._qmp.execute(command, arguments or None)
            result: object = await self._guard(call, ExecInterruptedError)
            return result
        except ExecuteError as error:
            raise MachineError(f"QEMU refused {command}: {error}.") from error
        except QMPError as error:
            raise MachineError(f"{self.name} does not answer: {error}.") from error

    async def _monitor(self, line: str) -> str:
        """A command of the human monitor, for what QMP has no command."""
        return str(await self._execute("human-monitor-command", **{"command-line": line}))


def _escape(path: Path) -> str:
    """In QEMU's option strings a comma is doubled."""
    return str(path).replace(",", ",,")
