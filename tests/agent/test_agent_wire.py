"""libprocess on the wire: framing, listening ports, outgoing connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError, PortError
from agent.guard import Sealed
from agent.wire import framing
from agent.wire.outbox import Outbox
from agent.wire.port import Port
from agent.wire.upid import Peer, Upid

PEER = Upid("master", "127.0.0.1", 5050)
ids = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=40).filter(
    lambda text: text not in (".", "..")
)
wire_ids = st.from_regex(r"[A-Za-z0-9_()-]{1,30}", fullmatch=True)
"""Ids that may stand in a header: ours and the master's are like this."""


async def plain(request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text=f"plain {request.path}")


@dataclass
class Recorder:
    """A process that keeps what it gets."""

    id: str = "slave(1)"
    got: list[framing.Message] = field(default_factory=list)
    lost: list[Peer] = field(default_factory=list)
    left: list[Peer] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    fail: bool = False

    def receive(self, message: framing.Message) -> None:
        self.got.append(message)
        self.changed.set()
        if self.fail:
            raise ValueError("on purpose")

    def link_lost(self, peer: Peer) -> None:
        self.lost.append(peer)
        self.changed.set()

    def peer_left(self, peer: Peer) -> None:
        self.left.append(peer)
        self.changed.set()

    async def until(self, count: int) -> list[framing.Message]:
        async with asyncio.timeout(60):
            while len(self.got) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.got


@pytest_asyncio.fixture
async def port() -> AsyncIterator[Port]:
    opened = Port("127.0.0.1", 0, plain)
    await opened.open()
    yield opened
    await opened.close()


async def exchange(port: Port, data: bytes, answers: int = 1) -> bytes:
    """Write raw bytes, read that many answers' heads."""
    reader, writer = await asyncio.open_connection(*port.address)
    writer.write(data)
    got = b""
    async with asyncio.timeout(60):
        while got.count(b"HTTP/1.1 ") < answers:
            part = await reader.read(65536)
            assert part, f"the connection ended after {got!r}"
            got += part
    writer.close()
    return got


# -- framing ------------------------------------------------------------------------------------------


@given(wire_ids, st.integers(0, 65535))
def test_upids_round_trip(process: str, number: int) -> None:
    upid = Upid(process, "10.1.2.3", number)
    assert Upid.parse(str(upid)) == upid


@pytest.mark.parametrize(
    "text", ["", "master", "master@", "master@1.2.3.4", "@1.2.3.4:5", "m@1.2.3.4:x", "m@1.2.3.4:70000"]
)
def test_what_is_no_upid_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Upid.parse(text)


@given(ids)
def test_any_id_survives_the_path(process: str) -> None:
    message = framing.Message(PEER, process, "mesos.internal.PingSlaveMessage", b"")
    path = framing.encode(message, PEER).split(b" ", 2)[1].decode("latin-1")
    assert framing.split_path(path) == (process, message.name)


@given(st.data())
async def test_messages_round_trip_over_a_real_port(data: st.DataObject) -> None:
    """Whatever the bodies, the cuts between TCP segments, the framing: all arrive once and in order."""
    bodies = data.draw(st.lists(st.binary(max_size=300), min_size=1, max_size=8))
    raw = b""
    for number, body in enumerate(bodies):
        sender = Upid(f"master({number})", "127.0.0.1", 5050)
        head = framing.encode(framing.Message(sender, "slave(1)", "a.B", body), PEER)
        if body and data.draw(st.booleans()):
            head = head[: -len(body)].replace(
                f"Content-Length: {len(body)}".encode(), b"Transfer-Encoding: chunked"
            )
            head += f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        raw += head
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(raw) - 1)), max_size=6)))
    port, actor = Port("127.0.0.1", 0, plain), Recorder()
    await port.open()
    port.add(actor)
    _, writer = await asyncio.open_connection(*port.address)
    for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        writer.write(raw[begin:end])
        await asyncio.sleep(0)
    got = await actor.until(len(bodies))
    writer.close()
    await port.close()
    assert [(message.sender.id, message.body) for message in got] == [
        (f"master({number})", body) for number, body in enumerate(bodies)
    ]


