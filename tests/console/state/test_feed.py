"""The feed: bursts are folded at once, keys come first, and large screens are drawn more rarely."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from console.state.events import Connected
from console.state.feed import Feed
from console.state.model import start


@asynccontextmanager
async def running(told: list[float]) -> AsyncIterator[Feed]:
    """A feed that runs; the times of what it tells are put into `told`."""
    feed = Feed(start(), time.time, lambda: told.append(time.monotonic()))
    task = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        task.cancel()
        await asyncio.wait([task])


async def told_again(told: list[float], before: int) -> float:
    """When something was told beyond the first `before` times."""
    async with asyncio.timeout(30):
        while len(told) <= before:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    return told[before]


async def test_a_burst_is_told_once() -> None:
    told: list[float] = []
    async with running(told) as feed:
        for number in range(50):
            feed.post(Connected(f"f-{number}", "http://m"))
        await told_again(told, 0)
        assert feed.state.master.framework_id == "f-49"
        assert len(told) == 1


async def test_a_key_comes_before_what_waits_but_not_for_ever() -> None:
    told: list[float] = []
    async with running(told) as feed:
        begun = time.monotonic()
        feed.give_way()
        feed.post(Connected("f", "http://m"))
        assert await told_again(told, 0) - begun >= 0.025
        assert feed.state.master.framework_id == "f"

        held = asyncio.create_task(_held(feed))
        feed.post(Connected("g", "http://m"))
        await told_again(told, 1)  # although the key is still held
        assert not held.done()
        held.cancel()


async def _held(feed: Feed) -> None:
    while True:
        feed.give_way()
        await asyncio.sleep(0.005)


async def test_what_takes_long_to_draw_is_drawn_more_rarely() -> None:
    told: list[float] = []
    async with running(told) as feed:
        feed.drawn(0.03)
        feed.post(Connected("f", "http://m"))
        first = await told_again(told, 0)
        feed.post(Connected("g", "http://m"))
        assert await told_again(told, 1) - first >= 0.09
