"""One case on two targets, such as an emulator and a board: where they first came apart.

Time is left aside, virtual or not: what counts is what happened and in which order. Of two boards of one kind
the peaks of stack and memory count too; they run the same code.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from console.ci.run import Job
from console.cluster.mesos import TaskState
from console.commands.shared.output import xml_text
from console.fleet.opening import TargetName

_NOTHING = "nothing"
_SHOWN = 3
"""Observations that are told before the first that differs."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation: `what` as in "line 2 of its log"."""

    what: str
    value: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two jobs of one case. `place` counts observations that agree, from the first on."""

    one: Job
    other: Job
    place: int
    mine: Seen | None
    theirs: Seen | None
    before: tuple[Seen, ...]
    missing: str = ""
    """What this machine lacks for one of them."""

    @property
    def same(self) -> bool:
        """They never came apart."""
        return not self.missing and self.mine is None and self.theirs is None

    def sentence(self) -> str:
        """For a person."""
        names = f"{self.one.target.text} and {self.other.target.text}"
        if self.missing:
            return f"{self.one.case.name}: {names} cannot be compared: {self.missing}"
        if self.same:
            return f"{self.one.case.name}: {names} agree in all {self.place} observations"
        what = (self.mine or self.theirs or Seen("", "")).what
        mine = self.mine.value if self.mine else _NOTHING
        theirs = self.theirs.value if self.theirs else _NOTHING
        if self.mine and self.theirs and self.mine.what != self.theirs.what:
            mine, theirs = f"{self.mine.what} {mine}", f"{self.theirs.what} {theirs}"
            what = f"observation {self.place + 1}"
        return (
            f"{self.one.case.name}: {names} come apart at {what}: "
            f"{self.one.target.text} has {mine}, {self.other.target.text} has {theirs}"
        )

    def as_json(self) -> dict[str, Any]:
        """One line of --json."""
        return {
            "event": "compared",
            "scenario": self.one.scenario.name,
            "case": self.one.case.name,
            "one": self.one.target.text,
            "other": self.other.target.text,
            "same": self.same,
            "agreed": self.place,
            "what": (self.mine or self.theirs).what if self.mine or self.theirs else None,  # type: ignore[union-attr]
            "values": [seen.value if seen else None for seen in (self.mine, self.theirs)],
            "missing": self.missing or None,
        }


def twins(jobs: Sequence[Job], against: TargetName) -> list[Job]:
    """The cases of `jobs` on that target, one each, but where they run on it anyway."""
    found: dict[int, Job] = {}
    there = {id(job.case) for job in jobs if job.target == against}
    for job in jobs:
        if id(job.case) not in there:
            found.setdefault(id(job.case), Job(job.scenario, job.case, against))
    return list(found.values())


def comparisons(jobs: Sequence[Job], against: TargetName) -> list[Comparison]:
    """Each job that was run beside the one of its case on `against`."""
    others = {id(job.case): job for job in jobs if job.target == against}
    return [compare(job, others[id(job.case)]) for job in jobs if job.target != against]


def compare(one: Job, other: Job) -> Comparison:
    """Where two jobs of one case first came apart."""
    missing = one.attempt.missing or other.attempt.missing
    if missing:
        return Comparison(one, other, 0, None, None, (), missing)
    alike = one.target.board is not None and one.target.board == other.target.board
    mine, theirs = seen(one, peaks=alike), seen(other, peaks=alike)
    place = 0
    while place < min(len(mine), len(theirs)) and mine[place] == theirs[place]:
        place += 1
    return Comparison(
        one,
        other,
        place,
        mine[place] if place < len(mine) else None,
        theirs[place] if place < len(theirs) else None,
        tuple(mine[max(0, place - _SHOWN) : place]),
    )


def seen(job: Job, *, peaks: bool) -> list[Seen]:
    """What was observed of a job's last attempt, in order: on the way to running, its log, its end."""
    outcome = job.attempt.outcome
    states: list[str] = outcome.get("states", [])
    begun = states.index(TaskState.RUNNING.value) + 1 if TaskState.RUNNING.value in states else len(states)
    found = [Seen(f"state {number + 1}", state) for number, state in enumerate(states[:begun])]
    found += [
        Seen(f"line {number + 1} of its log", repr(line))
        for number, line in enumerate(outcome.get("log", []))
    ]
    found += [Seen(f"state {begun + number + 1}", state) for number, state in enumerate(states[begun:])]
    found += [Seen(f"its {what}", repr(outcome[what])) for what in ("reason", "result") if what in outcome]
    found += [Seen(f"pin {pin} at the end", str(level)) for pin, level in outcome.get("pins", {}).items()]
    if peaks:
        found += [Seen(f"its {name}", str(value)) for name, value in outcome.get("usage", {}).items()]
    return found + [Seen("a failure", text) for text in job.attempt.failures]


def lines(found: Comparison) -> list[str]:
    """For a terminal: the sentence, and what both did before they came apart."""
    told = [found.sentence()]
    if not found.same and not found.missing:
        told += [f"    before that both had {one.what} {one.value}" for one in found.before]
    return told


def add_to_junit(path: Path, against: TargetName, found: Sequence[Comparison]) -> None:
    """A suite more in a report that was written. OSError when it can't be."""
    tree = ElementTree.parse(path)
    apart = [one for one in found if not one.same and not one.missing]
    suite = ElementTree.SubElement(
        tree.getroot(),
        "testsuite",
        name=f"against {against.text}",
        tests=str(len(found)),
        failures=str(len(apart)),
        skipped=str(sum(bool(one.missing) for one in found)),
        errors="0",
    )
    for one in found:
        case = ElementTree.SubElement(suite, "testcase", name=one.one.title, classname=one.one.scenario.name)
        if one.missing:
            ElementTree.SubElement(case, "skipped", message=xml_text(one.missing))
        elif not one.same:
            ElementTree.SubElement(case, "failure", message=xml_text("\n".join(lines(one))), type="apart")
    ElementTree.indent(tree)
    tree.write(path, encoding="utf-8", xml_declaration=True)


def to_json(found: Comparison) -> str:
    """As a line."""
    return json.dumps(found.as_json())