# -- receiving ----------------------------------------------------------------------------------------


async def test_an_empty_message_needs_neither_length_nor_host(port: Port) -> None:
    """As a 1.11 master writes it: Host is there but empty, a message without fields has no framing at all."""
    actor = Recorder()
    port.add(actor)
    head = "POST /slave(1)/mesos.internal.PongSlaveMessage HTTP/1.1\r\nUser-Agent: libprocess/{0}\r\n"
    head += "Libprocess-From: {0}\r\nConnection: Keep-Alive\r\nHost: \r\n\r\n"
    answer = await exchange(port, head.format("slave-observer(3)@127.0.0.1:5050").encode() * 2, answers=2)
    assert answer.count(b"202 Accepted") == 2
    assert [message.sender.id for message in actor.got] == ["slave-observer(3)"] * 2


async def test_user_agent_alone_makes_a_message(port: Port) -> None:
    actor = Recorder()
    port.add(actor)
    await exchange(
        port, b"POST /slave(1)/a.B HTTP/1.1\r\nHost: \r\nUser-Agent: libprocess/m@127.0.0.1:5\r\n\r\n"
    )
    assert actor.got == [framing.Message(Upid("m", "127.0.0.1", 5), "slave(1)", "a.B", b"")]


async def test_ids_are_percent_decoded(port: Port) -> None:
    actor = Recorder()
    port.add(actor)
    await exchange(
        port, b"POST /slave%281%29/a.B HTTP/1.1\r\nHost: \r\nLibprocess-From: m@127.0.0.1:5\r\n\r\n"
    )
    assert actor.got


async def test_unknown_processes_answer_404_and_plain_http_is_passed_on(port: Port) -> None:
    from_master = b"Host: \r\nLibprocess-From: m@127.0.0.1:5\r\n\r\n"
    assert b" 404 " in await exchange(port, b"POST /slave(9)/a.B HTTP/1.1\r\n" + from_master)
    assert b"plain /slave(1)/state" in await exchange(
        port, b"GET /slave(1)/state HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    assert b"plain /x" in await exchange(port, b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")


async def test_one_bad_message_harms_no_other(port: Port) -> None:
    actor = Recorder(fail=True)
    port.add(actor)
    raw = b"POST /slave(1)/a.B HTTP/1.1\r\nHost: \r\nLibprocess-From: m@127.0.0.1:5\r\n\r\n"
    assert (await exchange(port, raw * 3, answers=3)).count(b" 202 ") == 3


async def test_a_removed_process_is_gone(port: Port) -> None:
    actor = Recorder()
    port.add(actor)
    port.remove(actor)
    raw = b"POST /slave(1)/a.B HTTP/1.1\r\nHost: \r\nLibprocess-From: m@127.0.0.1:5\r\n\r\n"
    assert b" 404 " in await exchange(port, raw)


async def test_a_port_in_use_is_said_in_a_sentence(port: Port) -> None:
    with pytest.raises(PortError, match=r"cannot listen on .*Choose another port"):
        await Port("127.0.0.1", port.address[1], plain).open()


# -- sending ------------------------------------------------------------------------------------------


async def test_ports_talk_to_each_other_in_order_over_one_connection(port: Port) -> None:
    other, actor = Port("127.0.0.1", 0, plain), Recorder("master")
    await other.open()
    other.add(actor)
    for number in range(500):
        port.send("slave(1)", Upid("master", *other.address), Sealed("a.B", b"%d" % number))
    got = await actor.until(500)
    assert [int(message.body) for message in got] == list(range(500))
    assert {message.sender for message in got} == {Upid("slave(1)", *port.address)}
    await other.close()


