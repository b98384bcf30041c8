"""Who the leading master is: at a fixed place, among several, or as ZooKeeper says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from typing import Protocol

from agent.errors import ConfigError
from agent.tls import Tls
from agent.wire.upid import Peer, Upid

DEFAULT_PORT = 5050


class Detector(Protocol):
    """Tells the leading master, and every change of it."""

    async def reach(self) -> str:
        """An address on the way to the masters: ours is chosen by it. ConfigError says at once what can
        never work, such as a host that nobody knows."""
        ...

    def masters(self) -> AsyncGenerator[Upid | None, None]:
        """The leader as soon as there is one, then each change; None when it is gone and no other is
        there. Never ends by itself."""
        ...


def detector_of(master: str, zk_session_timeout: float = 10.0, tls: Tls | None = None) -> Detector:
    """What finds the master of `host:port`, `host:port,host:port` or `zk://host:port,…/path`. `tls`: by which
    masters are asked."""
    if "://" in master:
        from agent.zookeeper import ZooKeeperDetector

        return ZooKeeperDetector(master, zk_session_timeout)
    if "," in master:
        from agent.standby import StandbyDetector

        return StandbyDetector(master, tls=tls)
    return StaticDetector(master)


def parse_address(address: str) -> Peer:
    """`host` or `host:port`. ConfigError for anything else."""
    host, colon, port = address.strip().partition(":")
    if not host or (colon and not port.isdecimal()) or int(port or DEFAULT_PORT) >= 1 << 16:
        raise ConfigError(f"{address!r} is no master's address.", remedy="Write host:port.")
    return host, int(port or DEFAULT_PORT)


async def resolve(host: str) -> str:
    """The IPv4 address of `host`: a master names itself by it. ConfigError when nobody knows it."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET)
    except socket.gaierror as error:
        raise ConfigError(
            f"The master's host {host!r} is unknown ({error.strerror}).",
            remedy="Check its name, or give its IPv4 address.",
        ) from error
    return str(found[0][4][0])


class StaticDetector:
    """One master at a fixed place, `host` or `host:port`."""

    def __init__(self, address: str) -> None:
        self._host, self._port = parse_address(address)

    async def reach(self) -> str:
        """The master's own address."""
        return await resolve(self._host)

    async def masters(self) -> AsyncGenerator[Upid | None, None]:
        """The same master for ever."""
        yield Upid("master", await self.reach(), self._port)
        await asyncio.Event().wait()


def local_ip(peer: str) -> str:
    """The address of ours that leads to `peer`; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
