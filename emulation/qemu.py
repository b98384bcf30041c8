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
import tempfile
import time
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from qemu.qmp import EventListener, ExecInterruptedError, ExecuteError, QMPClient, QMPError, Runstate

from emulation.errors import EnvironmentMissing, MachineDied, MachineError, Unsupported
from emulation.faults import LinkFaults, with_faults
from emulation.machine import Capabilities, Capability, Counters, State, Streams
from emulation.process import Child
from emulation.qemu_text import parse_drift, parse_last_words, parse_registers
from emulation.qtest import Qtest
from hal.boards import Board

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_OPEN_TIMEOUT = 10.0
_PACKAGES = {"qemu-system-riscv32": "qemu-system-misc", "qemu-system-riscv64": "qemu-system-misc"}
"""Debian's package of a program, where it is not called as the program is."""

_MISSING = {
    Capability.INSTRUCTIONS: "QEMU does not tell its count of instructions; Renode does.",
    Capability.WRITE_REGISTERS: "QEMU lets only a debugger write registers: use GDB.",
    Capability.SENSORS: "QEMU has no way to set a sensor of this board; Renode has.",
    Capability.SNAPSHOT: "QEMU cannot save the peripherals of this board; Renode can.",
    Capability.READ_PINS: "QEMU does not model the GPIO of this board; Renode does.",
    Capability.DRIVE_PINS: "QEMU does not model the GPIO of this board; Renode does.",
}


