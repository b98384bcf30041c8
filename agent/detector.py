"""Who the leading master is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Protocol

from agent.errors import ConfigError
from agent.wire.upid import Upid

DEFAULT_PORT = 5050


class Detector(Protocol):
    """Tells the leading master, and every change of it: host:port today, ZooKeeper likewise."""

    def masters(self) -> AsyncIterator[Upid | None]:
        """The leader now, then after each change; None while there is none. Never ends by itself."""
        ...


class StaticDetector:
    """One master at a fixed place, `host` or `host:port`."""

    def __init__(self, address: str) -> None:
        host, colon, port = address.partition(":")
        if not host or (colon and not port.isdecimal()) or int(port or DEFAULT_PORT) >= 1 << 16:
            raise ConfigError(f"{address!r} is no master's address.", remedy="Write host:port.")
        self._host = host
        self._port = int(port or DEFAULT_PORT)

    async def locate(self) -> Upid:
        """The master's process. ConfigError when its host is unknown. A master names itself by its IPv4
        address, so ours must be the same one."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self._host, self._port, family=socket.AF_INET)
        except socket.gaierror as error:
            raise ConfigError(
                f"The master's host {self._host!r} is unknown ({error.strerror}).",
                remedy="Check its name, or give its IPv4 address.",
            ) from error
        ip, port = found[0][4][0], found[0][4][1]
        return Upid("master", str(ip), int(port))

    async def masters(self) -> AsyncIterator[Upid | None]:
        """The same master for ever."""
        yield await self.locate()
        await asyncio.Event().wait()


def local_ip(peer: str) -> str:
    """The address of ours that leads to `peer`; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