async def test_a_lost_connection_is_reported_and_opened_again(port: Port) -> None:
    mine = Recorder("slave(1)")
    port.add(mine)
    other, actor = Port("127.0.0.1", 0, plain), Recorder("master")
    await other.open()
    other.add(actor)
    peer = Upid("master", *other.address)
    port.send("slave(1)", peer, Sealed("a.B", b"1"))
    await actor.until(1)
    await other.close()
    async with asyncio.timeout(60):
        while mine.lost != [peer.peer]:
            mine.changed.clear()
            await mine.changed.wait()
    again = Port("127.0.0.1", peer.port, plain)
    await again.open()
    again.add(actor)
    port.send("slave(1)", peer, Sealed("a.B", b"2"))
    assert (await actor.until(2))[1].body == b"2"
    await again.close()


async def test_the_end_of_a_peers_last_connection_is_told(port: Port) -> None:
    actor = Recorder()
    port.add(actor)
    raw = b"POST /slave(1)/a.B HTTP/1.1\r\nHost: \r\nLibprocess-From: m@127.0.0.1:5\r\n\r\n"
    writers = [(await asyncio.open_connection(*port.address))[1] for _ in range(2)]
    for number, writer in enumerate(writers, 1):
        writer.write(raw)
        await actor.until(number)
    writers[0].close()
    await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # plain HTTP comes and goes
    await asyncio.sleep(0.05)
    assert actor.left == []
    writers[1].transport.abort()
    async with asyncio.timeout(60):
        while not actor.left:
            actor.changed.clear()
            await actor.changed.wait()
    assert actor.left == [("127.0.0.1", 5)]


async def test_nobody_there_is_reported_too(port: Port) -> None:
    mine = Recorder("slave(1)")
    port.add(mine)
    closed = Port("127.0.0.1", 0, plain)
    await closed.open()
    nobody = Upid("master", *closed.address)
    await closed.close()
    for attempt in (1, 2):
        port.send("slave(1)", nobody, Sealed("a.B", b""))
        async with asyncio.timeout(60):
            while len(mine.lost) < attempt:
                mine.changed.clear()
                await mine.changed.wait()
    assert mine.lost == [nobody.peer] * 2


async def test_nothing_is_sent_before_what_it_tells_is_on_disk() -> None:
    """Messages queued while the barrier is awaited wait for the next one."""
    other, actor = Port("127.0.0.1", 0, plain), Recorder("master")
    await other.open()
    other.add(actor)
    passed, waiting = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def barrier() -> None:
        waiting.release()
        await passed.acquire()

    outbox = Outbox(lambda peer: None, barrier)
    peer = Upid("master", *other.address)

    def send(number: int) -> None:
        message = framing.Message(PEER, "master", "a.B", b"%d" % number)
        outbox.send(peer.peer, framing.encode(message, peer))

    send(1)
    await waiting.acquire()
    send(2)
    await asyncio.sleep(0.05)
    assert actor.got == []
    passed.release()
    await actor.until(1)
    await waiting.acquire()
    await asyncio.sleep(0.05)
    assert [message.body for message in actor.got] == [b"1"]
    passed.release()
    await actor.until(2)
    await outbox.close()
    await other.close()


async def test_closing_writes_what_waits() -> None:
    other, actor = Port("127.0.0.1", 0, plain), Recorder("master")
    await other.open()
    other.add(actor)
    mine = Port("127.0.0.1", 0, plain)
    await mine.open()
    mine.send("slave(1)", Upid("master", *other.address), Sealed("a.B", b"bye"))
    await mine.close()
    assert (await actor.until(1))[0].body == b"bye"
    await other.close()


def headers(**values: str) -> Mapping[str, str]:
    return {key.replace("_", "-"): value for key, value in values.items()}


def test_a_sender_that_cannot_be_answered_is_none() -> None:
    assert framing.sender_of(headers(Libprocess_From="nonsense")) is None
    assert framing.sender_of(headers(User_Agent="curl/8")) is None
    assert framing.sender_of({}) is None
