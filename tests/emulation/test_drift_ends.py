"""A drift that ends leaves the board running, whatever it was doing to it at that moment."""

from __future__ import annotations

import asyncio

from emulation.drift import hold_back
from emulation.machine import State


class Slow:
    """A board whose emulator takes its time for everything, as Renode does."""

    def __init__(self) -> None:
        self.state = State.RUNNING
        self.resuming = asyncio.Event()

    async def pause(self) -> None:
        await asyncio.sleep(0.01)
        self.state = State.PAUSED

    async def resume(self) -> None:
        self.resuming.set()
        await asyncio.sleep(0.05)
        self.state = State.RUNNING


async def test_it_is_let_go_though_the_drift_ends_meanwhile() -> None:
    board = Slow()
    drift = asyncio.create_task(hold_back(board, 0.5))
    async with asyncio.timeout(30):
        await board.resuming.wait()
    assert board.state is State.PAUSED
    drift.cancel()
    await asyncio.gather(drift, return_exceptions=True)
    assert drift.cancelled()
    assert board.state is State.RUNNING
