"""The debugger of one target: what a person can ask of it, and what is then to be seen.

    debugger = Debugger(show)
    await debugger.attach(Subject("stm32f4@qemu", ...))
    await debugger.break_at("fib")

`show` gets a DebugView after each change. All methods raise EmulationError or ConsoleError with a remedy.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from console.debug.assign import assign
from console.debug.kernel import table_of
from console.debug.look import Looker, peripheral
from console.debug.tenants import Tenants, task_of
from console.debug.unmodelled import UnmodelledWatch
from console.debug.view import Bytes, DebugView, Phase, Register, Said, Spot
from console.debug.words import trap_sentence, why
from console.errors import UsageError
from console.live.seam import Step
from emulation.errors import EmulationError
from emulation.gdb import events, stubs, svd
from emulation.gdb.breakpoints import Access
from emulation.gdb.errors import GdbError
from emulation.gdb.facts import Completion, State
from emulation.gdb.peripherals import Peripherals
from emulation.gdb.session import Session
from emulation.machine import Capability
from emulation.past import KeepsPast
from hal.boards import Board

if TYPE_CHECKING:
    from emulation.gdb.execution import Resumed
    from emulation.machine import State as Power
    from hal.mcu import McuTarget

LINES = 400
"""Of the console that are kept."""
MEMORY = 512
"""Bytes of memory that are looked at."""
_LOOK = 20.0
"""Seconds that one look may take: a chatty stub must not hold the screen for ever."""
_DEVICES = [(0x40000000, 0x60000000), (0xE0000000, 0xE0100000)]
"""Where Cortex-M has peripherals and its own registers (ARMv7-M Architecture Reference Manual, B3.1)."""
_TRAPS = "cause == 2 || cause == 3"  # MMA_CAUSE_TRAP, MMA_CAUSE_FAULT of firmware/sdk/abi.h


class Stubbed(Protocol):
    """What has a debug stub: an emulation.machine.Machine, or a board behind a probe."""

    @property
    def gdb(self) -> str | None:
        """What GDB's `target remote` takes; None while it is off."""
        ...

    @property
    def state(self) -> Power | None:
        """Whether it runs, where anybody but GDB knows."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What is debugged. `target` knows the executors; without one there is only the kernel.

    `ping_limit`: seconds after which the master gives a silent agent up; `gives_up` seconds after which it
    gives up one whose board is held, 0 for never. `stub`: where the name does not tell it.
    """

    name: str
    board: Board
    elf: Path
    machine: Stubbed
    target: McuTarget | None = None
    ping_limit: float = 75.0
    gives_up: float = 0.0
    stub: stubs.Stub | None = None


