"""A line as slow as a real one, in virtual time, between a program that runs as it is and an emulated device.

QEMU's UARTs have no bit rate: bytes arrive as fast as the host delivers them, so that a transfer timed with
a clock on the wall measures the host. Here each byte takes the 10 bits of 8N1, the device takes the time
that its own instructions took (whoever makes the line tells), and the program at the near end runs in an
event loop whose clock stands still while it computes and jumps to the next thing that happens. The result
is the same on every machine.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from emulation.machine import Streams

BITS_PER_BYTE = 10
"""8N1: a start bit, eight data bits, a stop bit."""

Exchange = Callable[[bytes], tuple[bytes, float]]
"""Gives bytes to the device; what it answers, and the seconds that it computed for that. May block."""


class _Selector(selectors.DefaultSelector):
    """Instead of waiting for a time-out it moves the clock on."""

    clock = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout:
            self.clock += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time. What it waits for must be its own: timers, not sockets or threads."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.clock


@dataclass(slots=True)
class PacedLine:
    """The line's facts, and what happened on it. Times in virtual seconds, probabilities a byte."""

    exchange: Exchange
    baud: int
    ring: int
    """Bytes that the device keeps while it is busy; what comes beyond is lost."""
    near_delay: float = 0.0
    """From an answer's last bit until the program at the near end has acted on it: adapters, drivers, the
    program itself."""
    damage: float = 0.0
    """Probability of a byte to have one bit flipped, in either direction."""
    seed: int = 0
    bytes_down: int = 0
    bytes_up: int = 0
    bytes_lost: int = 0
    device_seconds: float = 0.0
    _random: random.Random = field(init=False, repr=False)
    _down_free: float = 0.0  # when the last byte to the device has left
    _up_free: float = 0.0
    _deaf: float = 0.0  # until when the device looks at nothing
    _reader: asyncio.StreamReader | None = None

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    @property
    def byte_time(self) -> float:
        return BITS_PER_BYTE / self.baud

    async def connect(self) -> Streams:
        """The near end; to be called in a VirtualLoop."""
        loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(self._reader, loop=loop)
        writer = asyncio.StreamWriter(_NearEnd(self), protocol, self._reader, loop)
        return self._reader, writer

    def send(self, data: bytes) -> None:
        """A frame from the near end: it takes the line as soon as that is free."""
        loop = asyncio.get_running_loop()
        begin = max(loop.time(), self._down_free)
        self._down_free = begin + len(data) * self.byte_time
        self.bytes_down += len(data)
        loop.call_at(self._down_free, self._arrive, self._damaged(data), begin)

    @property
    def waiting(self) -> int:
        """Bytes that were sent and have not left yet."""
        left = self._down_free - asyncio.get_running_loop().time()
        return max(0, round(left / self.byte_time))

    def _arrive(self, data: bytes, begin: float) -> None:
        """The last byte of a frame is at the device: it takes it when it has dealt with the one before."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._deaf > begin:
            while_deaf = min(len(data), int((min(self._deaf, now) - begin) / self.byte_time))
            lost = max(0, while_deaf - self.ring)
            self.bytes_lost += lost
            data = data[: while_deaf - lost] + data[while_deaf:]
        answer, seconds = self.exchange(data)
        self.device_seconds += seconds
        ready = max(now, self._deaf) + seconds
        self._deaf = ready
        if answer:
            self._up_free = self._deaf = max(ready, self._up_free) + len(answer) * self.byte_time
            self.bytes_up += len(answer)
            loop.call_at(self._up_free + self.near_delay, self._deliver, self._damaged(answer))

    def _deliver(self, data: bytes) -> None:
        if self._reader is not None:
            self._reader.feed_data(data)

    def _damaged(self, data: bytes) -> bytes:
        if not self.damage:
            return data
        out = bytearray(data)
        for place in range(len(out)):
            if self._random.random() < self.damage:
                out[place] ^= 1 << self._random.randrange(8)
        return bytes(out)


class _NearEnd(asyncio.Transport):
    """The writing half of the near end."""

    def __init__(self, line: PacedLine) -> None:
        super().__init__()
        self._line = line
        self._closing = False

    def write(self, data: Any) -> None:
        self._line.send(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self._line.waiting

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    abort = close
