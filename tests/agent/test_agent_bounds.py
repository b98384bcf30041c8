"""Connections that cost without being of use are ended; links are not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from agent.wire import bounds
from agent.wire import port as port_module
from agent.wire.framing import Message
from agent.wire.port import Port

PING = (
    b"POST /slave(1)/mesos.internal.PingSlaveMessage HTTP/1.1\r\nHost:\r\n"
    b"Libprocess-From: m@127.0.0.1:1\r\n\r\n"
)


class Actor:
    """Takes messages."""

    id = "slave(1)"

    def __init__(self) -> None:
        self.got: list[Message] = []

    def receive(self, message: Message) -> None:
        self.got.append(message)

    def link_lost(self, peer: object) -> None:
        """Nothing to do."""

    def peer_left(self, peer: object) -> None:
        """Nothing to do."""


async def _answer(request: web.BaseRequest) -> web.StreamResponse:
    if request.path == "/large":
        return web.Response(body=bytes(64 << 20))
    return web.Response(text=str(len(await request.read())))


@asynccontextmanager
async def opened() -> AsyncIterator[Port]:
    port = Port("127.0.0.1", 0, _answer)
    await port.open()
    port.add(Actor())
    try:
        yield port
    finally:
        await port.close()


async def connect(port: Port, *data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(*port.address)
    for piece in data:
        writer.write(piece)
    return reader, writer


async def settle(port: Port, connections: int) -> None:
    """Until the port has taken them up."""
    async with asyncio.timeout(10):
        while len(port._bounds._uses) != connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def is_ended(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(0.2):
            while await reader.read(1 << 16):
                pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def later(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


@pytest.mark.parametrize(
    ("data", "after"),
    [
        ((), bounds.IDLE),
        ((b"GET /state HTTP/1.1\r\nX: ",), bounds.IDLE),
        ((b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1",), bounds.BODY),
        ((PING.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\n1"),), bounds.BODY),
    ],
    ids=["silent", "half a head", "half a body", "half a message"],
)
async def test_what_never_becomes_a_request_is_ended(data: tuple[bytes, ...], after: float) -> None:
    async with opened() as port:
        reader, writer = await connect(port, *data)
        await settle(port, 1)
        await asyncio.sleep(0.1)
        port._bounds.sweep(later(after - 5))
        assert not await is_ended(reader)
        port._bounds.sweep(later(after + 5))
        assert await is_ended(reader)
        assert port._bounds.ended == 1
        writer.close()


async def test_links_are_idle_for_days() -> None:
    async with opened() as port:
        reader, writer = await connect(port, PING)
        assert b"202" in await reader.readline()
        port._bounds.sweep(later(bounds.IDLE * 1000))
        assert not await is_ended(reader)
        writer.close()


async def test_an_answer_must_be_taken() -> None:
    async with opened() as port:
        _, writer = await connect(port, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await settle(port, 1)
        await asyncio.sleep(0.3)
        port._bounds.sweep(later(0))
        port._bounds.sweep(later(bounds.ANSWER - 5))
        assert port._bounds.ended == 0
        port._bounds.sweep(later(bounds.ANSWER + 5))
        assert port._bounds.ended == 1
        writer.close()


async def test_of_too_many_the_longest_idle_go_and_links_stay() -> None:
    async with opened() as port:
        port._bounds.most = 4
        link, link_writer = await connect(port, PING)
        assert b"202" in await link.readline()
        others = [await connect(port) for _ in range(6)]
        await settle(port, 4)
        assert [await is_ended(reader) for reader, _ in others] == [True] * 3 + [False] * 3
        assert not await is_ended(link)
        for _, writer in (*others, (link, link_writer)):
            writer.close()


async def test_messages_that_are_being_read_have_a_bound_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_module, "BODIES_LIMIT", 1 << 20)
    head = PING.replace(b"\r\n\r\n", b"\r\nContent-Length: 700000\r\n\r\n")
    async with opened() as port:
        _, first = await connect(port, head, bytes(600_000))
        async with asyncio.timeout(60):
            while port._reading < 600_000:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        second, writer = await connect(port, head, bytes(700_000))
        assert b"503" in await second.readline()
        first.transport.abort()
        writer.transport.abort()
        async with asyncio.timeout(60):
            while port._reading:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_what_is_no_http_is_not_worth_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with opened() as port:
            reader, writer = await connect(port, b"\x16\x03\x01 nonsense\r\n\r\n")
            assert b"400" in await reader.readline()
            writer.close()
    assert caplog.records == []
