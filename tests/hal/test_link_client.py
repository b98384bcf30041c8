"""The link's client against a CoAP server at the other end of a real, and a noisy, byte stream."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing

import cbor2
import pytest
from aiocoap import Code, Message
from device_double import DeviceDouble, Executor, double
from noisy_line import Noise

from hal.abi import EndCause, State
from hal.errors import DeviceError, LinkError
from hal.link import Create, Link, Refused, Traced, transport, upload


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The double answers at once: what is lost here is sent again sooner."""
    monkeypatch.setattr(transport, "PATIENCE", 0.03)


def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that count: nothing is sent again because this computer is busy."""
    monkeypatch.setattr(transport, "PATIENCE", 30.0)
    monkeypatch.setattr(upload, "SLACK", 30.0)


WISH = Create(key=b"12345678", code=2000, stack=512, memory=1024, log=256, result=64, share=100)


async def test_the_whole_life_of_an_executor() -> None:
    async with double() as (device, line):
        link = Link("double", line.connect, baud=115200)
        facts = await link.open()
        assert (facts.board, facts.block, facts.sensors) == ("double", 512, ("temp0", "light"))
        place = await link.create(WISH)
        assert place.taken == 2000 + 512 + 1024 + 256 + 64
        stream, progress = random.Random(2).randbytes(3000), []
        await link.upload(place.slot, stream, progress.append)
        assert device.executors[place.slot].stream == stream
        assert progress == [512, 1024, 1536, 2048, 2560, 3000]
        await link.start(place.slot, stream, entry=place.code + 1, memory=1000)
        await asyncio.sleep(0.01)
        state = await link.executor(place.slot)
        assert (state.key, state.state, state.cause) == (WISH.key, State.ENDED, EndCause.EXIT)
        assert (await link.log(place.slot, 0)).data == b"hello from 3132333435363738\n"
        assert await link.result(place.slot) == b"42"
        await link.delete(place.slot)
        assert (await link.slots()).slots == ()
        assert (await link.counters()).switches == 4
        assert link.statistics.retransmissions == 0
        await link.close()


async def test_a_long_result_and_short_blocks() -> None:
    async def behave(device: DeviceDouble, executor: Executor) -> None:
        executor.result = bytes(range(256)) * 5
        device.end(executor, EndCause.EXIT)

    async with double(behave, block=64) as (_, line):
        link = Link("double", line.connect, baud=115200)
        await link.open()
        place = await link.create(WISH)
        await link.upload(place.slot, bytes(100))
        await link.start(place.slot, bytes(100), entry=0, memory=0)
        await asyncio.sleep(0.01)
        assert await link.result(place.slot) == bytes(range(256)) * 5
        await link.close()


async def test_a_refusal_tells_what_is_missing() -> None:
    async with double(arena=3000) as (_, line):
        link = Link("double", line.connect, baud=115200)
        await link.open()
        with pytest.raises(Refused, match="noroom, 856 bytes are missing") as caught:
            await link.create(WISH)
        assert (caught.value.code, caught.value.missing, caught.value.largest) == ("4.13", 856, 3000)
        with pytest.raises(Refused, match="noent") as caught:
            await link.executor(7)
        assert caught.value.code == "4.04"
        await link.close()


async def test_a_wrong_digest_does_not_start() -> None:
    async with double() as (device, line):
        link = Link("double", line.connect, baud=115200)
        await link.open()
        place = await link.create(WISH)
        await link.upload(place.slot, b"one")
        with pytest.raises(Refused, match="digest"):
            await link.start(place.slot, b"two", entry=0, memory=0)
        assert device.started == 0
        await link.close()


async def test_slots_are_watched() -> None:
    async with double() as (_, line):
        link = Link("double", line.connect, baud=115200)
        await link.open()
        async with aclosing(link.watch_slots()) as states:
            assert (await anext(states)).slots == ()
            place = await link.create(WISH)
            assert [slot.slot for slot in (await anext(states)).slots] == [place.slot]
            await link.upload(place.slot, b"x")
            await link.start(place.slot, b"x", entry=0, memory=0)
            seen = []
            while State.ENDED not in seen:
                seen += [slot.state for slot in (await anext(states)).slots]
        await link.close()


@pytest.mark.parametrize("seed", range(4))
async def test_everything_arrives_over_a_noisy_line(seed: int) -> None:
    """1e-3 damaged bytes, some frames lost and some doubled: slower, but nothing wrong or doubled."""
    noise = Noise(damage=1e-3, drop=0.02, double=0.05, random=random.Random(seed))
    async with double(noise=noise, block=128) as (device, line):
        link = Link("double", line.connect, baud=4_000_000)
        await link.open(timeout=30)
        stream = random.Random(seed).randbytes(6000)
        place = await link.create(WISH)
        await link.upload(place.slot, stream)
        await link.start(place.slot, stream, entry=0, memory=0)
        async with aclosing(link.watch_slots()) as states:
            async for state in states:
                if state.slots[0].state is State.ENDED:
                    break
        assert await link.result(place.slot) == b"42"
        assert (device.started, len(device.executors)) == (1, 1)
        assert link.statistics.retransmissions > 0
        await link.close()


async def test_an_upload_uses_the_line_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all bytes on a clean line, both ways, at least 90 % are the image's, escapes included."""
    patient(monkeypatch)
    async with double() as (_, line):
        link = Link("double", line.connect, baud=115200)
        await link.open()
        place = await link.create(WISH)
        before = link.statistics.bytes_sent + link.statistics.bytes_received
        await link.upload(place.slot, random.Random(1).randbytes(32_000))
        taken = link.statistics.bytes_sent + link.statistics.bytes_received - before
        assert 32_000 / taken > 0.9
        await link.close()


