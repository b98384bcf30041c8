"""What every emulator backend has in common: power, and one process that may die.

A backend derives from ProcessMachine, starts its process with `_launch`, and follows up on `_open` and
`_close`. States, images, timeouts and last words are handled here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from emulation.drift import hold_back
from emulation.errors import EmulationError, MachineDied, MachineError, Unsupported
from emulation.faults import LinkFaults, with_faults
from emulation.machine import Capabilities, Capability, Connect, Counters, State, Streams
from emulation.pins import PinTrace
from emulation.process import Child
from emulation.stand_in import StandIn
from emulation.wear import worn
from hal.boards import Board

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class ProcessMachine:
    """A machine that is one emulator process. See emulation.machine.Machine."""

    capabilities: Capabilities
    open_timeout = 10.0
    """Host seconds from the process's start to a machine that obeys."""

    def __init__(self, board: Board, emulator: str, faults: LinkFaults | None) -> None:
        self.board = board
        self.name = f"{board.name}@{emulator}"
        self.faults = faults
        self._page: Mapping[str, Any] = board.emulators[emulator]
        self._state = State.OFF
        self._turned = asyncio.Condition()  # notified when the state changes
        self._image: Path | None = None
        self._folder: Path | None = None
        self._child: Child | None = None
        self._stand_in: StandIn | None = None
        self._worn: bytes | None = None  # the image as the flash holds it, once that has worn
        self._drift = 0.0
        self._drifting: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._died: asyncio.Future[str] | None = None
        self._pins: PinTrace | None = None
        self._connect: Connect = self._open_uart
        if faults is not None:
            self._connect = with_faults(self._open_uart, faults)

    # -- for the backend to write -----------------------------------------------------------------

    def _find(self) -> str:
        """The emulator's program. EnvironmentMissing if it is not installed."""
        raise NotImplementedError

    async def _open(self, program: str, folder: Path, image: Path) -> None:
        """Start the process and bring the machine to PAUSED. What it began, `_close` and stop() undo."""
        raise NotImplementedError

    async def _close(self) -> None:
        """Let go of all connections; the process is gone already. Must not fail, and may be called twice."""
        raise NotImplementedError

    async def _open_uart(self) -> Streams:
        """A new connection to the link's UART, in place of the last one."""
        raise NotImplementedError

    def _last_words(self, text: str) -> str:
        """Of the emulator's output, what tells why it ended."""
        raise NotImplementedError

    async def pause(self) -> None:
        raise NotImplementedError

    async def resume(self) -> None:
        raise NotImplementedError

    # -- power ------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self._state

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self._child.alive else None

    async def start(self, image: Path, *, paused: bool = False) -> None:
        if self._state in (State.RUNNING, State.PAUSED):
            raise MachineError(f"{self.name} is already on.", remedy="Stop it first, or reset it.")
        program = self._find()
        check_image(image)
        await self.stop()
        if image != self._image:
            self._worn = None
        self._image = image
        self._folder = Path(tempfile.mkdtemp(prefix="mma-machine-"))
        self._died = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self.open_timeout):
                await self._open(program, self._folder, await self._flashed(image, self._folder))
                if not paused:
                    await self.resume()
            await self.drift(self._drift)
        except TimeoutError:
            said = self._last_words(self._child.tail(80)) if self._child else ""
            await self.stop()
            message = f"{self.name} did not answer within {self.open_timeout:g} s. {said}"
            raise MachineError(message.strip()) from None
        except BaseException:
            await self.stop()
            raise

    async def _launch(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> Child:
        """Start the emulator and watch it; its folder goes when it ends."""
        name = Path(command[0]).name
        self._child = await Child.start(command, name=name, env=env, scratch=self._folder)
        self._spawn(self._watch(self._child), "watch")
        return self._child

    def _spawn(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        """Run a coroutine for as long as the machine is on."""
        task = asyncio.create_task(work, name=f"{what} {self.name}")
        self._tasks.append(task)
        return task

    async def stop(self) -> None:
        child, self._child = self._child, None
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if child is not None:
            await self._end(child)
        await self._close()
        if self._folder is not None:  # the supervisor removed it, unless it never came to be
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None
        await self._turn(State.OFF)

    async def _end(self, child: Child) -> None:
        """End the emulator, and give its supervisor the time to clean up."""
        await child.stop(grace=0.5)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def load(self, image: Path) -> None:
        check_image(image)
        await self.stop()
        self._worn = None
        await self.start(image)

    async def power_cut(self, seconds: float = 0.0) -> None:
        self._living()
        assert self._image is not None
        await self.stop()
        await asyncio.sleep(seconds)
        await self.start(self._image)

    async def wear(self, cells: int, *, seed: int = 0) -> None:
        self._living()
        assert self._image is not None
        flash = await asyncio.to_thread(self._image.read_bytes) if self._worn is None else self._worn
        self._worn = await asyncio.to_thread(worn, flash, cells, self.board, seed)
        await self.power_cut()

    async def _flashed(self, image: Path, folder: Path) -> Path:
        """What the flash holds of an image."""
        if self._worn is None:
            return image
        path, flash = folder / "worn.elf", self._worn
        await asyncio.to_thread(lambda: path.write_bytes(flash))
        return path

    async def drift(self, share: float) -> None:
        if not 0 <= share < 1:
            raise MachineError(f"A clock cannot lose {share:g} of its time.", remedy="Give 0 to 0.99.")
        self._drift = share
        task, self._drifting = self._drifting, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if share and self._child is not None:
            self._drifting = self._spawn(hold_back(self, share), "drift of")

    async def connect(self) -> Streams:
        try:
            self._living()
            return await self._connect()
        except EmulationError as error:  # as any stream's factory: who connects tries again
            raise ConnectionError(str(error)) from error

    # -- death ------------------------------------------------------------------------------------

    async def wait_died(self) -> str:
        if self._died is None:
            raise MachineError(f"{self.name} is off.")
        return await asyncio.shield(self._died)

    async def _watch(self, child: Child) -> None:
        await child.wait()
        words = f"{self.name}: {child.name} {child.ending()}. {self._last_words(child.tail(80))}".strip()
        _log.warning("%s", words)
        self._state = State.DIED
        if self._died is not None and not self._died.done():
            self._died.set_result(words)
        await self._turn(State.DIED)
        await self._close()

    def _living(self) -> None:
        """Raise MachineDied or MachineError unless the machine is on."""
        if self._died is not None and self._died.done():
            raise MachineDied(self._died.result())
        if self._child is None:
            raise MachineError(f"{self.name} is off.", remedy="Start it first.")

    async def _guard(self, call: Awaitable[_T], *lost: type[Exception]) -> _T:
        """Await something of the emulator's. Where its connection is lost, by OSError or one of `lost`, the
        error tells of the machine's death if there was one."""
        try:
            return await call
        except Exception as error:
            if not isinstance(error, (OSError, *lost)):
                raise
            if self._died is not None:
                with contextlib.suppress(TimeoutError):  # its end is noticed a moment after its sockets'
                    raise MachineDied(await asyncio.wait_for(asyncio.shield(self._died), 1)) from error
            raise MachineError(f"{self.name} does not answer: {error}.") from error

    # -- state ------------------------------------------------------------------------------------

    async def _turn(self, state: State) -> None:
        async with self._turned:
            self._state = state
            self._turned.notify_all()

    async def _until(self, state: State) -> None:
        async with self._turned:
            await self._turned.wait_for(lambda: self._state in (state, State.DIED, State.OFF))
        self._living()

    def _must_be_paused(self) -> None:
        self._living()
        if self._state is not State.PAUSED:
            raise MachineError(f"{self.name} is running.", remedy="Pause it first.")

    def _pin(self, capability: Capability, pin: int) -> tuple[int, int, str]:
        """Where a pin of the board is, by its page's `gpio`: (address of its port's output register, bit,
        what the backend takes to drive an input of that port). Unsupported if the page has none."""
        self.capabilities.require(capability)
        gpio: Mapping[str, Any] = self._page["gpio"]
        pins = gpio["pins"]
        if not 0 <= pin < len(pins):
            raise MachineError(f"{self.board.title} has no pin {pin}: they are 0 to {len(pins) - 1}.")
        port, bit = divmod(int(pins[pin]), int(gpio["width"]))
        output = 0 if gpio.get("stand_in") else int(gpio["output"][port])
        return output, bit, str(gpio["input"][port])

    def watch_pins(self, pins: PinTrace) -> None:
        """Let the trace hear of its pins' levels. Before it starts, with a kernel of ours."""
        self._pins = pins

    async def _turned_pin(self, pin: int, level: bool) -> None:
        """For `drive_pin`, when it is done."""
        if self._pins is not None:
            self._pins.turned((await self.counters()).virtual_time or 0.0, pin, level)

    async def counters(self) -> Counters:
        raise NotImplementedError

    async def executed(self) -> Mapping[int, int]:
        self.capabilities.require(Capability.PROFILE)
        raise NotImplementedError

    async def read_memory(self, address: int, size: int) -> bytes:
        raise NotImplementedError

    async def write_memory(self, address: int, data: bytes) -> None:
        raise NotImplementedError

    def _our_kernel(self) -> StandIn:
        if self._stand_in is None:
            raise Unsupported("This image has no stand-in for sensors and pins, as our kernel has.")
        return self._stand_in

    async def set_sensor(self, name: str, value: float) -> None:
        """By the kernel's stand-in; on the board's page a sensor has its number there."""
        self.capabilities.require(Capability.SENSORS)
        sensors: Mapping[str, Mapping[str, Any]] = self._page["sensors"]
        if name not in sensors:
            known = ", ".join(sensors)
            raise MachineError(f"{self.board.title} has no sensor {name!r}.", remedy=f"There is: {known}.")
        await self._our_kernel().set(self.write_memory, int(sensors[name]["stand_in"]), value)

    async def _set_room_values(self, image: Path) -> None:
        """What sensors read until somebody says otherwise; for `_open`, before the first instruction."""
        self._stand_in = StandIn.of(image)
        if self._stand_in is not None:
            for name, sensor in self._page.get("sensors", {}).items():
                await self.set_sensor(name, sensor["initial"])

    async def read_pin(self, pin: int) -> bool:
        address, bit, _ = self._pin(Capability.READ_PINS, pin)
        return bool(int.from_bytes(await self.read_memory(address, 4), "little") >> bit & 1)


def capabilities_of(page: Mapping[str, Any], missing: Mapping[Capability, str]) -> Capabilities:
    """All but `missing`, of which pins and sensors are there after all if the board's page has them."""
    lacking = dict(missing)
    if "gpio" in page:
        lacking.pop(Capability.READ_PINS, None)
        lacking.pop(Capability.DRIVE_PINS, None)
    if "sensors" in page:
        lacking.pop(Capability.SENSORS, None)
    return Capabilities(frozenset(Capability) - lacking.keys(), lacking)


def check_image(image: Path) -> None:
    """MachineError unless it is an ELF file: an emulator would load anything, as bytes for address 0."""
    if not image.is_file():
        raise MachineError(f"There is no firmware image {image}.", remedy="Build it first.")
    with image.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            raise MachineError(f"{image} is no ELF file.", remedy="Give the firmware's .elf.")
