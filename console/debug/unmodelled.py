"""What a debugged board's emulator has no model for, by the names of its SVD file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AsyncExitStack

from console.debug.view import Unmodelled
from emulation.errors import EmulationError
from emulation.gdb.peripherals import Peripherals
from emulation.unmodelled import Access, Tally, TellsUnmodelled

_EVERY = 1.0
_SHOWN = 40


class UnmodelledWatch:
    """Counts while it is open; nothing of a machine that cannot tell, such as a real one."""

    def __init__(self, machine: object) -> None:
        self._machine = machine
        self._stack = AsyncExitStack()
        self._tally: Tally | None = None
        self._peripherals: Peripherals | None = None

    async def open(self, peripherals: Peripherals | None, changed: Callable[[], None]) -> None:
        """`changed` is called once a second while counts grow. Without a log there are no counts."""
        self._peripherals = peripherals
        if isinstance(self._machine, TellsUnmodelled):
            with contextlib.suppress(EmulationError):
                self._tally = await self._stack.enter_async_context(self._machine.unmodelled())
                telling = asyncio.create_task(self._tell(changed), name="tell the unmodelled")
                self._stack.callback(telling.cancel)

    async def _tell(self, changed: Callable[[], None]) -> None:
        before: tuple[Unmodelled, ...] = ()
        while True:
            await asyncio.sleep(_EVERY)
            rows = self.rows()
            if rows != before:
                before = rows
                changed()

    def rows(self) -> tuple[Unmodelled, ...]:
        """The most frequent ones."""
        if self._tally is None:
            return ()
        rows = [
            Unmodelled(self._name(access), times.count, times.pc, access.verb)
            for access, times in self._tally.counts.items()
        ]
        return tuple(sorted(rows, key=lambda row: (-row.count, row.what))[:_SHOWN])

    def _name(self, access: Access) -> str:
        found = None
        if access.address is not None and self._peripherals is not None:
            found = self._peripherals.device.at(access.address)
        return f"{found[0].name}.{found[1].name}" if found is not None else access.what

    async def close(self) -> None:
        """Idempotent."""
        await self._stack.aclose()
        self._tally = None
