"""The heart of a session: GDB's process, what the target is doing, and who is told.

The facets (execution.py, breakpoints.py ...) send their commands through it; session.py opens and closes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from enum import Enum

from emulation.gdb import events, parse
from emulation.gdb.child import GdbProcess, Reply
from emulation.gdb.errors import GdbError, GdbGone, GdbSilent, StillRunning, StubLost, TargetRunning
from emulation.gdb.facts import Breakpoint, State
from emulation.gdb.guard import Guard
from emulation.gdb.mi import Fields, Kind, Record
from emulation.gdb.watchdog import Patience

SETTINGS = (
    "mi-async on",
    "confirm off",
    "pagination off",
    "width 0",
    "height 0",
    "auto-load no",  # no program's ELF runs Python in our GDB
    "print elements 256",
    "print sevenbit-strings off",
    "backtrace limit 256",  # a broken stack must not be unwound for minutes
    "remotetimeout 120",  # the guard knows better than GDB when a stub is late
    "debuginfod enabled off",
)
_SET_OFF = 2.0
"""Seconds within which GDB tells that a resumed target runs."""
_STREAMS = {Kind.CONSOLE: "gdb", Kind.LOG: "log", Kind.TARGET: "target", Kind.OTHER: "target"}


class Attention(Enum):
    """What the session's supervisor must look at."""

    GDB_SILENT = "GDB did not answer"
    GDB_GONE = "GDB ended"
    MOVED = "the target may have moved"


