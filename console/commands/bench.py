"""`mma bench`: the benchmarks, as figures with goals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.errors import UsageError

if TYPE_CHECKING:
    from click import Context, Parameter


def _complete(context: Context, parameter: Parameter, text: str) -> list[str]:
    from console.bench.registry import BENCHMARKS

    return [name for name in BENCHMARKS if name.startswith(text)]


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME ...]", shell_complete=_complete)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a figure.")
@click.option("--small", is_flag=True, help="Seconds instead of minutes: shows that it works, not how fast.")
@click.option(
    "--compare",
    "base",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="BASE.json",
    help="Beside what an earlier --json printed; ends with a Markdown table for a pull request.",
)
@click.option(
    "--record",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="FOLDER",
    help="Put the results into FOLDER/benchmarks.json and draw FOLDER/benchmarks.md.",
)
@click.option(
    "--before", is_flag=True, help="With --record: keep the figures as those before an improvement."
)
@click.option("--list", "listing", is_flag=True, help="Tell the benchmarks and run none.")
def command(
    names: tuple[str, ...],
    as_json: bool,
    small: bool,
    base: Path | None,
    record: Path | None,
    before: bool,
    listing: bool,
) -> int:
    """Run the benchmarks NAME, or all; exit 1 if a goal is missed."""
    from console.bench import compare, page
    from console.bench.output import JsonListener, TextListener
    from console.bench.registry import BENCHMARKS, select
    from console.bench.runner import run_all, verdict
    from console.commands.shared.run_async import run_async

    if listing:
        for name, summary in BENCHMARKS.items():
            click.echo(f"{name:<12} {summary}")
        return 0
    if record and small:
        raise UsageError("A small run is not worth recording.", remedy="Leave --small away.")
    if before and not record:
        raise UsageError("--before needs --record.")
    benchmarks = select(names)
    earlier = compare.read_base(base) if base else {}
    with JsonListener(earlier) if as_json else TextListener(earlier, err=base is not None) as listener:
        outcomes = run_async(run_all(benchmarks, listener, small=small))
    if base and not as_json:
        click.echo(
            compare.markdown(earlier, [one for outcome in outcomes for one in outcome.figures]), nl=False
        )
    if record:
        click.echo(page.record(record, outcomes, as_before=before), err=True)
    return verdict(outcomes)
