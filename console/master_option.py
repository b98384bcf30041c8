"""`--master` of the commands that only look at a running master."""

from __future__ import annotations

import click

master_option = click.option(
    *("-m", "--master"),
    default="127.0.0.1:5050",
    show_default=True,
    metavar="HOST:PORT",
    help="A running master.",
)
