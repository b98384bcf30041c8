"""`mma demo`: the main job without a screen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from console.errors import Exit

if TYPE_CHECKING:
    from console.runs.demo import Act, Outcome, Played


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(as_json: bool) -> int:
    """Start a genuine Mesos master, two emulated boards and the host, and run tasks on them.

    Prints each step with its time; exit 0 only if every task ends as it must.
    """
    from console.commands.shared.output import JsonReporter, Reporter, TextReporter
    from console.commands.shared.run_async import run_async
    from console.runs.demo import Stage, play

    if not as_json:
        click.secho("Mesos Micro Agent: WASM tasks of a genuine Mesos master on emulated boards\n", bold=True)

    class Lines(Stage):
        """Prints acts as headings with a verdict each."""

        def begins(self, number: int, act: Act) -> None:
            what = " ".join((act.example, *act.arguments))
            if as_json:
                line = {
                    "event": "act",
                    "number": number,
                    "title": act.title,
                    "what": what,
                    "target": act.target,
                }
                click.echo(json.dumps(line))
            else:
                click.secho(f"\n{number}. {act.title}: {what} on {act.target}", bold=True)

        def ended(self, number: int, outcome: Outcome) -> None:
            _print_outcome(number, outcome, as_json)

    reporter: Reporter = JsonReporter() if as_json else TextReporter(err=False)
    played = run_async(play(reporter, Lines()))
    _print_end(played, as_json)
    return Exit.MET if played.met else Exit.NOT_MET


def _print_outcome(number: int, outcome: Outcome, as_json: bool) -> None:
    status = outcome.task.status if outcome.task else None
    result = status.data.decode("utf-8", "backslashreplace") if status else ""
    if as_json:
        line = {
            "event": "act ended",
            "number": number,
            "met": not outcome.failure,
            "state": status.state.value if status else None,
            "message": outcome.failure or (status.message if status else ""),
            "output": result,
            "seconds": round(outcome.seconds, 3),
        }
        click.echo(json.dumps(line))
    elif outcome.failure:
        click.secho(f"   not as expected: {outcome.failure}", fg="red")
    else:
        words = [f"as expected in {outcome.seconds:.2f} s", f"result {result}" if result else ""]
        click.secho(f"   {', '.join(filter(None, words))}", fg="green")


def _print_end(played: Played, as_json: bool) -> None:
    good = sum(not outcome.failure for outcome in played.outcomes)
    if as_json:
        line = {
            "event": "result",
            "met": played.met,
            "acts": len(played.outcomes),
            "as_expected": good,
            "first_offer_seconds": round(played.first_offer, 3),
            "seconds": round(played.seconds, 3),
        }
        click.echo(json.dumps(line))
        return
    words = f"{good} of {len(played.outcomes)} tasks ended as expected in {played.seconds:.1f} s"
    click.secho(
        f"\n{words}; first offer after {played.first_offer:.1f} s.", fg="green" if played.met else "red"
    )
