"""A machine's debug stub on a TCP port, for debuggers that cannot open a Unix socket: VS Code's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from emulation.errors import EmulationError
from emulation.gdb.rsp import Kind, Splitter, frame
from emulation.gdb.stublink import Address

_BUFFER = 1 << 16


class Forward:
    """Made by forward(). Takes one client; `port` is where it listens, on loopback only."""

    def __init__(self, stub: Address, first: tuple[bytes, ...]) -> None:
        self.port = 0
        self._stub = stub
        self._first = first
        self._left = asyncio.Event()
        self._taken = False

    async def left(self) -> None:
        """Until the client went."""
        await self._left.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A client came."""
        if self._taken:
            writer.close()
            return
        self._taken = True
        try:
            stub_reader, stub_writer = await self._stub.connect()
            for body in self._first:
                await _tell(stub_reader, stub_writer, body)
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, stub_writer))
                group.create_task(_pump(stub_reader, writer))
        except* OSError:
            pass
        finally:
            writer.close()
            self._left.set()


@asynccontextmanager
async def forward(stub: str, port: int, first: tuple[bytes, ...] = ()) -> AsyncIterator[Forward]:
    """Listen on a port (0: a free one) for a GDB that is to reach `stub`. `first`: see Stub.

    EmulationError if somebody listens there already.
    """
    made = Forward(Address.parse(stub), first)
    try:
        server = await asyncio.start_server(made.serve, "127.0.0.1", port)
    except OSError as error:
        raise EmulationError(
            f"Port {port} cannot be opened: {error.strerror or error}.", remedy="Name another."
        ) from error
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All of it; the other end is told of the end."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_BUFFER):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> None:
    """A request of ours, and its answer away."""
    writer.write(frame(body))
    splitter = Splitter()
    while data := await reader.read(_BUFFER):
        if any(piece.kind is Kind.PACKET for piece in splitter.feed(data)):
            writer.write(b"+")
            return
