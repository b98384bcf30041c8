"""A direct client of an emulator's GDB stub, for measurements and for tests that do harm: no GDB in between.

The core stands still while this is open, but for cont(). GDB manual, appendix E.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType

from emulation.errors import MachineError
from emulation.gdb.rsp import Kind, Splitter, frame, is_stop_reply

_CPSR_FEATURES = b"qXfer:features:read:target.xml:0,fff"


class Remote:
    """`async with Remote(machine.gdb) as core:` stops the core, and lets it run on at the end."""

    def __init__(self, address: str) -> None:
        """`address` is a Unix socket's path, or HOST:PORT."""
        self._address = address
        self._splitter = Splitter()
        self._answers: list[bytes] = []

    async def __aenter__(self) -> Remote:
        if Path(self._address).is_absolute():
            self._reader, self._writer = await asyncio.open_unix_connection(self._address)
        else:
            host, _, port = self._address.rpartition(":")
            self._reader, self._writer = await asyncio.open_connection(host, int(port))
        await self.ask(_CPSR_FEATURES)  # QEMU takes registers only from who has read this
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.ask(b"D")
        self._writer.close()

    async def ask(self, body: bytes, *, stops: bool = False) -> bytes:
        """One request and its answer; with `stops`, that is a stop reply, and else those are skipped."""
        self._writer.write(frame(body))
        while True:
            while self._answers:
                answer = self._answers.pop(0)
                if is_stop_reply(answer) is stops:
                    return answer
            data = await self._reader.read(1 << 16)
            if not data:
                raise ConnectionResetError("the GDB stub closed its connection")
            for piece in self._splitter.feed(data):
                if piece.kind is Kind.PACKET:
                    self._writer.write(b"+")
                    self._answers.append(piece.body)

    async def read(self, address: int, size: int) -> bytes:
        """Bytes of memory."""
        return bytes.fromhex((await self._good(b"m%x,%x" % (address, size))).decode())

    async def write(self, address: int, data: bytes) -> None:
        """Write memory."""
        await self._good(b"M%x,%x:%s" % (address, len(data), data.hex().encode()))

    async def jump(self, register: int, address: int) -> None:
        """Set the program counter; `register` is its number in GDB: 15 on Arm, 32 on RISC-V."""
        await self._good(b"P%x=%s" % (register, address.to_bytes(4, "little").hex().encode()))

    async def run_to(self, *addresses: int) -> None:
        """Let the core run until it is at one of these."""
        for address in addresses:
            await self._good(b"Z0,%x,2" % (address & ~1))
        await self.ask(b"c", stops=True)
        for address in addresses:
            await self._good(b"z0,%x,2" % (address & ~1))

    async def _good(self, body: bytes) -> bytes:
        answer = await self.ask(body)
        if answer[:1] == b"E" or not answer:
            raise MachineError(f"The GDB stub refused {body[:20]!r}: {answer.decode()}.")
        return answer
