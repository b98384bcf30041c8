"""Outgoing messages: one persistent connection per peer, pipelined, fire and forget.

libprocess neither waits for replies nor retries; what matters is retried by its owner (registration,
status updates). A connection that breaks takes what is in flight with it, is reported, and is opened
again by the next send.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from agent.tls import HANDSHAKE, Tls
from agent.wire.dial import dial
from agent.wire.upid import Peer

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 5.0
"""Seconds."""
BUFFER_LIMIT = 32 << 20
"""Bytes that may wait for a peer that does not read; past it the connection is given up."""

Barrier = Callable[[], Awaitable[None]]


class _Discard(asyncio.Protocol):
    """Reads and forgets the replies; `wake` is set when the connection ends."""

    def __init__(self, wake: asyncio.Event) -> None:
        self._wake = wake
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._wake.set()


class _Line:
    """The connection to one peer and what waits for it."""

    def __init__(
        self, peer: Peer, barrier: Barrier | None, on_lost: Callable[[Peer], None], tls: Tls | None
    ) -> None:
        self._peer = peer
        self._tls = tls
        self._told = ""
        """The last trouble with TLS that was logged; each is once."""
        self._barrier = barrier
        self._on_lost = on_lost
        self._waiting: list[bytes] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task = asyncio.create_task(self._run(), name=f"libprocess to {peer[0]}:{peer[1]}")

    def send(self, data: bytes) -> None:
        self._waiting.append(data)
        self._idle.clear()
        self._wake.set()

    async def close(self, flush: float) -> None:
        """Write what waits, for `flush` seconds at most, then close."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(flush):
                await self._idle.wait()
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            protocol = await self._connect()
            if protocol is None:
                self._waiting.clear()
                self._wake.clear()
                self._idle.set()
            else:
                try:
                    await self._pump(protocol)
                finally:
                    if protocol.transport is not None:
                        protocol.transport.close()
            self._on_lost(self._peer)

    async def _connect(self) -> _Discard | None:
        patience = CONNECT_TIMEOUT + (2 * HANDSHAKE if self._tls else 0.0)
        try:
            async with asyncio.timeout(patience):
                return await dial(lambda: _Discard(self._wake), self._peer, self._tls)
        except (OSError, TimeoutError) as error:
            text = str(error) or "no answer"
            told = (
                self._tls is not None and text != self._told and not isinstance(error, ConnectionRefusedError)
            )
            self._told = text if told else self._told
            log.log(
                logging.WARNING if told else logging.DEBUG, "no connection to %s:%d: %s", *self._peer, text
            )
            return None

    async def _pump(self, protocol: _Discard) -> None:
        """Write until the connection ends."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            # Taken before the barrier: what is queued meanwhile may tell of things not yet on disk.
            batch, self._waiting = self._waiting, []
            if batch and self._barrier is not None:
                await self._barrier()
            transport = protocol.transport
            if transport is None:
                # Lost with the connection; what was queued since goes to the next one.
                if self._waiting:
                    self._wake.set()
                else:
                    self._idle.set()
                return
            if transport.get_write_buffer_size() > BUFFER_LIMIT:
                log.warning("%s:%d does not read what it is sent; reconnecting", *self._peer)
                transport.abort()
                continue
            transport.write(b"".join(batch))
            if not self._waiting:
                self._idle.set()


class Outbox:
    """The connections from one of our ports to its peers.

    `on_lost(peer)` is called when a connection cannot be opened or breaks. `barrier`, where given, is
    awaited before each write: what a message tells must be on disk before it goes out. `tls`: by it.
    """

    def __init__(
        self, on_lost: Callable[[Peer], None], barrier: Barrier | None = None, tls: Tls | None = None
    ) -> None:
        self._on_lost = on_lost
        self._tls = tls
        self._barrier = barrier
        self._lines: dict[Peer, _Line] = {}

    def send(self, peer: Peer, data: bytes) -> None:
        """Send one encoded message; messages to one peer keep their order."""
        line = self._lines.get(peer)
        if line is None:
            line = self._lines[peer] = _Line(peer, self._barrier, self._on_lost, self._tls)
        line.send(data)

    async def close(self, flush: float = 1.0) -> None:
        """Close every connection after writing what waits. Idempotent."""
        lines = list(self._lines.values())
        self._lines.clear()
        for line in lines:
            await line.close(flush)
