"""A board's UART as a Unix socket, for a gateway of another process."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from emulation.machine import Machine


class ServedUart:
    """Whoever comes last has it, and sets `taken`."""

    def __init__(self, machine: Machine, path: Path) -> None:
        self.path = path
        self.taken = asyncio.Event()
        self._machine = machine
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ServedUart:
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Break the connection, as a cable that is pulled; it may be made anew at once."""
        for pump in self._pumps:
            pump.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken.set()
        theirs, ours = await self._machine.connect()
        pumps = {asyncio.create_task(_pump(reader, ours)), asyncio.create_task(_pump(theirs, writer))}
        self._pumps |= pumps
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pumps -= pumps
            for pump in pumps:
                pump.cancel()
            writer.close()
            ours.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
