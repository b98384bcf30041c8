"""Every write to one word of a QEMU guest, by a watchpoint of QEMU's GDB stub.

The guest stands still at each write, until whoever hears of it lets it go on: no write is missed, however
fast they follow one another. QEMU stops its ARM and RISC-V cores before the access
(`gdb_stop_before_watchpoint`), as GDB expects of these: so the watchpoint is taken away for one step. GDB
manual, appendix E: `Z2`, `z2`, `s`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from emulation.errors import MachineError
from emulation.gdb.rsp import is_stop_reply
from emulation.gdb.stublink import Address, StubLink

_TIMEOUT = 5.0


class WriteWatch:
    """One watched word. `on_write` is called each time, with the guest held before the write."""

    def __init__(self, link: StubLink, address: int) -> None:
        self._link = link
        self._address = address

    @classmethod
    async def open(cls, path: str, address: int, on_write: Callable[[], None]) -> WriteWatch:
        """On the stub at a Unix socket, which nobody else may use then; the guest must be paused, and
        stays so. MachineError if the stub has no watchpoints."""

        def hear(body: bytes) -> None:
            if b"watch:" in body:
                on_write()

        watch = cls(await StubLink.open(Address(path=path), hear, lambda: None), address)
        try:
            await watch._ask(b"Z2,%x,4" % address)
        except BaseException:
            await watch.close()
            raise
        return watch

    async def write(self) -> None:
        """Let the held guest do its write, and no more. ConnectionError if it does not."""
        await self._ask(b"z2,%x,4" % self._address)
        with self._link.hearing() as answers:
            self._link.send(b"s")
            try:
                async with asyncio.timeout(_TIMEOUT):
                    while not is_stop_reply(await answers.get()):
                        pass
            except TimeoutError:
                raise ConnectionResetError("QEMU's GDB stub does not step") from None
        await self._ask(b"Z2,%x,4" % self._address)

    async def _ask(self, body: bytes) -> None:
        try:
            answer = await self._link.ask(body, _TIMEOUT)
        except TimeoutError:
            raise ConnectionResetError("QEMU's GDB stub does not answer") from None
        if answer != b"OK":
            raise MachineError("QEMU's GDB stub refused a watchpoint, by which wires are told.")

    async def close(self) -> None:
        """Idempotent."""
        await self._link.close()