class Core:
    """State and commands of one session."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.events = events.Events()
        self.attention: asyncio.Queue[Attention] = asyncio.Queue()
        self.gdb: GdbProcess | None = None
        self.guard: Guard | None = None
        self.state = State.DETACHED
        self.last: events.Stopped | None = None
        """The last stop, passing or not."""
        self.stops = 0
        """How often the target stopped: tells old values from new ones."""
        self.runs = 0
        """How often it was let run."""
        self.kept = 0
        """How often it stopped to stay so."""
        self.stopped_since: float | None = None
        """time.monotonic() when the target stopped; None while it runs. The device is silent meanwhile."""
        self.breakpoints: dict[str, Breakpoint] = {}
        self.lost = ""
        """Why the stub or GDB is gone: a sentence."""
        self.attaching = False
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._holders = 0
        self._resume_after = False
        self._passing = False  # a stop or a run that happens now is the session's own and short

    # -- commands ---------------------------------------------------------------------------------

    async def start_gdb(self, program: str) -> None:
        """Start GDB and set it up. GdbMissing if there is none."""
        self.gdb = await GdbProcess.start(program, on_record=self._record, on_gone=self._gone)
        for setting in SETTINGS:
            with contextlib.suppress(GdbError):  # an older GDB lacks one or the other
                await self.gdb.command("-gdb-set", *setting.split(), timeout=self.patience.gdb)

    async def command(self, operation: str, *arguments: str, timeout: float | None = None) -> Reply:
        """One MI command. GdbRefused, TargetRunning, GdbSilent or GdbGone."""
        if self.gdb is None:
            raise GdbGone(self.lost or "The session is closed.")
        self.events.emit(events.Sent(" ".join([operation, *arguments])))
        try:
            return await self.gdb.command(operation, *arguments, timeout=timeout or self.patience.gdb)
        except GdbSilent:
            self.attention.put_nowait(Attention.GDB_SILENT)
            raise

    async def console(self, line: str, *, timeout: float | None = None) -> str:
        """One line as typed in GDB, and what it printed."""
        return (await self.command("-interpreter-exec", "console", line, timeout=timeout)).console

    # -- run and stop -----------------------------------------------------------------------------

    async def resume(self, operation: str, *arguments: str) -> int:
        """Let it run by an MI command; the number of the stop that will end this."""
        self.require_stopped()
        self._resume_after = False
        number = self.kept + 1
        await self._set_off(operation, *arguments)
        return number

    async def _set_off(self, operation: str, *arguments: str) -> None:
        """A command that resumes. GDB says `^running` to it, and only then that the target runs."""
        runs = self.runs
        await self.command(operation, *arguments)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SET_OFF):
                while self.runs == runs and self.state is State.STOPPED:
                    await self._changed.wait()

    async def wait_stop(self, number: int, timeout: float | None) -> events.Stopped:
        """The kept stop of that number or a later one. StillRunning after `timeout` seconds, or its end."""
        return await self._wait(lambda: self.kept >= number, timeout)

    async def _wait(self, stopped: Callable[[], bool], timeout: float | None) -> events.Stopped:
        try:
            async with asyncio.timeout(timeout):
                while not stopped():
                    self.require_target()
                    await self._changed.wait()
        except TimeoutError:
            raise StillRunning(f"The target did not stop within {timeout:g} s.") from None
        assert self.last is not None
        return self.last

    async def halt(self, *, passing: bool = False) -> events.Stopped:
        """Stop a running target. With `passing`, a stop that this causes is marked so."""
        self.require_target()
        if self.state is not State.RUNNING:
            assert self.last is not None
            if self._resume_after and not passing:  # it is held for a moment: now it stays
                self._resume_after = False
                self.note_stop(replace(self.last, passing=False))
            return self.last
        number, self._passing = self.stops + 1, passing
        try:
            await self.command("-exec-interrupt")
            return await self._wait(lambda: self.stops >= number, self.patience.gdb)
        except StillRunning:
            self.attention.put_nowait(Attention.GDB_SILENT)
            raise
        finally:
            self._passing = False

    @contextlib.asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Hold a running target for a moment; it runs on afterwards unless it stopped by itself as well."""
        async with self._turn:
            if self._holders == 0 and self.state is State.RUNNING:
                stop = await self.halt(passing=True)
                self._resume_after = stop.passing
            self._holders += 1
        try:
            yield
        finally:
            async with self._turn:
                self._holders -= 1
                if self._holders == 0 and self._resume_after:
                    await self._run_on()

    async def _run_on(self) -> None:
        self._resume_after = False
        if self.state is State.STOPPED:
            self._passing = True
            try:
                await self._set_off("-exec-continue")
            finally:
                self._passing = False

    def require_target(self) -> None:
        """StubLost, GdbGone or GdbError where there is no target to speak of."""
        if self.state is State.LOST:
            raise StubLost(self.lost or "The debug stub is gone. Attach again.")
        if self.state is State.CLOSED:
            raise GdbGone(self.lost or "The session is closed.")
        if self.state is State.EXITED:
            raise GdbError("The program has ended.", remedy="Reset the target.")
        if self.state is State.DETACHED:
            raise GdbError("No target is attached.", remedy="Attach first.")

    def require_stopped(self) -> None:
        """As require_target(), and TargetRunning while it runs."""
        self.require_target()
        if self.state is State.RUNNING:
            raise TargetRunning("The target is running.", remedy="Stop it first.")

    # -- what GDB tells ---------------------------------------------------------------------------

    def _gone(self, sentence: str) -> None:
        self.lost = sentence
        self.attention.put_nowait(Attention.GDB_GONE)

    def _record(self, record: Record) -> None:
        if record.kind is Kind.EXEC and record.name == "running":
            self.stopped_since = None
            self.runs += 1
            self.turn(State.RUNNING)
            self.events.emit(events.Running(self._passing))
        elif record.kind is Kind.EXEC and record.name == "stopped":
            self._stopped(record.fields)
        elif record.kind is Kind.NOTIFY:
            self._notified(record.name, record.fields)
        elif record.kind in _STREAMS:
            self.events.emit(events.Output(_STREAMS[record.kind], record.text))

    def _stopped(self, fields: Fields) -> None:
        reason = fields.text("reason")
        if reason.startswith("exited"):
            code = fields.text("exit-code")
            self.turn(State.EXITED)
            self.events.emit(events.Exited(int(code, 8) if code else None))
            return
        if self.guard is not None:
            self.guard.forgive()
        stop = parse.stopped(fields)
        if self.attaching:
            stop = replace(stop, reason="attached")
        self.note_stop(replace(stop, passing=self._passing and reason in ("signal-received", "")))

    def note_stop(self, stop: events.Stopped) -> None:
        """It stopped; also for stops of our own making, after a reset or a recovery."""
        self.last = stop
        self.stops += 1
        self.kept += not stop.passing
        if self.stopped_since is None:
            self.stopped_since = time.monotonic()
        self.turn(State.STOPPED)
        self.events.emit(stop)

    def _notified(self, name: str, fields: Fields) -> None:
        if name in ("breakpoint-created", "breakpoint-modified"):
            self.note_breakpoint(parse.breakpoint_(fields.fields("bkpt")))
        elif name == "breakpoint-deleted":
            self.forget_breakpoint(fields.text("id"))
        elif name == "memory-changed":
            self.events.emit(events.MemoryChanged(fields.integer("addr"), fields.integer("len")))
        elif name == "thread-group-exited" and self.state in (State.RUNNING, State.STOPPED):
            self.turn(State.DETACHED)

    def note_breakpoint(self, found: Breakpoint) -> None:
        """It was made or changed."""
        self.breakpoints[found.number] = found
        self.events.emit(events.BreakpointChanged(found))

    def forget_breakpoint(self, number: str) -> None:
        """It is gone."""
        if self.breakpoints.pop(number, None) is not None:
            self.events.emit(events.BreakpointDeleted(number))

    def told(self, event: events.Event) -> None:
        """What the guard tells."""
        if isinstance(event, events.Lost):
            self.lose(event.what)
            return
        self.events.emit(event)
        if isinstance(event, events.Recovered) and event.moved:
            self.attention.put_nowait(Attention.MOVED)

    def lose(self, why: str) -> None:
        """The stub, or GDB for good, is gone."""
        self.lost = why
        if self.state is not State.LOST:
            self.turn(State.LOST)
            self.events.emit(events.Lost(why))

    def turn(self, state: State) -> None:
        """The target does something else now; whoever waits is woken."""
        if self.state is not State.CLOSED and (self.state is not State.LOST or self.attaching):
            self.state = state
        self._changed.set()
        self._changed = asyncio.Event()
