"""How a run is told: lines, JSON, a JUnit report, GitHub annotations. live_table.py is for terminals."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click

from console.ci.run import Job, Listener, Verdict
from console.commands.shared.output import xml_text

_MARKS = {
    Verdict.PASSED: ("PASS", "green"),
    Verdict.FAILED: ("FAIL", "red"),
    Verdict.FLAKY: ("FLAKY", "yellow"),
    Verdict.QUARANTINED: ("QUARANTINED", "yellow"),
    Verdict.MISSING: ("MISSING", "magenta"),
}


def facts_of(job: Job) -> dict[str, Any]:
    """A job as JSON."""
    told = job.failed_attempt or job.attempt
    return {
        "scenario": job.scenario.name,
        "case": job.case.name,
        "target": job.target.text,
        "verdict": job.verdict.value,
        "failures": told.failures or ([told.missing] if told.missing else []),
        "attempts": len(job.attempts),
        "seconds": round(job.seconds, 3),
        "seed": job.scenario.seed,
        "outcome": told.outcome,
        "digest": told.digest,
    }


class Lines(Listener):
    """A line a job as it ends, with why it failed."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._wide = max((len(job.title) for job in jobs), default=0)

    def ended(self, job: Job) -> None:
        word, colour = _MARKS[job.verdict]
        tries = f"  {len(job.attempts)} attempts" if len(job.attempts) > 1 else ""
        click.echo(
            f"{click.style(f'{word:<11}', fg=colour, bold=True)} {job.title:<{self._wide}}  "
            f"{job.seconds:6.2f} s  {job.attempt.digest}{tries}"
        )
        told = job.failed_attempt
        if told is not None:
            for text in told.failures or [told.missing]:
                click.echo(f"            {text}")
            if job.case.quarantine:
                click.echo(f"            quarantined: {job.case.quarantine}")


class Json(Listener):
    """An object a job."""

    def ended(self, job: Job) -> None:
        click.echo(json.dumps({"event": "case", **facts_of(job)}))


class Annotations(Listener):
    """GitHub's workflow commands, where GITHUB_ACTIONS is set: each at its case's line of the page."""

    def __init__(self, inner: Listener) -> None:
        self._inner = inner
        self._on = os.environ.get("GITHUB_ACTIONS") == "true"

    def began(self, job: Job) -> None:
        self._inner.began(job)

    def ended(self, job: Job) -> None:
        self._inner.ended(job)
        told = job.failed_attempt
        if not self._on or told is None:
            return
        kind = "error" if job.verdict is Verdict.FAILED else "warning"
        text = " ".join(told.failures or [told.missing])
        title = _escaped(f"{job.title} {job.verdict.value}").replace(":", "%3A").replace(",", "%2C")
        place = f"file={job.scenario.path},line={job.case.line}"
        click.echo(f"::{kind} {place},title={title}::{_escaped(text)}")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def summary(jobs: Sequence[Job]) -> str:
    """`3 passed, 1 failed`: every verdict that there was."""
    counts = Counter(job.verdict for job in jobs)
    return ", ".join(f"{counts[one]} {one.value}" for one in Verdict if counts[one]) or "nothing to run"


def write_junit(path: Path, jobs: Sequence[Job]) -> None:
    """A JUnit report: a suite a scenario. Flakes are flakyFailure elements and count as failures; what is
    quarantined or missing is skipped, with the reason. OSError when it can't be written."""
    root = ElementTree.Element("testsuites")
    for name in dict.fromkeys(job.scenario.name for job in jobs):
        mine = [job for job in jobs if job.scenario.name == name]
        counts = Counter(job.verdict for job in mine)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=name,
            tests=str(len(mine)),
            failures=str(counts[Verdict.FAILED] + counts[Verdict.FLAKY]),
            skipped=str(counts[Verdict.QUARANTINED] + counts[Verdict.MISSING]),
            errors="0",
            time=f"{sum(job.seconds for job in mine):.3f}",
        )
        for job in mine:
            _junit_case(suite, name, job)
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _junit_case(suite: ElementTree.Element, name: str, job: Job) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=job.title,
        classname=name,
        time=f"{job.seconds:.3f}",
        file=str(job.scenario.path),
        line=str(job.case.line),
    )
    told = job.failed_attempt
    if told is not None:
        text = " ".join(told.failures or [told.missing])
        if job.verdict in (Verdict.QUARANTINED, Verdict.MISSING):
            why = f"quarantined ({job.case.quarantine}): {text}" if job.case.quarantine else text
            ElementTree.SubElement(case, "skipped", message=xml_text(why))
        else:
            ElementTree.SubElement(case, "failure", message=xml_text(text), type=job.verdict.value)
            if job.verdict is Verdict.FLAKY:
                ElementTree.SubElement(case, "flakyFailure", message=xml_text(text), type="flaky")
    output = ElementTree.SubElement(case, "system-out")
    output.text = xml_text("\n".join((told or job.attempt).recording.log()))