class QemuMachine:
    """One board in QEMU. See emulation.machine.Machine for what each method does."""

    def __init__(
        self, board: Board, *, faults: LinkFaults | None = None, icount: int | None = None, program: str = ""
    ) -> None:
        """`icount` N: each instruction takes 2**N ns of virtual time. `program` replaces the page's QEMU."""
        self.board = board
        self.name = f"{board.name}@qemu"
        self.faults = faults
        self.icount = icount
        self._page: Mapping[str, Any] = board.emulators["qemu"]
        self._program = program or str(self._page["system"])
        self._state = State.OFF
        self._turned = asyncio.Condition()  # notified when the state changes
        self._image: Path | None = None
        self._folder: Path | None = None
        self._child: Child | None = None
        self._qmp: QMPClient | None = None
        self._qtest: Qtest | None = None
        self._serial: Streams | None = None
        self._serial_taken = False
        self._tasks: list[asyncio.Task[None]] = []
        self._died: asyncio.Future[str] | None = None
        self._ran = 0.0  # host seconds for which the guest ran, without the current stretch
        self._running_since = 0.0  # UNIX time, as in QMP's events
        self._connect = self._connect_serial if faults is None else with_faults(self._connect_serial, faults)
        missing = dict(_MISSING)
        if "gpio" in self._page:
            del missing[Capability.READ_PINS], missing[Capability.DRIVE_PINS]
        self.capabilities = Capabilities(frozenset(Capability) - missing.keys(), missing)

    # -- power ------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self._state

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self._child.alive else None

    @property
    def gdb(self) -> str | None:
        return str(self._folder / "gdb") if self._folder is not None and self._qmp is not None else None

    async def start(self, image: Path, *, paused: bool = False) -> None:
        if self._state in (State.RUNNING, State.PAUSED):
            raise MachineError(f"{self.name} is already on.", remedy="Stop it first, or reset it.")
        program = _find(self._program)
        _check_image(image)
        await self.stop()
        self._image = image
        try:
            async with asyncio.timeout(_OPEN_TIMEOUT):
                await self._open(program, image)
                if not paused:
                    await self.resume()
        except TimeoutError:
            said = self._child.tail(3) if self._child else ""
            await self.stop()
            raise MachineError(f"QEMU did not answer within {_OPEN_TIMEOUT:g} s. {said}".strip()) from None
        except BaseException:
            await self.stop()
            raise

    async def _open(self, program: str, image: Path) -> None:
        folder = self._folder = Path(tempfile.mkdtemp(prefix="mma-qemu-"))
        arguments = self._arguments(image, folder)
        self._died = asyncio.get_running_loop().create_future()
        self._ran = 0.0
        self._child = await Child.start([program, *arguments], name=self._program, scratch=folder)
        self._tasks.append(asyncio.create_task(self._watch(self._child), name=f"watch {self.name}"))
        # QEMU answers QMP only after all else was set up: then the other sockets are there too.
        self._qmp = await self._open_qmp(self._child, folder / "qmp")
        self._qtest = await Qtest.open(folder / "qtest")
        # Connected before the first instruction, so that the boot text is not lost.
        self._serial, self._serial_taken = await asyncio.open_unix_connection(str(folder / "serial")), False
        await self._turn(State.PAUSED)

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
        qmp = QMPClient(self.name)
        qmp.logger = _log.getChild("qmp")
        listener = EventListener(("STOP", "RESUME"))
        qmp.register_listener(listener)
        try:
            await qmp.connect(str(path))
        except (OSError, QMPError) as error:
            await asyncio.wait(self._tasks, timeout=1)
            if child.alive:
                raise MachineError(f"QEMU does not speak QMP: {error}.") from error
            raise MachineDied(await self._last_words(child)) from error
        self._tasks.append(asyncio.create_task(self._follow(listener), name=f"events of {self.name}"))
        return qmp

    async def stop(self) -> None:
        child, self._child = self._child, None
        qmp, self._qmp = self._qmp, None
        tasks, self._tasks = self._tasks, []
        self._drop_streams()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if child is not None:
            await child.stop(grace=0.5)
        if qmp is not None:
            with contextlib.suppress(QMPError, OSError, EOFError, asyncio.IncompleteReadError):
                if qmp.runstate is not Runstate.IDLE:
                    await qmp.disconnect()
        if self._folder is not None:  # the supervisor removed it, unless it never came to be
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None
        await self._turn(State.OFF)

    async def __aenter__(self) -> QemuMachine:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def load(self, image: Path) -> None:
        _check_image(image)
        await self.stop()
        await self.start(image)

    async def power_cut(self, seconds: float = 0.0) -> None:
        self._living()
        assert self._image is not None
        await self.stop()
        await asyncio.sleep(seconds)
        await self.start(self._image)

    async def wait_died(self) -> str:
        if self._died is None:
            raise MachineError(f"{self.name} is off.")
        return await asyncio.shield(self._died)

    async def _watch(self, child: Child) -> None:
        words = await self._last_words(child)
        _log.warning("%s", words)
        self._drop_streams()
        if self._died is not None and not self._died.done():
            self._died.set_result(words)
        await self._turn(State.DIED)

    async def _last_words(self, child: Child) -> str:
        await child.wait()
        return f"{self.name}: {child.name} {child.ending()}. {parse_last_words(child.tail(80))}".strip()

    def _drop_streams(self) -> None:
        if self._serial is not None:
            self._serial[1].close()
        if self._qtest is not None:
            self._qtest.close()
        self._serial = self._qtest = None

    # -- time -------------------------------------------------------------------------------------

    async def pause(self) -> None:
        await self._execute("stop")
        await self._until(State.PAUSED)

    async def resume(self) -> None:
        await self._execute("cont")
        await self._until(State.RUNNING)

    async def reset(self) -> None:
        await self._execute("system_reset")

    async def run_for(self, seconds: float) -> None:
        self._living()
        if self._state is not State.PAUSED:
            raise MachineError(f"{self.name} is running.", remedy="Pause it before running for a while.")
        goal = await self._virtual_time() + seconds
        await self.resume()
        try:
            while (left := goal - await self._virtual_time()) > 0:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(left if self.icount is None else max(left / 2, 0.0005))
        finally:
            await self.pause()

    async def counters(self) -> Counters:
        return Counters(await self._virtual_time(), virtual_error=0.001)

    async def _virtual_time(self) -> float:
        """Without icount, QEMU's virtual clock is the host's while it runs; with it, some drift apart."""
        self._living()
        drift = parse_drift(await self._monitor("info jit")) if self.icount is not None else 0.0
        if drift is None:
            raise Unsupported(f"This QEMU does not tell the virtual time of {self.name}.")
        stretch = time.time() - self._running_since if self._state is State.RUNNING else 0.0
        return max(0.0, self._ran + stretch - drift)

    async def _follow(self, listener: EventListener) -> None:
        """Keep the state and the running time by QEMU's events."""
        async for event in listener:
            stamp: Any = event["timestamp"]
            now = stamp["seconds"] + stamp["microseconds"] / 1e6
            if event["event"] == "RESUME":
                self._running_since = now
                await self._turn(State.RUNNING)
            elif self._state is State.RUNNING:
                self._ran += now - self._running_since
                await self._turn(State.PAUSED)

    async def _turn(self, state: State) -> None:
        async with self._turned:
            self._state = state
            self._turned.notify_all()

    async def _until(self, state: State) -> None:
        async with self._turned:
            await self._turned.wait_for(lambda: self._state in (state, State.DIED, State.OFF))
        self._living()

    # -- insides ----------------------------------------------------------------------------------

    async def read_memory(self, address: int, size: int) -> bytes:
        return await self._guard(self._open_qtest().read(address, size))

    async def write_memory(self, address: int, data: bytes) -> None:
        await self._guard(self._open_qtest().write(address, data))

    async def read_registers(self) -> Mapping[str, int]:
        return parse_registers(await self._monitor("info registers"))

    async def write_register(self, name: str, value: int) -> None:
        self.capabilities.require(Capability.WRITE_REGISTERS)

    async def read_pin(self, pin: int) -> bool:
        gpio = self._gpio(Capability.READ_PINS, pin)
        word = await self.read_memory(int(gpio["output"]), 4)
        return bool(int.from_bytes(word, "little") >> pin & 1)

    async def drive_pin(self, pin: int, level: bool) -> None:
        gpio = self._gpio(Capability.DRIVE_PINS, pin)
        await self._guard(self._open_qtest().set_input(gpio["path"], gpio["input"], pin, level))

    def _gpio(self, capability: Capability, pin: int) -> Mapping[str, Any]:
        """The page's facts on the GPIO: `count` of pins, address of the `output` register, and for qtest
        the device's QOM `path` and the name of its `input` lines."""
        self.capabilities.require(capability)
        gpio: Mapping[str, Any] = self._page["gpio"]
        if not 0 <= pin < gpio["count"]:
            raise MachineError(f"{self.board.title} has no pin {pin}: they are 0 to {gpio['count'] - 1}.")
        return gpio

    async def set_sensor(self, name: str, value: float) -> None:
        self.capabilities.require(Capability.SENSORS)

    async def save(self, path: Path) -> None:
        self.capabilities.require(Capability.SNAPSHOT)

    async def restore(self, path: Path) -> None:
        self.capabilities.require(Capability.SNAPSHOT)

    # -- wires ------------------------------------------------------------------------------------

    async def connect(self) -> Streams:
        self._living()
        return await self._connect()

    async def _connect_serial(self) -> Streams:
        """The first caller gets the stream opened before boot, each further one a new stream in its place."""
        if self._serial is None or self._serial_taken:
            if self._serial is not None:
                self._serial[1].close()
            self._living()
            path = str((self._folder or Path()) / "serial")
            self._serial = await self._guard(asyncio.open_unix_connection(path))
        self._serial_taken = True
        return self._serial

    def _living(self) -> QMPClient:
        if self._state is State.DIED and self._died is not None and self._died.done():
            raise MachineDied(self._died.result())
        if self._qmp is None:
            raise MachineError(f"{self.name} is off.", remedy="Start it first.")
        return self._qmp

    def _open_qtest(self) -> Qtest:
        self._living()
        if self._qtest is None:
            raise MachineError(f"{self.name} is off.", remedy="Start it first.")
        return self._qtest

    async def _execute(self, command: str, **arguments: object) -> object:
        result: object = await self._guard(self._living().execute(command, arguments or None))
        return result

    async def _monitor(self, line: str) -> str:
        """A command of the human monitor, for what QMP has no command."""
        return str(await self._execute("human-monitor-command", **{"command-line": line}))

    async def _guard(self, call: Awaitable[_T]) -> _T:
        """Await something of QEMU's; its errors become ours, with QEMU's last words where it died."""
        try:
            return await call
        except ExecuteError as error:
            raise MachineError(f"QEMU refused: {error}.") from error
        except (ExecInterruptedError, QMPError, OSError) as error:
            if self._died is not None:
                with contextlib.suppress(TimeoutError):  # its end is noticed a moment after its sockets'
                    words = await asyncio.wait_for(asyncio.shield(self._died), 1)
                    raise MachineDied(words) from error
            raise MachineError(f"{self.name} does not answer: {error}.") from error


def _find(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        package = _PACKAGES.get(program, program)
        remedy = f"Install it: apt install {package} (on macOS: brew install qemu)."
        raise EnvironmentMissing(f"{program} is not installed.", remedy=remedy)
    return path


def _check_image(image: Path) -> None:
    if not image.is_file():
        raise MachineError(f"There is no firmware image {image}.", remedy="Build it first.")
    with image.open("rb") as file:
        if file.read(4) != b"\x7fELF":  # QEMU would load anything, as bytes for address 0
            raise MachineError(f"{image} is no ELF file.", remedy="Give the firmware's .elf.")


def _escape(path: Path) -> str:
    """In QEMU's option strings a comma is doubled."""
    return str(path).replace(",", ",,")
