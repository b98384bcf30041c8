"""One measured number, with its goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that a benchmark found. `metric` is dotted words, from the object to what is told of it:
    `fib.ratio`, `stm32f4.flash`."""

    bench: str
    metric: str
    value: float
    unit: str
    goal: float | None = None
    better: Better = "lower"
    """Which way is progress; the goal bounds the value from the other side."""
    steady: bool = False
    """The same program gives the same value on every machine: bytes, counted instructions. Others are times,
    and noisy."""

    @property
    def met(self) -> bool:
        """The goal is reached, or there is none."""
        if self.goal is None:
            return True
        return self.value <= self.goal if self.better == "lower" else self.value >= self.goal

    @property
    def headroom(self) -> float | None:
        """How far the goal is outdone, in parts of it; negative if it is missed."""
        if not self.goal:
            return None
        return (self.goal - self.value) / self.goal * (1 if self.better == "lower" else -1)

    def as_json(self) -> dict[str, Any]:
        """The line of `mma bench --json`."""
        return {
            "bench": self.bench,
            "metric": self.metric,
            "value": rounded(self.value),
            "unit": self.unit,
            "goal": self.goal,
            "met": self.met,
            "better": self.better,
            "steady": self.steady,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Figure:
        """The reverse. KeyError, TypeError or ValueError if it is no such line."""
        goal = found.get("goal")
        return cls(
            str(found["bench"]),
            str(found["metric"]),
            float(found["value"]),
            str(found["unit"]),
            None if goal is None else float(goal),
            "higher" if found.get("better") == "higher" else "lower",
            bool(found.get("steady", False)),
        )


def rounded(value: float) -> float:
    """Whole numbers stay, others keep five significant digits: more is noise."""
    if value == int(value):
        return int(value)
    return float(f"{value:.5g}")


def number(value: float) -> str:
    """For a person: `12,345`, `1.034`, `0.0012`."""
    if value == int(value) or abs(value) >= 10_000:
        return f"{round(value):,}"
    return f"{value:.1f}" if abs(value) >= 1000 else f"{value:.4g}"
