"""The connection to a debug stub: packets out and in, acknowledged where the stub wants that."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from emulation.gdb.errors import GdbError
from emulation.gdb.rsp import Kind, Piece, Splitter, frame

_log = logging.getLogger(__name__)
_RESENDS: Final = 3


@dataclass(frozen=True, slots=True)
class Address:
    """Where a stub listens: a Unix socket's path, or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """From `unix:PATH`, `/PATH`, `HOST:PORT`, `:PORT` or `tcp:HOST:PORT`. GdbError if it is none."""
        if text.startswith(("unix:", "/")):
            return cls(path=text.removeprefix("unix:"))
        host, _, port = text.removeprefix("tcp:").removeprefix(":").rpartition(":")
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise GdbError(
                f"`{text}` is no address of a debug stub.",
                remedy="Give unix:PATH or HOST:PORT, as localhost:3333.",
            )
        return cls(host=host.strip(":[]") or "127.0.0.1", port=int(port))

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"{self.host}:{self.port}"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A stream to it; OSError as it comes."""
        if self.path:
            return await asyncio.open_unix_connection(self.path)
        return await asyncio.open_connection(self.host, self.port)


class StubLink:
    """One connection. `on_packet` gets every body, `on_lost` is called once if the other end closes."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_packet: Callable[[bytes], None],
        on_lost: Callable[[], None],
    ) -> None:
        self.acks = True
        """False once QStartNoAckMode was agreed."""
        self._reader = reader
        self._writer = writer
        self._on_packet = on_packet
        self._on_lost = on_lost
        self._last = b""
        self._resends = 0
        self._answer: asyncio.Queue[bytes] | None = None
        self._task = asyncio.create_task(self._read(), name="read from the stub")

    @classmethod
    async def open(
        cls, address: Address, on_packet: Callable[[bytes], None], on_lost: Callable[[], None]
    ) -> StubLink:
        """Connect; OSError if nobody listens there. Most stubs halt their target at this moment."""
        reader, writer = await address.connect()
        return cls(reader, writer, on_packet, on_lost)

    def send(self, body: bytes) -> None:
        """Send a packet."""
        self._last, self._resends = frame(body), 0
        self._write(self._last)

    def interrupt(self) -> None:
        """Ask a running target to stop."""
        self._write(Kind.INTERRUPT.value)

    async def ask(self, body: bytes, timeout: float) -> bytes:
        """Send a packet and take the next one as its answer. TimeoutError."""
        with self.hearing() as answers:
            self.send(body)
            async with asyncio.timeout(timeout):
                return await answers.get()

    @contextlib.contextmanager
    def hearing(self) -> Iterator[asyncio.Queue[bytes]]:
        """Meanwhile packets go into this queue instead of to `on_packet`; what is left over is dropped."""
        outer, self._answer = self._answer, asyncio.Queue()
        try:
            yield self._answer
        finally:
            self._answer = outer

    async def close(self) -> None:
        """Close the connection; nobody is told. Idempotent."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def _write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    async def _read(self) -> None:
        splitter = Splitter()
        with contextlib.suppress(OSError):
            while data := await self._reader.read(65536):
                for piece in splitter.feed(data):
                    self._take(piece)
        self._on_lost()

    def _take(self, piece: Piece) -> None:
        if piece.kind is Kind.PACKET:
            if self.acks:
                self._write(Kind.ACK.value)
            if self._answer is not None:
                self._answer.put_nowait(piece.body)
            else:
                self._on_packet(piece.body)
        elif piece.kind is Kind.DAMAGED and self.acks:
            self._write(Kind.REFUSAL.value)
        elif piece.kind is Kind.REFUSAL and self._resends < _RESENDS:
            self._resends += 1
            self._write(self._last)
