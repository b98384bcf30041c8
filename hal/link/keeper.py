"""Keeps a byte stream to the device: connects, and again with back-off whenever it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from hal.errors import HalError, LinkError
from hal.link.transport import StreamTransport

log = logging.getLogger(__name__)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]
"""Opens the byte stream: a socket, a pty, a serial port. Raises OSError or HalError."""

FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0
LET_GO = 2.0
"""Seconds at most that a stream may take to close."""
SILENT_AFTER = 3
"""Times that the same message was sent again before the device counts as silent."""


class Keeper:
    """Runs a transport over streams from `connect`, one after the other.

    `up` is set while there is a stream and the device answers on it; `on_change` gets every change with a
    sentence for a person.
    """

    def __init__(self, name: str, connect: Connect, on_change: Callable[[bool, str], None]) -> None:
        self.up = asyncio.Event()
        self._name = name
        self._connect = connect
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None
        self._heard = False

    async def open(self, transport: StreamTransport) -> None:
        """Connect for the first time. LinkError if that fails."""
        try:
            streams = await self._connect()
        except OSError as error:
            raise LinkError(f"No link to {self._name}: {error.strerror or error}.") from error
        self._task = asyncio.create_task(self._keep(transport, streams), name=f"link {self._name}")

    async def close(self) -> None:
        """Let the stream go. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self.up.clear()

    def heard(self) -> None:
        """A CoAP message came."""
        self._heard = True
        if not self.up.is_set() and self._task is not None:
            self._change(True, f"{self._name} answers again.")

    def repeated(self, count: int) -> None:
        """The same message was sent for the `count`th time again."""
        if count >= SILENT_AFTER and self.up.is_set():
            self._change(False, f"{self._name} does not answer.")

    def _change(self, up: bool, message: str) -> None:
        if up:
            self.up.set()
        else:
            self.up.clear()
        self._on_change(up, message)

    async def _keep(self, transport: StreamTransport, streams: Streams | None) -> None:
        delay = FIRST_DELAY
        while True:
            if streams is None:
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY)
                try:
                    streams = await self._connect()
                except (OSError, HalError) as error:
                    log.debug("No link to %s: %s", self._name, error)
                    continue
            self._heard = False
            why = await self._use(transport, streams)
            streams = None
            if self._heard:
                delay = FIRST_DELAY
            if self.up.is_set():
                self._change(False, why)

    async def _use(self, transport: StreamTransport, streams: Streams) -> str:
        """Run the transport until the stream ends; why it did."""
        reader, writer = streams
        self._change(True, f"Connected to {self._name}.")
        try:
            await transport.run(reader, writer)
            return f"The link to {self._name} was closed at its other end."
        except OSError as error:
            return f"The link to {self._name} broke: {error.strerror or error}."
        finally:
            # A peer that does not read must not keep us; what waits to be written is of no use.
            if not writer.transport.is_closing():
                writer.transport.abort()
            # A serial port is let go in a thread, and may be opened again only after that.
            with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(LET_GO):
                    await writer.wait_closed()
