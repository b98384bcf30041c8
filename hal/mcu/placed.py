"""Executors where they lie on a device, for debuggers and memory maps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hal.aot import Image
from hal.budget import Parts
from hal.link import Place
from hal.mcu.tenant import Tenant
from hal.target import Usage


@dataclass(frozen=True, slots=True)
class Placed:
    """One executor in its slot. `image` has its symbols, addresses and ELF."""

    key: str
    slot: int
    place: Place
    parts: Parts
    image: Image
    usage: Usage

    @classmethod
    def of(cls, tenant: Tenant) -> Placed | None:
        """None where it is not on the device, or another gateway put it there."""
        if tenant.slot is None or tenant.place is None or tenant.parts is None or tenant.image is None:
            return None
        return cls(tenant.key, tenant.slot, tenant.place, tenant.parts, tenant.image, tenant.usage)


Ready = Callable[[Placed], Awaitable[None]]
"""Called when an image is on the device and has not begun to run. What it raises is logged and ignored."""
