"""`mma master`: the genuine Apache Mesos master in the foreground."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path

import click

from console.errors import ConsoleError, UsageError

_TLS = "LIBPROCESS_SSL_"


@click.command()
@click.option(
    "--port", default=5050, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option("--ip", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--flag", "flags", multiple=True, metavar="NAME=VALUE", help="A flag of mesos-master; several times."
)
@click.option("--work-dir", type=click.Path(path_type=Path, file_okay=False), help="Keep its files there.")
@click.option("--json", "as_json", is_flag=True, help="Say that it is ready as a JSON object.")
def command(port: int, ip: str, flags: tuple[str, ...], work_dir: Path | None, as_json: bool) -> None:
    """Run the genuine Apache Mesos 1.11 master on loopback until Ctrl-C.

    The first start downloads it (27 MB) into the user's cache. With LIBPROCESS_SSL_ENABLED=1, _KEY_FILE and
    _CERT_FILE in the environment it speaks TLS, by this system's OpenSSL.
    """
    from console.commands.shared.run_async import run_async

    run_async(_serve(port, ip, parse_flags(flags), work_dir, as_json))


def parse_flags(texts: tuple[str, ...]) -> dict[str, str]:
    """`name=value` pairs; a lone name is `true`, as mesos-master reads it."""
    flags: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.lstrip("-").partition("=")
        if not name.replace("_", "").replace("-", "").isalnum():
            raise UsageError(f"{text!r} is no flag.", remedy="Write --flag NAME=VALUE.")
        flags[name] = value if separator else "true"
    return flags


def tls_of(environment: Mapping[str, str]) -> dict[str, str] | None:
    """libprocess's settings for TLS, without LIBPROCESS_SSL_; None where it is off. UsageError where the key
    or the certificate is missing."""
    found = {
        name.removeprefix(_TLS).lower(): value for name, value in environment.items() if name.startswith(_TLS)
    }
    if found.get("enabled", "").lower() not in ("1", "true"):
        return None
    for name in ("key_file", "cert_file"):
        if not Path(found.get(name) or "/").is_file():
            raise UsageError(
                f"{_TLS}{name.upper()} names no file.", remedy="The master needs a key and its certificate."
            )
    return found


async def _serve(port: int, ip: str, flags: dict[str, str], work_dir: Path | None, as_json: bool) -> None:
    from console.commands.shared.download import download_bar
    from emulation.master import Master

    with download_bar() as progress:
        tls = tls_of(os.environ)
        master = Master(port=port, ip=ip, flags=flags, tls=tls, work_dir=work_dir, progress=progress)
        await master.start()
    try:
        if as_json:
            ready = {"event": "ready", "master": master.address, "pid": master.pid, "log": str(master.log)}
            click.echo(json.dumps(ready))
        else:
            click.echo(f"The Mesos master leads at {master.address} (log: {master.log}). Ctrl-C ends it.")
        died = await master.wait_died()
        raise ConsoleError(died, remedy="Its log is in the work folder: give one with --work-dir.")
    except asyncio.CancelledError:
        click.echo("Stopping the master.", err=True)  # what was asked for: no failure
    finally:
        await master.stop()