class Debugger:
    """One at a time. All calls from one event loop; close() leaves the target running."""

    def __init__(self, show: Callable[[DebugView], None]) -> None:
        self._show = show
        self._said: deque[Said] = deque(maxlen=LINES)
        self._session: Session | None = None
        self._following: asyncio.Task[None] | None = None
        self._subject: Subject | None = None
        self._tenants: Tenants | None = None
        self._looker: Looker | None = None
        self._peripherals: Peripherals | None = None
        self._unmodelled: UnmodelledWatch | None = None
        self._watches: list[str] = []
        self._trap = ""
        self._memory: tuple[int, int, str] | None = None
        self._busy = asyncio.Lock()
        self._attaching = False
        self._past: KeepsPast | None = None
        self._marked = 0  # the stop at which the past was marked last
        self.view = DebugView()

    # -- attaching

    async def attach(self, subject: Subject, *, stop: bool = False) -> None:
        """Let a target be debugged; it runs on within some ten milliseconds unless `stop`."""
        await self.detach()
        machine = subject.machine
        if machine.gdb is None:
            raise UsageError(f"{subject.name} is off.", remedy="Its line in the fleet says why.")
        self._said.clear()
        starting = DebugView(subject.name, Phase.ATTACHING, "starting GDB")
        self._post(replace(starting, ping_limit=subject.ping_limit, gives_up=subject.gives_up))
        emulated = stubs.RENODE if subject.name.partition("@")[2].startswith("renode") else stubs.QEMU
        stub = subject.stub or emulated
        session = self._session = Session(stub=stub)
        self._attaching = True  # its stops are not ones to look at, and nobody is to step meanwhile
        try:
            await session.open()
            self._subject = subject
            tenants = self._tenants = Tenants(session)
            self._looker = Looker(session, tenants, await asyncio.to_thread(table_of, subject.elf))
            await session.symbols.load(subject.elf)
            sources = Path(__file__).parents[2]
            await session.console.run(f"directory {sources}")
            if subject.target is not None:
                await tenants.keep(subject.target.placed())
                subject.target.on_ready.add(self._executor_ready)
            self._following = asyncio.create_task(self._follow(session), name="follow the debugger")
            await asyncio.sleep(0)  # it listens before anything happens
            board = subject.board
            memory = [(run.address, run.end) for run in (board.flash, board.ram)] + _DEVICES
            attached = await session.attach(machine.gdb, stop=stop, runs=self._runs, memory=memory)
            self._find_peripherals(board)
            names = (
                tuple(one.name for one in self._peripherals.device.peripherals) if self._peripherals else ()
            )
            held = (
                f"; attaching held it for {attached.paused_for * 1000:.0f} ms" if attached.paused_for else ""
            )
            self._say("note", f"attached to {attached.stub} at {subject.name}{held}")
            able, why_not = attached.reverse, attached.why_not
            if able and isinstance(machine, KeepsPast):  # Renode's stub tells that it can when it cannot
                able = Capability.REVERSE in machine.capabilities
                why_not = machine.capabilities.why_not(Capability.REVERSE)
            self._post(replace(self.view, peripherals=names, reverse=able, why_not=why_not))
            self._unmodelled = UnmodelledWatch(machine)
            await self._unmodelled.open(self._peripherals, self._publish)
            self._attaching = False
            await self._refresh()
        except BaseException:
            await self.detach()
            raise

    async def detach(self) -> None:
        """Let go of it; it runs on. Idempotent."""
        self._attaching = False
        past, self._past = self._past, None
        session, self._session = self._session, None
        subject, self._subject = self._subject, None
        if subject is not None and subject.target is not None:
            subject.target.on_ready.discard(self._executor_ready)
        following, self._following = self._following, None
        unmodelled, self._unmodelled = self._unmodelled, None
        if unmodelled is not None:
            await unmodelled.close()
        if session is not None:
            await session.close()
        if past is not None:
            with contextlib.suppress(EmulationError):
                await past.forget_past()
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
        self._tenants = self._looker = self._peripherals = None
        self._trap, self._memory = "", None
        if session is not None:
            self._say("note", "detached; the target runs on")
            self._post(DebugView(self.view.target, said=tuple(self._said)))

    async def _runs(self) -> bool | None:
        from emulation.machine import State as Power

        subject = self._subject
        state = None if subject is None else subject.machine.state
        return None if state is None else state is Power.RUNNING

    def _find_peripherals(self, board: Board) -> None:
        session = self._live
        with contextlib.suppress(EmulationError):
            device = svd.load((board.mcu, board.chip, board.name))
            self._peripherals = Peripherals(
                device, session.data.read, write=session.data.write, stop=lambda: session.stops
            )

    @property
    def _live(self) -> Session:
        if self._session is None:
            raise UsageError("The debugger is not attached.", remedy="Attach it to a board first.")
        return self._session

    @property
    def _executors(self) -> Tenants:
        if self._tenants is None:
            raise UsageError("The debugger is not attached.", remedy="Attach it to a board first.")
        return self._tenants

    async def _executor_ready(self, placed: object) -> None:
        """An image is on the device and has not begun: its symbols and breakpoints first."""
        from hal.mcu import Placed

        if self._tenants is not None and isinstance(placed, Placed):
            async with self._busy:
                await self._tenants.add(placed)
            self._say("note", f"{task_of(placed.key)} is in slot {placed.slot}, symbols read")
            self._publish()

    # -- running

    async def go(self, how: Step, *, reverse: bool = False) -> None:
        """Continue, or a step; returns at once, the stop is shown when it comes. Where a machine keeps its
        past only when it is asked to, the first one backwards asks it."""
        execution = self._live.execution
        if reverse and await self.keep_past():
            return
        if self._past is not None and how == "continue" and not reverse:
            self._past.open_link()
        resume: dict[str, Callable[[], Awaitable[Resumed]]] = {
            "continue": lambda: execution.continue_(reverse=reverse),
            "step": lambda: execution.step(reverse=reverse),
            "next": lambda: execution.next_(reverse=reverse),
            "stepi": lambda: execution.stepi(reverse=reverse),
            "nexti": lambda: execution.nexti(reverse=reverse),
            "finish": lambda: execution.finish(reverse=reverse),
            "until": lambda: execution.until(),
        }
        await resume[how]()

    async def keep_past(self) -> bool:
        """From this stop on it can be run backwards: False where that goes without, or does already."""
        machine = self._subject.machine if self._subject is not None else None
        if self._past is not None or not isinstance(machine, KeepsPast):
            return False
        async with self._busy:
            self._live.core.require_stopped()
            await machine.mark_past()
            self._past = machine
        self._say("note", "it can go back to here from now on; while it is stepped nothing comes in")
        self._publish()
        return True

    async def pause(self) -> None:
        """Stop it where it is."""
        await self._live.execution.interrupt()

    async def run_to(self, location: str) -> None:
        """Until a `file:line`, `*address` or function, or the end of this function."""
        await self._live.execution.advance(location)

    async def stopped(self, timeout: float | None = None) -> DebugView:
        """Wait until it stops, and has been looked at. GdbError after `timeout` seconds."""
        await self._live.execution.wait(timeout)
        async with self._busy:
            pass
        if self.view.phase is not Phase.STOPPED or self.view.serial != self._live.stops:
            await self._refresh()
        return self.view

    # -- breakpoints

    async def break_at(self, text: str) -> None:
        """At `function`, `file:line`, `*address`, with ` if condition`; functions of executors by their
        WebAssembly names, also those that come later. `kernel:function` means the kernel's."""
        location, _, condition = (part.strip() for part in text.partition(" if "))
        if not location:
            raise UsageError("Where?", remedy="Give a function, file:line or *address.")
        kernel = location.startswith("kernel:")
        location = location.removeprefix("kernel:")
        is_name = re.fullmatch(r"[A-Za-z_][\w.$<>~]*", location) is not None
        if (
            is_name
            and not kernel
            and not (await self._in_kernel(location) and not self._executors.has(location))
        ):
            await self._executors.break_at(location, condition)
        else:
            await self._live.breakpoints.insert(location, condition=condition, pending=not kernel)
        self._publish()

    async def _in_kernel(self, name: str) -> bool:
        try:
            found = await self._live.symbols.find(name, 20)
        except GdbError:
            return False
        return any(
            one.name == name and "/firmware/sdk/" not in one.path and "firmware" in one.file for one in found
        )

    async def toggle(self, path: str, line: int) -> None:
        """A breakpoint at a line, or none."""
        here = [one for one in self.view.breaks if (path, line) in one.spots]
        for one in here:
            await self.delete(one.key)
        if not here:
            await self._live.breakpoints.insert(f"{path}:{line}")
        self._publish()

    async def delete(self, key: str) -> None:
        """Remove one, by its key in the view."""
        if key.startswith("name:"):
            await self._executors.drop(key.removeprefix("name:"))
        else:
            if key == self._trap:
                self._trap = ""
            await self._live.breakpoints.delete(key)
        self._publish()

    async def enable(self, key: str, on: bool) -> None:
        """Switch one on or off."""
        if key.startswith("name:"):
            await self._executors.enable(key.removeprefix("name:"), on)
        else:
            await self._live.breakpoints.enable(key, on)
        self._publish()

    async def ignore(self, key: str, count: int) -> None:
        """Let so many more hits pass."""
        await self._live.breakpoints.set_ignore(key, count)
        self._publish()

    async def stop_on_write(self, expression: str, access: Access = Access.WRITE) -> None:
        """A watchpoint."""
        await self._live.breakpoints.watch(expression, access)
        self._publish()

    async def stop_on_trap(self, on: bool) -> None:
        """Stop when an executor traps or faults, before the kernel ends it."""
        if on and not self._trap:
            made = await self._live.breakpoints.insert("mma_executor_end", condition=_TRAPS)
            self._trap = made.number
        elif not on and self._trap:
            number, self._trap = self._trap, ""
            await self._live.breakpoints.delete(number)
        self._publish()

    # -- looking

    async def select(self, level: int) -> None:
        """Another frame of the stack."""
        async with self._busy:
            await self._look(level)

    async def open_source(self, path: str) -> None:
        """Another file in the source view."""
        assert self._looker is not None
        text = await self._looker.source(path)
        if text is None:
            raise UsageError(f"{path} is not on this disk.", remedy="Is it the folder that it was built in?")
        self._post(replace(self.view, source=text))

    async def files(self) -> tuple[str, ...]:
        """All sources that are known."""
        return await self._live.symbols.files()

    async def watch(self, expression: str) -> None:
        """Show an expression's value at every stop; a second time no longer."""
        if expression in self._watches:
            self._watches.remove(expression)
        else:
            self._watches.append(expression)
        await self._refresh()

    async def open_value(self, key: str) -> None:
        """Show what a value of the view is made of, by its key; or no longer."""
        if self._looker is not None:
            self._looker.opened.turn(key)
            await self._refresh()

    async def look_at(self, expression: str, size: int = MEMORY) -> None:
        """Show memory at an address or an expression's value."""
        address = await self._live.data.address_of(expression)
        self._memory = (address, size, expression)
        await self._refresh()

    async def write(self, address: int, data: bytes) -> None:
        """Change memory."""
        await self._live.data.write(address, data)
        await self._refresh()

    async def peripheral(self, name: str) -> None:
        """Show one, now and after every stop."""
        self._post(replace(self.view, peripheral=name, device_registers=()))
        await self._refresh()

    async def assign(self, text: str) -> None:
        """Write a variable, a register, or a peripheral's register or field (console.debug.assign)."""
        guest = self._looker.guest if self._looker is not None else None
        await assign(self._live, self._peripherals, text, self.view.frame, guest)
        self._say("typed", f"set {text}")
        await self._refresh()

    async def command(self, line: str) -> str:
        """A line for GDB's own console."""
        self._say("typed", line)
        try:
            text = await self._live.console.run(line)
        except GdbError as error:
            self._say("trouble", str(error))
            raise
        finally:
            self._publish()
        if self._live.state is State.STOPPED:
            await self._refresh()
        return text

    async def complete(self, text: str) -> Completion:
        """What could follow."""
        return await self._live.console.complete(text)

    # -- following

    async def _follow(self, session: Session) -> None:
        with session.listen() as heard:
            async for event in heard:
                await self._take(event)

    async def _take(self, event: events.Event) -> None:
        match event:
            case events.Stopped(passing=False):
                await self._refresh()
            case events.Running(passing=False):
                self._publish()
            case events.Output(source=source, text=text) if source != "log":
                for line in text.rstrip("\n").splitlines():
                    self._say("target" if source == "target" else "gdb", line)
                self._publish()
            case events.Sent(line=line):
                self._say("sent", line)
            case events.Wedged(party=party, what=what):
                self._say("trouble", f"{party}: {what}; recovering")
                self._publish()
            case events.Recovered(party=party, actions=actions, seconds=seconds):
                self._say("note", f"{party} answers again after {seconds:.1f} s: {', '.join(actions)}")
                self._publish()
            case events.Chatty(packet=packet, count=count):
                self._say(
                    "trouble",
                    f"the stub sent what nobody asked for ({packet}, {count} in all); it was dropped",
                )
            case events.Lost(what=what):
                self._say("trouble", what)
                self._publish()
            case events.Exited():
                self._publish()
            case events.BreakpointChanged() | events.BreakpointDeleted():
                self._publish()

    async def _refresh(self) -> None:
        """Look anew, or say that it runs."""
        async with self._busy:
            if self._session is None or self._session.state is not State.STOPPED:
                self._publish()
                return
            if self._subject is not None and self._subject.target is not None:
                with contextlib.suppress(GdbError):
                    await self._executors.keep(self._subject.target.placed())
            try:
                if self._past is not None and self._marked != self._session.stops:
                    self._marked = self._session.stops
                    await self._past.mark_past()
                async with asyncio.timeout(_LOOK):
                    await self._look(0)
            except (EmulationError, TimeoutError) as error:
                self._say("trouble", str(error) or "Looking at the target took too long.")
                self._publish()

    async def _look(self, level: int) -> None:
        session, looker = self._live, self._looker
        assert looker is not None
        frames = await looker.frames()
        level = level if level < len(frames) else 0
        spot = frames[level].spot if frames else Spot()
        stop = session.last_stop
        sentence = why(stop, frames[0].spot if frames else Spot(), self.view.breaks) if stop else ""
        variables, hidden = await looker.variables(level, spot) if frames else ((), 0)
        if stop is not None and stop.breakpoint and stop.breakpoint == self._trap and level == 0:
            sentence, spot = await self._trapped(spot)
        view = replace(
            self.view,
            frames=frames,
            frame=level,
            spot=spot,
            sentence=sentence,
            source=await looker.source(spot.path) if spot.path else None,
            variables=variables,
            hidden=hidden,
            watches=await looker.watches(self._watches, level),
            registers=await looker.registers(),
            code=await looker.code(spot),
            slots=await looker.slots(),
            device_registers=await self._device(),
            memory=await self._bytes(),
        )
        self._publish(replace(view, serial=session.stops))

    async def _trapped(self, kernel: Spot) -> tuple[str, Spot]:
        """In mma_executor_end: which executor, why, and where in it."""
        data, looker = self._live.data, self._looker
        assert looker is not None
        pc, cause, status = [await data.address_of(text) for text in ("executor->pc", "(int)cause", "status")]
        placed = self._executors.at(pc)
        spot = Spot(pc, owner=looker.owner(pc))
        if placed is not None:
            symbol = placed.image.symbolise(pc)
            lines = await data.disassemble_mixed(pc & ~1, (pc & ~1) + 2)
            line = next((one for one in lines if one.line), None)
            spot = Spot(
                pc,
                symbol.name if symbol else "",
                line.path if line else "",
                line.line or 0 if line else 0,
                spot.owner,
            )
        return trap_sentence(cause, status, spot), spot if placed is not None else kernel

    async def _device(self) -> tuple[Register, ...]:
        if self._peripherals is None or not self.view.peripheral:
            return ()
        return await peripheral(self._peripherals, self.view.peripheral)

    async def _bytes(self) -> Bytes | None:
        if self._memory is None or self._looker is None:
            return None
        address, size, what = self._memory
        try:
            return await self._looker.memory(address, size, what, self.view.memory)
        except GdbError:
            return None

    # -- telling

    def _say(self, kind: str, text: str) -> None:
        self._said.append(Said(kind, text))

    def _publish(self, view: DebugView | None = None) -> None:
        """Show what is always known, whatever the target does."""
        view = view or self.view
        session = self._session
        if session is not None:
            phase = Phase.ATTACHING if self._attaching else _PHASES.get(session.state, Phase.DETACHED)
            held = time.time() - session.held if phase is Phase.STOPPED else 0.0
            if abs(held - view.held_since) < 0.5:
                held = view.held_since  # the same stop: no reason to draw
            view = replace(
                view,
                phase=phase,
                held_since=held,
                breaks=self._looker.breaks() if self._looker is not None else (),
                unmodelled=self._unmodelled.rows() if self._unmodelled is not None else (),
                on_trap=bool(self._trap),
            )
        self._post(view)

    def _post(self, view: DebugView) -> None:
        self.view = replace(view, said=tuple(self._said))
        self._show(self.view)


_PHASES = {
    State.RUNNING: Phase.RUNNING,
    State.STOPPED: Phase.STOPPED,
    State.EXITED: Phase.STOPPED,
    State.LOST: Phase.LOST,
}
