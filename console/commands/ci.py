"""`mma ci SCENARIO.toml …`: headless runs of scenarios, with reports and artifacts."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.commands.shared.completion import complete_target
from console.errors import ConsoleError, Exit

if TYPE_CHECKING:
    from console.ci.run import Job, Listener


@click.command()
@click.argument(
    "scenarios",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="SCENARIO.toml …",
)
@click.option(
    "-t", "--target", "targets", multiple=True, shell_complete=complete_target, help="In place of the pages'."
)
@click.option("-k", "words", default="", metavar="WORDS", help="Only cases whose title holds this.")
@click.option("-j", "--jobs", type=click.IntRange(1, 64), help="Cases side by side; a core each by default.")
@click.option("--seed", type=int, help="Of the faults, in place of the pages'.")
@click.option(
    "--retries", type=click.IntRange(0, 20), help="In place of the pages'. A flake still fails the run."
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a JUnit report there.")
@click.option(
    "--artifacts",
    type=click.Path(path_type=Path, file_okay=False),
    default="mma-artifacts",
    show_default=True,
    help="Where recordings go: a folder a case.",
)
@click.option(
    "--keep",
    type=click.Choice(["failed", "all", "none"]),
    default="failed",
    show_default=True,
    help="Which recordings.",
)
@click.option("--vcd", is_flag=True, help="Record the pins: pins.vcd among a case's recording.")
@click.option(
    "--against",
    metavar="TARGET",
    shell_complete=complete_target,
    help="Run each case there as well and tell where the two first come apart.",
)
@click.option("--list", "listing", is_flag=True, help="Tell the cases and run none.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a case.")
def command(
    scenarios: tuple[Path, ...],
    targets: tuple[str, ...],
    words: str,
    jobs: int | None,
    seed: int | None,
    retries: int | None,
    junit: Path | None,
    artifacts: Path,
    keep: str,
    vcd: bool,
    against: str | None,
    listing: bool,
    as_json: bool,
) -> int:
    """Play each case of the scenarios on each of its targets; exit 0 only if all go as expected, and with
    --against nothing went otherwise there.

    docs/ci.md tells what a scenario may say. `mma replay` opens a failed case's recording in the console.
    """
    from console.ci import compare
    from console.ci.reports import facts_of, summary, write_junit
    from console.ci.run import Verdict, jobs_of, run_jobs
    from console.ci.scenario import load
    from console.commands.shared.run_async import run_async
    from console.fleet.opening import parse_name

    work = jobs_of([load(path, targets=targets, seed=seed) for path in scenarios], words)
    beside = parse_name(against) if against is not None else None
    if beside is not None:
        work += compare.twins(work, beside)
    if listing:
        for job in work:
            click.echo(f"{job.scenario.name}: {job.title}")
        return Exit.MET
    with _listener(work, as_json=as_json) as listener:
        side_by_side = jobs or os.cpu_count() or 1
        run_async(run_jobs(work, listener, side_by_side=side_by_side, retries=retries, vcd=vcd))
    verdicts = {job.verdict for job in work}
    found = compare.comparisons(work, beside) if beside is not None else []
    apart = [one for one in found if not one.same and not one.missing]
    differing = {id(job) for one in apart for job in (one.one, one.other)}
    for job in work:
        failed = job.failed_attempt is not None and job.verdict is not Verdict.MISSING
        if keep == "all" or (keep == "failed" and (failed or id(job) in differing)):
            folder = _keep(job, artifacts, facts_of(job))
            if not as_json:
                click.echo(f"{job.title}: mma replay {folder}", err=True)
    if junit is not None:
        try:
            write_junit(junit, work)
            if beside is not None:
                compare.add_to_junit(junit, beside, found)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConsoleError(f"{junit} cannot be written: {reason}.") from error
    for one in found:
        click.echo(compare.to_json(one) if as_json else "\n".join(compare.lines(one)))
    if not as_json:
        good = verdicts <= {Verdict.PASSED} and not apart
        click.secho(summary(work), fg="green" if good else "red", bold=True)
    if apart or verdicts & {Verdict.FAILED, Verdict.FLAKY}:
        return Exit.NOT_MET
    return Exit.ENVIRONMENT if Verdict.MISSING in verdicts else Exit.MET


@contextlib.contextmanager
def _listener(work: list[Job], *, as_json: bool) -> Iterator[Listener]:
    from console.ci.reports import Annotations, Json, Lines

    inner: Listener = Json() if as_json else Annotations(Lines(work))
    if as_json or not sys.stdout.isatty():
        yield inner
        return
    from console.ci.live_table import LiveTable

    with LiveTable(work, inner) as table:
        yield table


def _keep(job: Job, artifacts: Path, facts: dict[str, object]) -> Path:
    """Write what was recorded, with a picture of the console at the failing instant."""
    from console.ci.replay import Replay
    from console.ci.scenario import slug
    from console.commands.shared.run_async import run_async

    told = job.failed_attempt or job.attempt
    folder = artifacts / slug(job.scenario.name) / slug(job.title)
    try:
        told.recording.write(folder, facts, job.case.module)
        if told.recording.events:
            (folder / "console.svg").write_text(run_async(Replay(folder).picture()), encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConsoleError(f"{folder} cannot be written: {reason}.") from error
    return folder
