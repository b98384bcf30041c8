"""What the gateway knows of one executor on a device."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field

from hal.aot import Image
from hal.budget import Parts
from hal.link import ExecutorState, Place
from hal.target import Usage


def key_digest(key: str) -> bytes:
    """The device's name for an executor: 8 bytes that a restarted gateway can compute again."""
    return hashlib.sha256(key.encode()).digest()[:8]


@dataclass(slots=True)
class Tenant:
    """One executor, from spawn() or recover() to its Ended."""

    key: str
    digest: bytes
    """key_digest(key)."""
    asked: bool = False
    """The device was asked to create it; it may have, even if no answer came."""
    slot: int | None = None
    """Where it is on the device, once it is there."""
    boot: int = 0
    """The boot of the device in which it was made there."""
    parts: Parts | None = None
    place: Place | None = None
    image: Image | None = None
    """For symbols. parts, place and image are None after recover(): another gateway launched it."""
    started: bool = False
    """Its Started was published: its output and end may follow."""
    log_offset: int = 0
    """How far its log was read."""
    killing: bool = False
    """kill() was called and its grace is over."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    launch: asyncio.Task[None] | None = None
    usage: Usage = field(default_factory=Usage)

    def use(self, state: ExecutorState) -> None:
        """Take the counters of X."""
        parts = self.parts
        linear = parts.linear if parts else state.memory
        self.usage = Usage(
            cpu_seconds=state.cpu_microseconds / 1e6,
            switches=state.switches,
            code_bytes=parts.code if parts else 0,
            stack_bytes=parts.stack if parts else 0,
            stack_peak=state.stack_peak,
            memory_bytes=linear,
            # the device also counts the instance, which lies above what the guest addresses
            memory_peak=min(state.memory_peak, linear),
        )
