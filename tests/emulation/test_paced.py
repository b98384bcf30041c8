"""A line in virtual time: bytes take their time, a busy device loses what its ring does not hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from emulation.machine import Streams
from emulation.paced import PacedLine, VirtualLoop


def virtually(work: Callable[[Streams], Awaitable[object]], line: PacedLine) -> object:
    async def main() -> object:
        return await work(await line.connect())

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


def now() -> float:
    return asyncio.get_running_loop().time()


def test_an_answer_takes_both_lines_the_device_and_the_near_end() -> None:
    line = PacedLine(lambda data: (data[:10], 0.25), 1000, ring=64, near_delay=0.5)

    async def work(streams: Streams) -> float:
        streams[1].write(bytes(100))
        await streams[0].readexactly(10)
        return now()

    assert virtually(work, line) == pytest.approx(1.0 + 0.25 + 0.1 + 0.5)
    assert (line.bytes_down, line.bytes_up, line.device_seconds) == (100, 10, 0.25)


def test_frames_follow_each_other_without_a_gap() -> None:
    """Also while the device works, as long as its ring holds what comes meanwhile."""
    seen = []

    def exchange(data: bytes) -> tuple[bytes, float]:
        seen.append(data)
        return b"!", 0.1

    async def work(streams: Streams) -> float:
        for number in range(3):
            streams[1].write(bytes([number]) * 50)
        await streams[0].readexactly(3)
        return now()

    line = PacedLine(exchange, 1000, ring=20)
    assert virtually(work, line) == pytest.approx(1.5 + 0.1 + 0.01)
    assert seen == [bytes([number]) * 50 for number in range(3)]
    assert line.bytes_lost == 0


def test_a_slow_device_loses_what_its_ring_does_not_hold() -> None:
    seen = []

    def exchange(data: bytes) -> tuple[bytes, float]:
        seen.append(len(data))
        return b"", 0.3

    async def work(streams: Streams) -> None:
        streams[1].write(bytes(50))
        streams[1].write(bytes(50))
        await asyncio.sleep(5)

    line = PacedLine(exchange, 1000, ring=20)
    virtually(work, line)
    assert seen == [50, 40], "30 bytes came while it was deaf"
    assert line.bytes_lost == 10


def test_damage_follows_its_seed() -> None:
    def run(seed: int) -> list[bytes]:
        seen: list[bytes] = []

        def exchange(data: bytes) -> tuple[bytes, float]:
            seen.append(data)
            return b"", 0.0

        async def work(streams: Streams) -> None:
            for _ in range(20):
                streams[1].write(bytes(100))
            await asyncio.sleep(60)

        virtually(work, PacedLine(exchange, 1000, ring=64, damage=0.01, seed=seed))
        return seen

    assert run(1) == run(1) != run(2)
    assert 5 < sum(map(any, run(1))) < 19
