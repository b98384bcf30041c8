"""A list of masters, `host:port,host:port`: the leader is whom one of them names.

Masters of one cluster all point at their leader; masters that know nothing of each other each lead, and
then the first of the list that answers does. While nobody answers the last leader stays: its agents try
it again by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

import aiohttp

from agent.detector import DEFAULT_PORT, parse_address, resolve
from agent.errors import ConfigError
from agent.tls import Tls
from agent.wire.dial import names_of
from agent.wire.upid import Peer, Upid

log = logging.getLogger(__name__)

INTERVAL = 2.0
"""Seconds between questions."""
TIMEOUT = aiohttp.ClientTimeout(total=5)


class StandbyDetector:
    """Asks the leader that it knows, and when that one no longer leads the whole list, in order."""

    def __init__(self, addresses: str, interval: float = INTERVAL, tls: Tls | None = None) -> None:
        self._tls = tls
        self._interval = interval
        self._peers = [parse_address(address) for address in addresses.split(",") if address.strip()]
        if not self._peers:
            raise ConfigError(f"{addresses!r} names no master.", remedy="Write host:port,host:port.")

    async def reach(self) -> str:
        """The address of the first master whose host is known."""
        unknown: ConfigError | None = None
        for host, _ in self._peers:
            try:
                return await resolve(host)
            except ConfigError as error:
                unknown = error
        assert unknown is not None
        raise unknown

    async def masters(self) -> AsyncGenerator[Upid | None, None]:
        """The leader, then each change."""
        known: Upid | None = None
        async with aiohttp.ClientSession(timeout=TIMEOUT) as http:
            while True:
                found = await self._leader(http, known)
                if found is not None and found != known:
                    known = found
                    yield found
                await asyncio.sleep(self._interval)

    async def _leader(self, http: aiohttp.ClientSession, known: Upid | None) -> Upid | None:
        first = [known.peer] if known is not None else []
        for peer in (*first, *self._peers):
            leader = await _ask(http, peer, self._tls)
            if leader is not None:
                return leader
        return None


async def _ask(http: aiohttp.ClientSession, peer: Peer, tls: Tls | None) -> Upid | None:
    """Whom `peer` holds for the leader, by Mesos's /master/redirect, which needs no login; None when it
    does not answer or knows none (503)."""
    try:
        ip = await resolve(peer[0])
        there = await _location(http, f"{ip}:{peer[1]}", await _ways(ip, tls))
        if there is None:
            return None
        host, port = there.hostname or "", there.port or DEFAULT_PORT
        if port == peer[1] and host in (peer[0], "localhost", ""):
            return Upid("master", ip, port)
        return Upid("master", await resolve(host), port)
    except (ConfigError, aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        log.debug("master %s:%d does not tell who leads: %s", *peer, error)
        return None


Way = tuple[ssl.SSLContext, str] | None
"""TLS and the name that a certificate must have, or none."""


async def _ways(ip: str, tls: Tls | None) -> list[Way]:
    if tls is None:
        return [None]
    plain: list[Way] = [None] if tls.config.support_downgrade else []
    return [*((tls.client, name) for name in await names_of(ip, tls)), *plain]


async def _location(http: aiohttp.ClientSession, address: str, ways: Sequence[Way]) -> SplitResult | None:
    """Where a master points, by the first way on which it answers. Who proves to be somebody else is not
    asked in the clear."""
    doubtful = False
    for way in ways:
        if way is None and doubtful:
            continue
        url = f"{'https' if way else 'http'}://{address}/master/redirect"
        more: dict[str, Any] = {"ssl": way[0], "server_hostname": way[1] or None} if way else {}
        try:
            async with http.get(url, allow_redirects=False, **more) as reply:
                return urlsplit(reply.headers.get("Location", "")) if reply.status == 307 else None
        except aiohttp.ClientConnectionError as error:
            doubtful |= isinstance(error, aiohttp.ClientConnectorCertificateError)
            log.debug("%s cannot be asked: %s", url, error)
    return None
