"""Runs benchmarks one after the other and keeps what they told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from console.bench.figure import Figure
from console.bench.registry import Benchmark
from console.bench.report import Listener, Report
from console.errors import Exit, exit_code, first_error


@dataclass(slots=True)
class Outcome:
    """What became of one benchmark."""

    benchmark: Benchmark
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failure: str = ""
    """Why it could not be run to its end; empty if it was."""
    code: Exit = Exit.MET


class _Keeper:
    """Keeps for the outcome what it passes on."""

    def __init__(self, outcome: Outcome, listener: Listener) -> None:
        self._outcome = outcome
        self._listener = listener

    def step(self, bench: str, text: str) -> None:
        self._listener.step(bench, text)

    def figure(self, figure: Figure) -> None:
        self._outcome.figures.append(figure)
        self._listener.figure(figure)

    def note(self, bench: str, text: str) -> None:
        self._outcome.notes.append(text)
        self._listener.note(bench, text)


async def run_all(benchmarks: Sequence[Benchmark], listener: Listener, *, small: bool) -> list[Outcome]:
    """Run them. One that fails does not keep the others from running; a bug is raised."""
    outcomes = []
    for benchmark in benchmarks:
        outcome = Outcome(benchmark)
        outcomes.append(outcome)
        report = Report(benchmark.name, _Keeper(outcome, listener), small=small)
        try:
            await benchmark.run(report)
        except Exception as raised:
            error = first_error(raised)
            code = exit_code(error)
            if code is None:
                raise
            outcome.failure, outcome.code = str(error), code
            listener.note(benchmark.name, f"failed: {error}")
            continue
        # In small mode a time says that it works, not how fast it is.
        if not all(figure.met for figure in outcome.figures if figure.steady or not small):
            outcome.code = Exit.NOT_MET
    return outcomes


def verdict(outcomes: Sequence[Outcome]) -> Exit:
    """The exit code of a run: a missed goal weighs more than what could not run here."""
    codes = {outcome.code for outcome in outcomes}
    for code in (Exit.NOT_MET, Exit.USAGE, Exit.ENVIRONMENT):
        if code in codes:
            return code
    return Exit.MET