async def test_an_upload_goes_on_where_it_was_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    patient(monkeypatch)
    async with double(block=64) as (device, line):
        link = Link("double", line.connect, baud=4_000_000)
        await link.open()
        place = await link.create(WISH)
        stream, progress = random.Random(3).randbytes(2000), []

        cut = asyncio.Event()

        def on_progress(taken: int) -> None:
            progress.append(taken)
            if taken == 640:
                line.noise.cut = True
                cut.set()

        cut_off = asyncio.create_task(link.upload(place.slot, stream, on_progress))
        await cut.wait()
        cut_off.cancel()
        await asyncio.gather(cut_off, return_exceptions=True)
        line.noise.cut = False
        state = await link.executor(place.slot)
        assert state.state is State.LOADING
        assert 640 <= state.image_bytes < 2000
        device.requests.clear()
        await link.upload(place.slot, stream, begin=state.image_bytes)
        assert device.executors[place.slot].stream == stream
        assert len(device.requests) == -(-(2000 - state.image_bytes) // 64)
        await link.close()


async def test_an_upload_does_not_wait_when_the_line_is_back() -> None:
    async with double(block=64) as (device, line):
        link = Link("double", line.connect, baud=4_000_000)
        await link.open()
        place = await link.create(WISH)
        stream = random.Random(3).randbytes(3000)
        hung_up = asyncio.Event()

        def on_progress(taken: int) -> None:
            if taken > 1000 and not hung_up.is_set():
                hung_up.set()
                line.hang_up()

        await link.upload(place.slot, stream, on_progress)
        assert hung_up.is_set()
        assert device.executors[place.slot].stream == stream
        await link.close()


async def test_a_silent_upload_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PATIENCE", 0.001)
    async with double(block=64) as (_, line):
        link = Link("double", line.connect, baud=40_000_000)
        await link.open()
        place = await link.create(WISH)
        line.noise.cut = True
        with pytest.raises(LinkError, match="does not answer"):
            await link.upload(place.slot, bytes(500))
        assert not link.up
        await link.close()


async def test_blocks_shrink_on_a_bad_line_and_grow_again() -> None:
    noise = Noise(drop=0.1, random=random.Random(5))
    async with double(noise=noise) as (device, line):
        link = Link("double", line.connect, baud=4_000_000)
        await link.open()
        place = await link.create(WISH)
        sizes: list[int] = []
        taken = device._put_x
        device._put_x = lambda request, executor: (  # type: ignore[method-assign]
            sizes.append(request.opt.block1.size),
            taken(request, executor),
        )[1]
        stream = random.Random(1).randbytes(60_000)
        await link.upload(place.slot, stream)
        assert device.executors[place.slot].stream == stream
        assert min(sizes) < 256
        first_small = sizes.index(min(sizes))
        assert max(sizes[first_small:]) > min(sizes)
        await link.close()


async def test_a_cut_line_is_told_and_comes_back() -> None:
    changes: list[tuple[bool, str]] = []
    async with double() as (_, line):
        link = Link("double", line.connect, baud=4_000_000, on_change=lambda *change: changes.append(change))
        await link.open()
        line.hang_up()
        await asyncio.sleep(0.02)
        assert not link.up
        assert (await link.slots()).slots == ()  # waits for the new connection
        assert [up for up, _ in changes] == [True, False, True]
        assert "closed at its other end" in changes[1][1]
        assert link.statistics.connections == 2
        await link.close()


async def test_a_silent_device_is_told_without_a_broken_stream() -> None:
    changes: list[bool] = []
    silent = asyncio.Event()

    def on_change(up: bool, message: str) -> None:
        changes.append(up)
        if not up:
            silent.set()

    async with double() as (_, line):
        link = Link("double", line.connect, baud=4_000_000, on_change=on_change)
        await link.open()
        line.noise.cut = True
        request = asyncio.create_task(link.slots())
        await silent.wait()
        line.noise.cut = False
        assert (await request).slots == ()
        assert changes == [True, False, True]
        await link.close()


async def test_nobody_there() -> None:
    async def refuse() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(LinkError, match="No link to board: No such file"):
        await Link("board", refuse, baud=115200).open()
    async with double(noise=Noise(cut=True)) as (_, line):
        link = Link("board", line.connect, baud=115200)
        with pytest.raises(LinkError, match=r"does not answer within 0\.2 s"):
            await link.open(timeout=0.2)
        with pytest.raises(LinkError, match="closed"):
            await link.slots()


async def test_text_and_trace() -> None:
    lines: list[str] = []
    traced: list[Traced] = []
    async with double() as (device, line):
        link = Link("double", line.connect, baud=115200, on_text=lines.append, on_trace=traced.append)
        await link.open()
        device.say("mma: ready")
        await link.slots()
        await link.close()
    assert lines == ["mma: ready"]
    ways = [(record.direction.value, str(record.message.code)) for record in traced]
    assert ways == [("sent", "GET"), ("received", "2.05 Content")] * 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\xff", "not CBOR"),
        (cbor2.dumps([]), "not a map"),
        (cbor2.dumps({0: 2}), "speaks version 2"),
        (cbor2.dumps({0: 1, 9: 100}), "block size is 100"),
        (cbor2.dumps({0: 1, 9: 64, 12: [1]}), "member 12"),
        (cbor2.dumps({0: 1, 9: 64, 12: [], 1: 5}), "member 1 is 5"),
        (cbor2.dumps({0: True}), "member 0"),
        (bytes.fromhex("a1a00000"), "CBOR|map|makes no sense"),
    ],
)
async def test_a_lying_device(answer: bytes, words: str) -> None:
    async with double() as (device, line):
        device._get_d = lambda request: Message(payload=answer, code=Code.CONTENT)  # type: ignore[method-assign]
        link = Link("liar", line.connect, baud=115200)
        with pytest.raises(DeviceError, match=words):
            await link.open()
