"""`--master`: HOST:PORT, its URL, a list of such, or ZooKeeper that knows who leads; and `--ca` with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cluster.trust import ca_option
from console.errors import UsageError

if TYPE_CHECKING:
    from agent.flags import Given

METAVAR = "[https://]HOST:PORT[,…]|zk://…"
Command = Callable[..., Any]


def master_of(given: Given) -> str:
    """The master's address. A password in it must come from a file that nobody else can read."""
    from agent.flags import FILE, content_of
    from agent.secrets import read_secret

    text = content_of(given.text, given.source)
    if "@" in text:
        if not given.text.startswith(FILE):
            raise UsageError(
                f"{given.source} has a password in it, which others could read.",
                remedy="Write the address into a file of mode 600 and give file:///path.",
            )
        read_secret(Path(given.text.removeprefix(FILE)))
    return text


def _read(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    from agent.flags import Given

    return None if value is None else master_of(Given(value, "--master"))


def master_option(command: Command) -> Command:
    """Of the commands that only look at a running master."""
    return click.option(
        *("-m", "--master"),
        default="127.0.0.1:5050",
        show_default=True,
        metavar=METAVAR,
        callback=_read,
        help="A running master, a list of them, or ZooKeeper that knows it.",
    )(ca_option(command))


def given_master(command: Command) -> Command:
    """Of the commands that start one where none is given."""
    return click.option(
        *("-m", "--master"),
        metavar=METAVAR,
        callback=_read,
        help="A running Mesos master, a list of them, or ZooKeeper that knows it; without it one is started.",
    )(ca_option(command))
