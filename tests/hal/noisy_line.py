"""A line of two byte streams that damages, drops and doubles what it carries, by a seed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

FRAME = re.compile(rb"\xc0*[^\xc0]+\xc0")
"""From END to END, so that whole frames are lost or doubled."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Noise:
    """What a line does to bytes and to SLIP frames; all zero by default."""

    damage: float = 0.0
    """Probability of a byte to come out another one."""
    drop: float = 0.0
    """Probability of a frame to vanish."""
    double: float = 0.0
    """Probability of a frame to come twice."""
    cut: bool = False
    """Carries nothing at all."""
    random: random.Random = field(default_factory=lambda: random.Random(1))

    def apply(self, frame: bytes) -> bytes:
        if self.cut or self.random.random() < self.drop:
            return b""
        out = bytearray(frame)
        if self.damage:
            for place in range(len(out)):
                if self.random.random() < self.damage:
                    out[place] = self.random.randrange(256)
        return bytes(out) * (2 if self.random.random() < self.double else 1)


class Line:
    """Gives out the two ends; `near` may be taken again after it was closed, as a port reopened."""

    def __init__(self, noise: Noise) -> None:
        self.noise = noise
        self.connections = 0
        self._near: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()

    async def open(self) -> Streams:
        """Begin; the far end's streams, which last as long as the line."""
        far, self._inner = await _pair()
        self._pump(self._inner[0], self._to_near)
        return far

    async def connect(self) -> Streams:
        """The near end."""
        self.connections += 1
        near, inner = await _pair()
        self._near = [inner[1]]
        self._pump(inner[0], self._inner[1].write)
        return near

    def hang_up(self) -> None:
        """Close the near end from the line's side, as a cable pulled."""
        for writer in self._near:
            writer.transport.abort()
        self._near = []

    async def close(self) -> None:
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        self.hang_up()
        self._inner[1].transport.abort()

    def _to_near(self, data: bytes) -> None:
        for writer in self._near:
            if not writer.is_closing():
                writer.write(data)

    def _pump(self, reader: asyncio.StreamReader, write: Callable[[bytes], object]) -> None:
        async def carry() -> None:
            waiting = b""
            with contextlib.suppress(OSError):
                while data := await reader.read(4096):
                    waiting += data
                    for frame in FRAME.findall(waiting):
                        write(self.noise.apply(frame))
                    waiting = FRAME.sub(b"", waiting)

        task = asyncio.create_task(carry())
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)


async def _pair() -> tuple[Streams, Streams]:
    one, other = socket.socketpair()
    return await asyncio.open_connection(sock=one), await asyncio.open_connection(sock=other)


@contextlib.asynccontextmanager
async def noisy_line(noise: Noise | None = None) -> AsyncIterator[tuple[Line, Streams]]:
    """A line and its far end."""
    line = Line(noise or Noise())
    far = await line.open()
    try:
        yield line, far
    finally:
        far[1].transport.abort()
        await line.close()
