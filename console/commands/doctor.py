"""`mma doctor`: what is installed, what is missing and how to get it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from console.errors import Exit

if TYPE_CHECKING:
    from console.fleet.health import Finding

_MARKS = {"ok": ("ok", "green"), "missing": ("missing", "red"), "optional": ("absent", "yellow")}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(as_json: bool) -> int:
    """What is installed, what is missing and how to get it; exit 1 if the default can't run."""
    from console.fleet.health import examine

    findings = examine()
    for finding in findings:
        if as_json:
            click.echo(json.dumps(asdict(finding)))
        else:
            _print(finding)
    missing = [finding for finding in findings if finding.state == "missing"]
    if not as_json:
        click.echo()
        if missing:
            click.secho(f"{len(missing)} missing: mma can't do its main job here yet.", fg="red")
        else:
            click.secho(
                "All that the main job needs is here. Try: mma run hello --target stm32f4@qemu", fg="green"
            )
    return Exit.NOT_MET if missing else Exit.MET


def _print(finding: Finding) -> None:
    word, colour = _MARKS[finding.state]
    click.echo(f"{click.style(f'{word:<8}', fg=colour)} {finding.name:<20} {finding.detail}")
    if finding.state != "ok":
        for line in finding.remedy.splitlines():
            click.echo(f"{'':<8} {'':<20} {click.style(line, dim=True)}")
