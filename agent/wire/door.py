"""Takes connections in on a port with TLS: who begins a handshake gets one, who does not is served in the
clear if that is allowed (3rdparty/libprocess/src/posix/libevent/libevent_ssl_socket.cpp, peek_callback).

Nobody waits for anybody here: each connection has a task of its own until its handshake is done, and
handshakes that take too long, or are too many, end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

from agent.tls import GOODBYE, HANDSHAKE, Tls

log = logging.getLogger(__name__)

FIRST_BYTE = b"\x16"
"""How a TLS connection begins: the content type `handshake` (RFC 8446, 5.1). No HTTP request does."""
FULL = 0.5
"""Seconds to wait when the process may open no more files."""


class Door:
    """`factory` makes the protocol of each connection; at most `most` wait at the door."""

    def __init__(
        self, listener: socket.socket, factory: Callable[[], asyncio.Protocol], tls: Tls, most: int
    ) -> None:
        self._listener = listener
        self._factory = factory
        self._tls = tls
        self._most = most
        self._waiting: dict[asyncio.Task[None], None] = {}
        """Connections whose handshake is not done, the oldest first."""
        self._accepting: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to listen; the listener is bound."""
        self._listener.setblocking(False)
        self._listener.listen(1024)
        self._accepting = asyncio.create_task(self._accept(), name="accept connections")

    async def close(self) -> None:
        """Let nobody in any more. Those inside stay."""
        tasks = [*self._waiting, *([self._accepting] if self._accepting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                log.warning("a connection could not be accepted: %s", error.strerror)
                await asyncio.sleep(FULL)
                continue
            task = asyncio.create_task(self._let_in(connection), name="handshake")
            self._waiting[task] = None
            task.add_done_callback(self._waiting.pop)
            if len(self._waiting) > self._most:
                next(iter(self._waiting)).cancel()

    async def _let_in(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        connection.setblocking(False)
        context = self._tls.server
        try:
            if self._tls.config.support_downgrade:
                async with asyncio.timeout(HANDSHAKE):
                    begins = await _peek(connection)
                if begins != FIRST_BYTE:
                    await loop.connect_accepted_socket(self._factory, connection)
                    return
            await loop.connect_accepted_socket(
                self._factory,
                connection,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE,
                ssl_shutdown_timeout=GOODBYE,
            )
        except (OSError, TimeoutError) as error:
            log.debug("a connection is not let in: %s", error or "it did not begin")
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise


async def _peek(connection: socket.socket) -> bytes:
    """The first byte, which stays where it is; b"" where the other side has closed."""
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(BlockingIOError):
            return connection.recv(1, socket.MSG_PEEK)
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(connection, readable.set_result, None)
        try:
            await readable
        finally:
            loop.remove_reader(connection)
