"""One listening ip:port with the processes behind it, and the connections that it opens.

Many agents share a port, told apart by their process ids: slave(1), slave(2) ... A master keeps one
connection per ip:port, so that one break disconnects all behind it; a fleet spreads over several ports.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from agent.errors import PortError
from agent.guard import Sealed
from agent.tls import Tls
from agent.wire import framing
from agent.wire.bounds import Bounds, Server
from agent.wire.door import Door
from agent.wire.outbox import Barrier, Outbox
from agent.wire.upid import Peer, Upid

log = logging.getLogger(__name__)

BODY_LIMIT = 16 << 20
"""Bytes of one incoming message: a task with its module and labels stays far below."""
BODIES_LIMIT = 8 * BODY_LIMIT
"""Bytes of all messages that are being read at a time; past it they are refused. What matters comes again."""
KEEP_ALIVE = 366 * 24 * 3600.0
"""Seconds. An idle link is a healthy one; closing it would disconnect every agent behind it."""


class Actor(Protocol):
    """A libprocess process behind a port."""

    @property
    def id(self) -> str:
        """Such as slave(1)."""
        ...

    def receive(self, message: framing.Message) -> None:
        """Take one message. Called in the order of arrival and must not block: a kill never overtakes
        the launch before it."""
        ...

    def link_lost(self, peer: Peer) -> None:
        """Our connection to `peer` broke or could not be opened."""
        ...

    def peer_left(self, peer: Peer) -> None:
        """The last connection over which `peer` sent messages to this port has ended."""
        ...


HttpHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
"""Answers plain HTTP, what is no message."""


class Port:
    """Listens on `ip`:`port` (0: any free one) for the processes added to it.

    `honest`: messages are taken only from the address that their sender names, as libprocess does under
    LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH; a sender behind an address translator needs it off. `tls`:
    messages and HTTP alike are within it, both ways.
    """

    def __init__(
        self,
        ip: str,
        port: int,
        http: HttpHandler,
        barrier: Barrier | None = None,
        *,
        honest: bool = True,
        tls: Tls | None = None,
        advertise_ip: str | None = None,
        advertise_port: int | None = None,
    ) -> None:
        self._ip = ip
        self._honest = honest
        self._advertise = (advertise_ip, advertise_port)
        self._wanted = port
        self._http = http
        self._actors: dict[str, Actor] = {}
        self._tls = tls
        self._door: Door | None = None
        self._outbox = Outbox(self._link_lost, barrier, tls)
        self._runner: web.ServerRunner | None = None
        self._number = 0
        self._bounds = Bounds()
        self._reading = 0
        """Bytes of messages that are not complete yet."""
        self._watch: asyncio.Task[None] | None = None
        self._inbound: dict[asyncio.Task[None], Peer] = {}
        """Which peer sends over a connection, by aiohttp's task for it."""

    @property
    def address(self) -> Peer:
        """Where it listens; known after open()."""
        return (self._ip, self._number)

    @property
    def advertised(self) -> Peer:
        """Where peers are told to find it: the same, unless something translates addresses between."""
        ip, number = self._advertise
        return (ip or self._ip, number or self._number)

    async def open(self) -> None:
        """Begin to listen; PortError when the port is taken or the address is not ours."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._ip, self._wanted))
        except OSError as error:
            listener.close()
            raise PortError(
                f"The agent cannot listen on {self._ip}:{self._wanted}: {error.strerror}.",
                remedy="Choose another port (0 takes any free one) or another address of this machine.",
            ) from error
        server = Server(self._bounded, self._bounds, access_log=None, keepalive_timeout=KEEP_ALIVE)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.5)
        await self._runner.setup()
        self._number = listener.getsockname()[1]
        if self._tls is None:
            await web.SockSite(self._runner, listener, backlog=1024).start()
        else:
            self._door = Door(listener, server, self._tls, self._bounds.most)
            self._door.open()
        self._watch = asyncio.create_task(self._bounds.run(), name=f"connections of {self._number}")

    async def close(self) -> None:
        """Send what waits, then stop listening. Idempotent."""
        if self._watch is not None:
            self._watch.cancel()
        await self._outbox.close()
        if self._door is not None:
            await self._door.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def add(self, actor: Actor) -> None:
        """From now on messages to `actor.id` reach it."""
        self._actors[actor.id] = actor

    def remove(self, actor: Actor) -> None:
        """Messages to it are answered 404 from now on."""
        self._actors.pop(actor.id, None)

    def send(self, sender: str, to: Upid, message: Sealed) -> None:
        """Send from the process `sender` behind this port. Fire and forget, in order per peer."""
        source = Upid(sender, *self.advertised)
        request = framing.encode(framing.Message(source, to.id, message.name, message.body), to)
        self._outbox.send(to.peer, request)

    def _link_lost(self, peer: Peer) -> None:
        for actor in list(self._actors.values()):
            actor.link_lost(peer)

    def _note_connection(self, connection: asyncio.Task[None], peer: Peer) -> None:
        if self._inbound.get(connection) != peer:
            if connection not in self._inbound:
                connection.add_done_callback(self._connection_ended)
            self._inbound[connection] = peer

    def _connection_ended(self, connection: asyncio.Task[None]) -> None:
        peer = self._inbound.pop(connection)
        if self._runner is not None and peer not in self._inbound.values():
            for actor in list(self._actors.values()):
                actor.peer_left(peer)

    async def _bounded(self, request: web.BaseRequest) -> web.StreamResponse:
        self._bounds.begin(request)
        try:
            return await self._handle(request)
        finally:
            self._bounds.end(request)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        sender = framing.sender_of(request.headers) if request.method == "POST" else None
        if sender is None:
            return await self._http(request)
        if self._honest and request.remote != sender.ip:
            log.warning("a message from %s that claims to be of %s is refused", request.remote, sender)
            return web.Response(status=400, text="The sender's address is not that of its connection.\n")
        self._note_connection(request.task, sender.peer)
        body = await self._read(request)
        if isinstance(body, web.Response):
            return body
        process, name = framing.split_path(request.raw_path)
        actor = self._actors.get(process)
        if actor is None:
            return web.Response(status=404)
        self._bounds.carries_messages(request)
        try:
            actor.receive(framing.Message(sender, process, name, body))
        except Exception:
            # libprocess answers 202 whatever happens to a message; the connection serves others too.
            log.exception("%s could not handle %s from %s", process, name, sender)
        return web.Response(status=202)

    async def _read(self, request: web.BaseRequest) -> bytes | web.Response:
        """The whole body, however it is framed; a refusal past BODY_LIMIT or BODIES_LIMIT."""
        if not request.can_read_body:
            return b""
        body = bytearray()
        try:
            async for part in request.content.iter_any():
                body += part
                self._reading += len(part)
                if len(body) > BODY_LIMIT:
                    return web.Response(status=413, text=f"A message may have {BODY_LIMIT} bytes.\n")
                if self._reading > BODIES_LIMIT:
                    log.warning("a message of %s is refused: too much is being read", request.remote)
                    return web.Response(status=503, text="Too much is being read at a time.\n")
        finally:
            self._reading -= len(body)
        return bytes(body)
