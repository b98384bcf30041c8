"""Keeps a session alive: a GDB that hangs or died is replaced, a target that moved is looked at anew."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from emulation.gdb.core import Attention
from emulation.gdb.errors import GdbError
from emulation.gdb.events import Recovered, Wedged
from emulation.gdb.facts import State

if TYPE_CHECKING:
    from emulation.gdb.session import Session

_log = logging.getLogger(__name__)
_PING = 2.0
_RESTARTS = 3
"""GDBs that may die within a minute before the session gives up."""


class Supervisor:
    """A task of the session that acts on what the core finds odd."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._task: asyncio.Task[None] | None = None
        self._restarts: list[float] = []

    def start(self) -> None:
        self._task = asyncio.create_task(self._work(), name="supervise gdb")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _work(self) -> None:
        queue = self._session.core.attention
        while True:
            matter = await queue.get()
            try:
                await self._attend(matter)
            except GdbError as error:
                _log.warning("the debugger could not recover: %s", error)
                self._session.core.lose(str(error))

    async def _attend(self, matter: Attention) -> None:
        core = self._session.core
        if matter is Attention.MOVED:
            if core.state is State.STOPPED:
                await self._session.execution.refresh("recovered")
        elif matter is Attention.GDB_GONE:
            await self._replace([core.lost or "GDB ended"])
        elif core.gdb is not None and core.gdb.alive:
            await self._look_at_gdb()

    async def _look_at_gdb(self) -> None:
        """A command had no answer. Is it GDB that hangs, or did it wait for a stub since recovered?"""
        core, guard = self._session.core, self._session.core.guard
        if guard is not None and guard.recovering:
            return
        begin = time.monotonic()
        actions: list[str] = []
        if await self._answers():
            return
        core.events.emit(Wedged("gdb", "GDB does not answer", core.patience.gdb))
        if core.gdb is not None:
            actions.append("interrupted GDB")
            core.gdb.interrupt()
        if await self._answers():
            core.events.emit(Recovered("gdb", tuple(actions), time.monotonic() - begin))
            return
        await self._replace(actions)

    async def _answers(self) -> bool:
        gdb = self._session.core.gdb
        with contextlib.suppress(GdbError):
            if gdb is not None:
                await gdb.command("-gdb-show", "confirm", timeout=min(_PING, self._session.core.patience.gdb))
                return True
        return False

    async def _replace(self, actions: list[str]) -> None:
        """A new GDB in the place of the old: symbols, connection, breakpoints, and running if it ran."""
        session, core = self._session, self._session.core
        begin = time.monotonic()
        self._restarts = [*(at for at in self._restarts if begin - at < 60), begin]
        ran = core.state is State.RUNNING
        was_attached = core.state in (State.RUNNING, State.STOPPED)
        breakpoints = session.breakpoints.known
        core.turn(State.DETACHED)
        if core.gdb is not None:
            await core.gdb.close(grace=0)
        if len(self._restarts) > _RESTARTS:
            if core.guard is not None:
                await core.guard.release()
            raise GdbError(
                "GDB ends again and again.", remedy="Look at its last words in the log; try another GDB."
            )
        await core.start_gdb(session.program)
        actions.append("started a new GDB")
        core.lost = ""
        session.variables.forget()
        failed = await session.symbols.restore()
        if was_attached and core.guard is not None:
            await session.connect()
            actions.append("connected it")
            failed += await session.breakpoints.restore(breakpoints)
            if breakpoints:
                actions.append(f"set {len(breakpoints)} breakpoint{'s' * (len(breakpoints) != 1)} again")
            if ran:
                await session.execution.continue_()
                actions.append("let the target run on")
        actions += [f"could not restore {what}" for what in failed]
        core.events.emit(Recovered("gdb", tuple(actions), time.monotonic() - begin, moved=was_attached))
