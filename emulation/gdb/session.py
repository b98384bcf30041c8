"""One debugging session, without a screen.

    async with Session(stub=stubs.QEMU) as session:
        await session.symbols.load(Path("kernel.elf"))
        await session.attach("unix:/tmp/gdb", stop=False)
        await session.breakpoints.insert("main")
        stop = await session.execution.wait()

GDB speaks to a guard in this process, the guard to the stub: what a bad stub does to them is noticed and
repaired, and told as events. Everything runs in one event loop.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from emulation.gdb.breakpoints import Breakpoints
from emulation.gdb.console import Console
from emulation.gdb.core import Core
from emulation.gdb.data import Data
from emulation.gdb.errors import GdbError, GdbGone, StubLost
from emulation.gdb.events import Listener, Stopped
from emulation.gdb.execution import Execution
from emulation.gdb.facts import Attached, State
from emulation.gdb.guard import Guard
from emulation.gdb.revive import Supervisor
from emulation.gdb.stack import Stack
from emulation.gdb.stublink import Address
from emulation.gdb.stubs import OTHER, Stub
from emulation.gdb.symbols import Symbols
from emulation.gdb.variables import Variables
from emulation.gdb.watchdog import Patience

_log = logging.getLogger(__name__)


class Session:
    """GDB and what it is attached to. open() or `async with`; the facets are its attributes."""

    def __init__(self, *, stub: Stub = OTHER, program: str = "", patience: Patience | None = None) -> None:
        """`program` replaces gdb-multiarch. Nothing starts before open()."""
        self.stub = stub
        self.attached: Attached | None = None
        self._program = program
        self._memory: tuple[tuple[int, int], ...] = ()
        self._core = core = Core(patience or Patience())
        self._supervisor = Supervisor(self)
        self.execution = Execution(core)
        self.breakpoints = Breakpoints(core)
        self.stack = Stack(core)
        self.data = Data(core)
        self.variables = Variables(core)
        self.symbols = Symbols(core)
        self.console = Console(core)

    # -- life -------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start GDB. GdbMissing with how to get it."""
        try:
            await self._core.start_gdb(self._program)
        except BaseException:
            await self.close()
            raise
        self._supervisor.start()

    async def close(self, *, leave_stopped: bool = False) -> None:
        """Detach, so that the target runs on, and end GDB. Idempotent.

        `leave_stopped` drops the connection instead: whether the target then stays stopped is the stub's
        matter (`stub.runs_on_loss`).
        """
        core = self._core
        await self._supervisor.stop()
        try:
            if not leave_stopped:
                with contextlib.suppress(GdbError):
                    await self.detach()
        finally:
            core.turn(State.CLOSED)
            guard, core.guard = core.guard, None
            gdb, core.gdb = core.gdb, None
            if guard is not None:
                await guard.close()  # first: a GDB that ends would detach
            if gdb is not None:
                await gdb.close()
            core.events.end()

    async def __aenter__(self) -> Session:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- the target -------------------------------------------------------------------------------

    async def attach(
        self,
        address: str,
        *,
        stop: bool = True,
        runs: Callable[[], Awaitable[bool | None]] | None = None,
        memory: Sequence[tuple[int, int]] = (),
    ) -> Attached:
        """Connect to a stub at unix:PATH or HOST:PORT.

        The protocol halts the target; with `stop` false it runs on within milliseconds (measured, in the
        answer). Load symbols before, not while it is held. `runs` tells from elsewhere, such as QMP, whether
        the target runs; with it a stop that the stub hides is found. `memory` are ranges (address, end) that
        there are, where the stub does not tell: GDB refuses all others. GdbError, StubLost.
        """
        where = Address.parse(address)
        self._memory = tuple(memory)
        core = self._core
        if core.gdb is None:
            raise GdbGone(core.lost or "The session is not open.")
        if core.state in (State.RUNNING, State.STOPPED):
            await self.detach()
        await self._drop_guard()
        core.guard = guard = Guard(
            where,
            core.told,
            patience=core.patience,
            runs=runs,
            runs_on_loss=self.stub.runs_on_loss,
            first=self.stub.first,
        )
        core.lost = ""
        begin = time.monotonic()
        await self.connect()
        features = guard.features
        self.execution.stub = self.stub
        self.execution.reverse = {"ReverseStep+", "ReverseContinue+"} <= set(features)
        frame = core.last.frame if core.last is not None else None
        paused_for = None
        if not stop:
            await self.execution.continue_()
            paused_for = time.monotonic() - begin
        why_not = "" if self.execution.reverse else self.stub.reverse
        self.attached = Attached(
            str(where), self.stub.name, paused_for, self.execution.reverse, why_not, features, frame
        )
        return self.attached

    async def connect(self) -> None:
        """Let GDB connect through the guard: the part of attach() that a replaced GDB does again."""
        core, guard = self._core, self._core.guard
        assert guard is not None
        assert core.gdb is not None
        path = core.gdb.folder / "stub"
        path.unlink(missing_ok=True)
        await guard.listen(path)
        core.attaching = True
        if core.state is State.LOST:  # GDB holds on to the old connection until it fails
            with contextlib.suppress(GdbError):
                await core.command("-target-disconnect")
        try:
            await core.command("-target-select", "remote", str(path))
        except GdbError as error:
            why = core.lost or f"{guard.address} does not speak GDB's protocol: {error.message}"
            core.lose(why)
            await self._drop_guard()
            raise StubLost(why) from error
        finally:
            core.attaching = False
        for start, end in self._memory:
            with contextlib.suppress(GdbError):
                await core.console(f"mem {start:#x} {end:#x} rw nocache")
        self.data.forget_registers()

    async def detach(self) -> None:
        """Let the target run without us; symbols and breakpoints stay for the next attach."""
        core = self._core
        if core.state in (State.RUNNING, State.STOPPED):
            try:
                if core.state is State.RUNNING:
                    await core.halt(passing=True)
                await core.command("-target-detach", timeout=core.patience.answer * 2)
            except GdbError as error:
                # Renode before 1.14 knows no detach, but it lets go when GDB ends.
                level = logging.DEBUG if self.stub.runs_on_loss else logging.WARNING
                _log.log(level, "GDB could not detach: %s", error)
                if core.guard is not None:
                    await core.guard.release()
        core.turn(State.DETACHED)
        self.attached = None
        await self._drop_guard()

    async def _drop_guard(self) -> None:
        guard, self._core.guard = self._core.guard, None
        if guard is not None:
            await guard.close()

    # -- watching ---------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """What the target is doing now. A passing stop counts as a stop."""
        return self._core.state

    @property
    def last_stop(self) -> Stopped | None:
        """Why and where it stopped last."""
        return self._core.last

    @property
    def stops(self) -> int:
        """How often it stopped: values read at one number belong together."""
        return self._core.stops

    @property
    def held(self) -> float:
        """Seconds for which the target has been stopped and its board silent; 0 while it runs."""
        since = self._core.stopped_since
        return time.monotonic() - since if since is not None and self.state is State.STOPPED else 0.0

    @property
    def gdb_pid(self) -> int | None:
        """GDB's process id."""
        return self._core.gdb.pid if self._core.gdb is not None else None

    @property
    def chatter(self) -> int:
        """Packets that the stub sent unasked, and that were kept from GDB."""
        return self._core.guard.chatter if self._core.guard is not None else 0

    def listen(self, limit: int = 2000) -> Listener:
        """The events from now on: `with session.listen() as events: async for event in events`."""
        return self._core.events.listen(limit)

    def paused(self) -> AbstractAsyncContextManager[None]:
        """Hold a running target for a moment: `async with session.paused(): await session.data.read(...)`."""
        return self._core.paused()

    # -- for the supervisor -----------------------------------------------------------------------

    @property
    def core(self) -> Core:
        return self._core

    @property
    def program(self) -> str:
        return self._program
