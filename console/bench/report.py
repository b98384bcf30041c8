"""What a benchmark tells while it runs: steps, figures, notes."""

from __future__ import annotations

from typing import Protocol

from console.bench.figure import Better, Figure
from console.errors import ConsoleError


class BenchError(ConsoleError):
    """A measurement went wrong: what was to be measured did not do what it must."""


class Listener(Protocol):
    """Hears of it, in order."""

    def step(self, bench: str, text: str) -> None:
        """Something that may take more than a second begins."""

    def figure(self, figure: Figure) -> None:
        """A number is there."""

    def note(self, bench: str, text: str) -> None:
        """What must be known to read the figures, such as a peer that could not be had."""


class Report:
    """Handed to a benchmark. `small` asks for the least that shows it works: seconds, not minutes."""

    def __init__(self, bench: str, listener: Listener, *, small: bool = False) -> None:
        self.bench = bench
        self.small = small
        self._listener = listener
        self._seen: set[str] = set()

    def step(self, text: str) -> None:
        """Say what takes time; shown on a terminal until the next one."""
        self._listener.step(self.bench, text)

    def note(self, text: str) -> None:
        """Say what the figures don't: one sentence."""
        self._listener.note(self.bench, text)

    def figure(
        self,
        metric: str,
        value: float,
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        better: Better | None = None,
        steady: bool = False,
    ) -> Figure:
        """Tell a number. A goal is `at_most` or `at_least`; without one, lower is better unless `better` says
        otherwise. `steady`: bytes and counted instructions, not times."""
        if metric in self._seen:
            raise ValueError(f"{self.bench} tells {metric} twice")
        self._seen.add(metric)
        goal = at_most if at_least is None else at_least
        better = better or ("lower" if at_least is None else "higher")
        figure = Figure(self.bench, metric, value, unit, goal, better, steady)
        self._listener.figure(figure)
        return figure
