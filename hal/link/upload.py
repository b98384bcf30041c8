"""Uploads an image with several blocks in flight, and goes back to where the device is when one got lost.

docs/link.md, "Uploads": blocks are non-confirmable requests, so that they need not wait for each other; the
device takes them in order, and tells how far it is when one comes that is not the next. What is answered
confirms all blocks before it as well.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from aiocoap import Message
from aiocoap.numbers import codes

from hal.errors import DeviceError
from hal.link.refusal import Refused, no_answer
from hal.link.transport import BITS_PER_BYTE, FRAME_OVERHEAD, LinkTuning

HIDDEN = 0.010
"""Seconds of turnaround (gateway, USB adapter, device) that do not slow an upload down."""
MOST_IN_FLIGHT = 4
LEAST_BLOCK = 64
"""Smallest block over a bad line."""
GOOD_BLOCKS = 8
"""Blocks in a row without a loss after which they grow again."""
SLACK = 0.05
"""Seconds that an answer may at least be later than the ones before: a busy computer is no loss."""


def blocks_in_flight(size: int, baud: int) -> int:
    """How many blocks of `size` bytes keep a line of `baud` bit/s busy while the first one's answer comes."""
    frame = (size + FRAME_OVERHEAD) * BITS_PER_BYTE / baud
    return min(MOST_IN_FLIGHT, 1 + math.ceil(HIDDEN / frame))


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes [offset, end) of the image in a block of `size` bytes, which only the last one does not fill."""

    offset: int
    end: int
    size: int
    more: bool
    round: int
    """Blocks sent since the last time that the upload went back have the same."""
    sent: float
    """When, by the loop's clock."""


Send = Callable[[Block], Coroutine[Any, Any, Message]]
"""Sends a block and gives its answer. Raises Refused, LinkError, DeviceError."""


class Upload:
    """One upload. Make it, then `await run()`; wake() may be called meanwhile."""

    def __init__(
        self,
        name: str,
        total: int,
        send: Send,
        *,
        begin: int,
        block: int,
        tuning: LinkTuning,
        on_progress: Callable[[int], None],
        on_again: Callable[[int], None],
        on_silence: Callable[[int], None],
    ) -> None:
        """Up to `total` bytes from `begin` on, a multiple of 16, in blocks of `block` bytes at most.
        `on_progress` gets the bytes that the device has, `on_again` how many blocks are sent again,
        `on_silence` how often a confirmable message would have been sent again by now."""
        self._name = name
        self._total = total
        self._send = send
        self._most = self._size = block
        self._tuning = tuning
        self._on_progress, self._on_again, self._on_silence = on_progress, on_again, on_silence
        self._next = begin
        self._taken = begin
        self._round = self._good = self._timeouts = 0
        self._silent_since = 0.0
        self._mean, self._spread = 0.0, 0.0
        self._timeout: float = tuning.ACK_TIMEOUT
        self._flight: deque[Block] = deque()
        self._sending: set[asyncio.Task[Message]] = set()
        self._answers: asyncio.Queue[tuple[Block, asyncio.Task[Message]] | None] = asyncio.Queue()
        self._complete = False
        self._last_sent = False

    async def run(self) -> None:
        """Until the device has it all. LinkError when it does not answer; Refused; DeviceError."""
        self._silent_since = self._now()
        try:
            while not self._complete:
                self._send_more()
                try:
                    async with asyncio.timeout(self._timeout * 2**self._timeouts):
                        answer = await self._answers.get()
                except TimeoutError:
                    self._silence()
                    continue
                if answer is None:
                    self._go_back(self._taken)
                elif answer[0].round == self._round:
                    self._take(*answer)
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    def wake(self) -> None:
        """The link is back: what was in flight is lost."""
        self._answers.put_nowait(None)

    def _send_more(self) -> None:
        while not self._last_sent and len(self._flight) < blocks_in_flight(self._size, self._tuning.baud):
            size = self._size
            while self._next % size:  # a block begins on a multiple of its size
                size //= 2
            end = min(self._total, self._next + size)
            block = Block(self._next, end, size, end < self._total, self._round, self._now())
            self._next, self._last_sent = end, not block.more
            self._flight.append(block)
            task = asyncio.create_task(self._send(block), name=f"block {block.offset} to {self._name}")
            self._sending.add(task)
            task.add_done_callback(lambda done, block=block: self._answered(block, done))  # type: ignore[misc]

    def _answered(self, block: Block, task: asyncio.Task[Message]) -> None:
        self._sending.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also where nobody asks any more
            self._answers.put_nowait((block, task))

    def _take(self, block: Block, task: asyncio.Task[Message]) -> None:
        """An answer to a block of this round."""
        self._timeouts, self._silent_since = 0, self._now()
        self._measure(self._silent_since - block.sent)
        try:
            response = task.result()
        except Refused as refusal:
            if refusal.code != codes.REQUEST_ENTITY_INCOMPLETE.dotted:
                raise
            self._shrink()
            self._go_back(min(refusal.taken or 0, self._total))
            return
        if block.more and response.code is not codes.CONTINUE:
            raise DeviceError(
                f"{self._name} took the block at byte {block.offset} for the last one.",
                code=response.code.dotted,
            )
        confirmed = response.opt.block1
        if confirmed is not None and confirmed.block_number != block.offset // block.size:
            raise DeviceError(f"{self._name} answered to another block than the one at byte {block.offset}.")
        while self._flight and self._flight[0].end <= block.end:
            self._flight.popleft()
        self._taken = block.end
        self._complete = not block.more
        self._on_progress(block.end)
        self._good += 1
        if self._good >= GOOD_BLOCKS and self._size < self._most:
            self._size, self._good = 2 * self._size, 0

    def _measure(self, seconds: float) -> None:
        """Learn from an answer how long one may take: RFC 6298, section 2, as for TCP."""
        if self._mean:
            self._spread += (abs(seconds - self._mean) - self._spread) / 4
            self._mean += (seconds - self._mean) / 8
        else:
            self._mean, self._spread = seconds, seconds / 2
        self._timeout = min(self._mean + max(SLACK, 4 * self._spread), self._tuning.ACK_TIMEOUT)

    def _silence(self) -> None:
        """No answer in time. How bad that is counts as a confirmable message's repetitions would."""
        self._timeouts += 1
        silent = self._now() - self._silent_since
        times = int(math.log2(silent / self._tuning.ACK_TIMEOUT + 1))
        if times > self._tuning.MAX_RETRANSMIT:
            raise no_answer(self._name)
        self._on_silence(times)
        self._shrink()
        self._go_back(self._taken)

    def _go_back(self, offset: int) -> None:
        """Send again from `offset` on."""
        self._on_again(len(self._flight))
        self._flight.clear()
        self._next = self._taken = offset
        self._last_sent = False
        self._round += 1

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _shrink(self) -> None:
        self._good = 0
        self._size = max(min(LEAST_BLOCK, self._most), self._size // 2)
