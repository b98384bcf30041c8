"""`mma new executor NAME`: a folder with a source that builds and runs as it is."""

from __future__ import annotations

import json
from pathlib import Path

import click

_LANGUAGES = ("c", "zig", "wat")
_EXAMPLES = ("hello", "blink", "rule")


@click.group()
def command() -> None:
    """Begin something: an executor with its source and a README."""


@command.command()
@click.argument("name")
@click.option(
    "-l", "--lang", type=click.Choice(_LANGUAGES), default="c", show_default=True, help="Its language."
)
@click.option(
    "-e",
    "--example",
    type=click.Choice(_EXAMPLES),
    default="hello",
    show_default=True,
    help="What it does at first.",
)
@click.option(
    "--in",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where to make its folder; here unless said.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def executor(name: str, lang: str, example: str, folder: Path, as_json: bool) -> None:
    """Make a folder NAME with an executor that `mma run` runs, on the host and on every board."""
    from console.guests.templates import create

    files = create(name, lang, example, folder)
    if as_json:
        click.echo(json.dumps({"source": str(files[0]), "files": [str(path) for path in files]}))
        return
    for path in files:
        click.echo(path)
    click.echo(f"`mma run {files[0]} --target host` runs it.", err=True)
