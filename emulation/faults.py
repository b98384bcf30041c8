"""Faults on a link: bytes dropped, flipped, duplicated or delayed, from a seeded generator.

with_faults() wraps any factory of streams, so an emulated UART and a real serial port suffer alike.
Each byte is judged by itself, in each direction, in the order in which it was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from emulation.machine import Connect, Streams

_CHUNK = 4096


@dataclass(slots=True)
class LinkFaults:
    """How bad a link is. Probabilities are per byte, 0 to 1; change them while it runs.

    `tap` hears every chunk before anything is done to it: (to the device, bytes). `gate` is awaited with the
    size of each chunk that is about to reach the device, which has to wait for it.

    `cut` swallows every byte in both directions while the streams stay open. `delay` is in seconds, for
    each chunk of bytes. The counts say what was done so far.
    """

    seed: int = 0
    drop: float = 0.0
    flip: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    cut: bool = False
    tap: Callable[[bool, bytes], None] | None = field(default=None, repr=False)
    gate: Callable[[int], Awaitable[None]] | None = field(default=None, repr=False)
    dropped: int = 0
    flipped: int = 0
    duplicated: int = 0
    passed: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    @property
    def clean(self) -> bool:
        """True while every byte passes at once and as it was."""
        return not (self.cut or self.drop or self.flip or self.duplicate or self.delay)

    def apply(self, data: bytes) -> bytes:
        """What is left of `data` after the faults, without the delay."""
        if self.cut:
            self.dropped += len(data)
            return b""
        if not (self.drop or self.flip or self.duplicate):
            self.passed += len(data)
            return data
        out = bytearray()
        for byte in data:
            # Three draws for every byte, used or not: the n-th byte's fate depends on the seed and n only.
            drop, flip, duplicate = (self._random.random() for _ in range(3))
            if drop < self.drop:
                self.dropped += 1
                continue
            if flip < self.flip:
                self.flipped += 1
                byte ^= 1 << int(8 * flip / self.flip) % 8
            out.append(byte)
            self.passed += 1
            if duplicate < self.duplicate:
                self.duplicated += 1
                out.append(byte)
        return bytes(out)


def with_faults(connect: Connect, faults: LinkFaults) -> Connect:
    """A factory of streams to the same device, but through the faults."""
    running: set[asyncio.Task[None]] = set()  # the event loop itself holds its tasks only weakly

    async def connect_faulty() -> Streams:
        device = await connect()
        ours, theirs = socket.socketpair()
        near = await asyncio.open_connection(sock=ours)
        far = await asyncio.open_connection(sock=theirs)
        task = asyncio.create_task(_splice(device, far, faults), name="link faults")
        running.add(task)
        task.add_done_callback(running.discard)
        return near

    return connect_faulty


async def _splice(device: Streams, far: Streams, faults: LinkFaults) -> None:
    """Pump between two streams until either side ends, then end both."""
    pumps = [
        asyncio.create_task(_pump(device[0], far[1], faults, to_device=False)),
        asyncio.create_task(_pump(far[0], device[1], faults, to_device=True)),
    ]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        for writer in (far[1], device[1]):
            writer.close()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, faults: LinkFaults, *, to_device: bool
) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            if faults.tap is not None:
                faults.tap(to_device, data)
            if faults.delay > 0:
                await asyncio.sleep(faults.delay)
            if left := faults.apply(data):
                if to_device and faults.gate is not None:
                    await faults.gate(len(left))
                writer.write(left)
                await writer.drain()
