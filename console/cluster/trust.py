"""HTTP sessions with masters and agents, by TLS where their URL says https.

Whom to trust is in the environment, where native schedulers look too: LIBPROCESS_SSL_CA_FILE (or MMA_CA),
and LIBPROCESS_SSL_CERT_FILE with _KEY_FILE for masters that want a certificate of us.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import aiohttp

TRUST = "Name the authority of its certificate by --ca or MMA_CA."
"""The remedy where a certificate is not taken."""
SWITCH = "LIBPROCESS_SSL_ENABLED"
CA, CA_OF_MESOS = "MMA_CA", "LIBPROCESS_SSL_CA_FILE"


def ca_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--ca, which stands for MMA_CA in the environment: of this process, and of those that it starts."""

    def keep(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            os.environ[CA] = value

    return click.option(
        "--ca",
        metavar="FILE",
        expose_value=False,
        callback=keep,
        help="The authority of an https:// master's certificate, PEM; else $MMA_CA, else the system's.",
    )(command)


def context_of(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Verifies whoever answers. ConfigError for files that cannot be used."""
    from agent.tls import load_key, trust_file

    path = environment.get(CA) or environment.get(CA_OF_MESOS)
    context = ssl.create_default_context() if not path else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(_ciphers())
    if path:
        trust_file(context, Path(path))
    cert, key = (environment.get(f"LIBPROCESS_SSL_{name}_FILE") for name in ("CERT", "KEY"))
    if cert and key:
        load_key(context, Path(key), Path(cert))
    return context


def _ciphers() -> str:
    from agent.tls import CIPHERS

    return CIPHERS


def by_tls(master: str, environment: Mapping[str, str]) -> bool:
    """Whether a master is to be spoken to by TLS: its URL says so, or libprocess's switch does of those that
    ZooKeeper or a list name, who have no URL."""
    named = master.startswith("zk:") or ("," in master and "://" not in master)
    return master.startswith("https:") or (named and environment.get(SWITCH, "").lower() in ("1", "true"))


def http_session(master: str, **more: Any) -> aiohttp.ClientSession:
    """For requests to `master` and what it points at; any number at a time."""
    import aiohttp

    connector = (
        aiohttp.TCPConnector(limit=0, ssl=context_of(os.environ))
        if by_tls(master, os.environ)
        else aiohttp.TCPConnector(limit=0)
    )
    return aiohttp.ClientSession(connector=connector, **more)


def certificate_trouble(error: BaseException) -> str:
    """Why the other side's certificate is not taken; "" where that is not the trouble."""
    import aiohttp

    if not isinstance(error, aiohttp.ClientConnectorCertificateError):
        return ""
    why = error.certificate_error
    return str(getattr(why, "verify_message", "") or why)
