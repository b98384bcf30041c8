"""Connections out, by TLS where that is on."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from agent.tls import GOODBYE, HANDSHAKE, Tls
from agent.wire.upid import Peer

log = logging.getLogger(__name__)

P = TypeVar("P", bound=asyncio.BaseProtocol)


async def dial(factory: Callable[[], P], peer: Peer, tls: Tls | None) -> P:
    """Connect to `peer`. OSError or TimeoutError when it does not answer, or cannot prove who it is.

    With support_downgrade a peer that speaks no TLS is spoken to in the clear, as libprocess does it
    (SocketManager::link); one whose certificate is wrong is not.
    """
    loop = asyncio.get_running_loop()
    if tls is None:
        return (await loop.create_connection(factory, *peer))[1]
    try:
        return await _dial_by_tls(factory, peer, tls)
    except ssl.SSLCertVerificationError:
        raise
    except OSError as error:
        if not tls.config.support_downgrade:
            raise
        log.debug("%s:%d speaks no TLS (%s)", *peer, error)
        return (await loop.create_connection(factory, *peer))[1]


async def names_of(ip: str, tls: Tls) -> list[str]:
    """The names of which a peer's certificate must have one; [""] where none matters."""
    found = []
    for name in tls.names(ip):
        if name:
            found.append(name)
            continue
        loop = asyncio.get_running_loop()
        try:
            found.append((await loop.getnameinfo((ip, 0), socket.NI_NAMEREQD))[0])
        except socket.gaierror:
            log.debug("DNS has no name for %s", ip)
    if not found and tls.config.verify_server_cert:
        raise OSError(
            f"DNS has no name for {ip}, so that its certificate proves nothing. "
            "Set ssl_verify_ipadd, or ssl_hostname_validation_scheme=openssl, and put the address into it"
        )
    return found or [""]


async def _dial_by_tls(factory: Callable[[], P], peer: Peer, tls: Tls) -> P:
    loop = asyncio.get_running_loop()
    *others, last = await names_of(peer[0], tls)
    for name in (*others, last):
        try:
            _, protocol = await loop.create_connection(
                factory,
                *peer,
                ssl=tls.client,
                server_hostname=name,
                ssl_handshake_timeout=HANDSHAKE,
                ssl_shutdown_timeout=GOODBYE,
            )
        except ssl.SSLCertVerificationError:
            if name == last:
                raise
        else:
            return protocol
    raise AssertionError("unreachable")
