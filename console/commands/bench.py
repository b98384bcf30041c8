"""`mma bench`: the benchmarks. Says what is not there yet."""

from __future__ import annotations

import click

from console.errors import ConsoleError


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a figure.")
def command(name: str | None, as_json: bool) -> None:
    """Run the benchmark NAME, or all (not built yet)."""
    raise ConsoleError(
        "There are no benchmarks yet.", remedy="`mma firmware size stm32f4 --json` measures the kernel."
    )
