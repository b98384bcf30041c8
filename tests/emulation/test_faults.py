"""Link faults are seeded, counted, and leave a clean link alone."""

from __future__ import annotations

import asyncio
import socket

from hypothesis import given
from hypothesis import strategies as st

from emulation.faults import LinkFaults, with_faults
from emulation.machine import Streams


@given(st.binary(max_size=500))
def test_clean_passes_everything(data: bytes) -> None:
    faults = LinkFaults()
    assert faults.clean
    assert faults.apply(data) == data
    assert faults.passed == len(data)


@given(st.binary(min_size=1, max_size=300), st.integers(), st.data())
def test_fate_depends_on_seed_and_position_only(data: bytes, seed: int, draw: st.DataObject) -> None:
    cut = draw.draw(st.integers(0, len(data)))
    whole, parts = (LinkFaults(seed, drop=0.2, flip=0.2, duplicate=0.2) for _ in range(2))
    assert whole.apply(data) == parts.apply(data[:cut]) + parts.apply(data[cut:])
    assert whole.passed + whole.dropped == len(data)


def test_each_fault_does_what_it_says() -> None:
    data = bytes(1000)
    assert LinkFaults(drop=1).apply(data) == b""
    assert LinkFaults(duplicate=1).apply(data) == bytes(2000)
    flipped = LinkFaults(flip=1)
    assert all(byte.bit_count() == 1 for byte in flipped.apply(data))
    assert len({byte for byte in LinkFaults(flip=1).apply(data)}) == 8  # every bit has its turn
    assert flipped.flipped == 1000
    dropped = LinkFaults(seed=1, drop=0.1)
    assert 850 < len(dropped.apply(data)) < 950
    assert dropped.dropped == 1000 - dropped.passed
    assert LinkFaults(cut=True).apply(data) == b""


async def _pair() -> tuple[Streams, Streams]:
    ends = socket.socketpair()
    return await asyncio.open_connection(sock=ends[0]), await asyncio.open_connection(sock=ends[1])


async def test_streams_both_ways_and_live_change() -> None:
    near, device = await _pair()

    async def connect() -> Streams:
        return near

    faults = LinkFaults()
    reader, writer = await with_faults(connect, faults)()
    writer.write(b"there")
    assert await device[0].readexactly(5) == b"there"
    device[1].write(b"back")
    assert await reader.readexactly(4) == b"back"
    faults.cut = True
    writer.write(b"lost")
    await asyncio.sleep(0.05)
    faults.cut, faults.delay = False, 0.05
    loop = asyncio.get_running_loop()
    began = loop.time()
    writer.write(b"late")
    assert await device[0].readexactly(4) == b"late"
    assert loop.time() - began >= 0.05
    assert faults.dropped == 4
    device[1].close()
    assert await reader.read() == b""  # the device's end comes through
    writer.close()
