"""Plays scenarios: every case on every target, side by side; failures are tried again, never forgotten."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from console.ci.player import Attempt, play
from console.ci.scenario import Case, Scenario
from console.fleet.opening import TargetName


class Verdict(Enum):
    """What became of a case on a target. Only FAILED, FLAKY and MISSING fail a run."""

    PASSED = "passed"
    FAILED = "failed"
    FLAKY = "flaky"  # failed at first, and passed when it was tried again
    QUARANTINED = "quarantined"  # failed, as its page lets it
    MISSING = "missing"  # this machine cannot run that target


@dataclass(slots=True)
class Job:
    """One case on one target, and every attempt at it."""

    scenario: Scenario
    case: Case
    target: TargetName
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def title(self) -> str:
        """For people and reports."""
        return f"{self.case.name} [{self.target.text}]"

    @property
    def attempt(self) -> Attempt:
        """The last one."""
        return self.attempts[-1]

    @property
    def failed_attempt(self) -> Attempt | None:
        """The first one that was not as expected."""
        return next((one for one in self.attempts if not one.met), None)

    @property
    def seconds(self) -> float:
        """All attempts together."""
        return sum(one.seconds for one in self.attempts)

    @property
    def verdict(self) -> Verdict:
        """Of all attempts together."""
        failed = self.failed_attempt
        if failed is None:
            return Verdict.PASSED
        if failed.missing:
            return Verdict.MISSING
        if self.case.quarantine:
            return Verdict.QUARANTINED
        return Verdict.FLAKY if self.attempt.met else Verdict.FAILED


def jobs_of(scenarios: Sequence[Scenario], words: str = "") -> list[Job]:
    """Every case on every target whose title holds `words`, in the pages' order."""
    jobs = [
        Job(scenario, case, target)
        for scenario in scenarios
        for case in scenario.cases
        for target in case.targets
    ]
    return [job for job in jobs if words in f"{job.scenario.name}: {job.title}"]


class Listener:
    """Hears of jobs; each method may be left out."""

    def began(self, job: Job) -> None:
        """An attempt begins."""

    def ended(self, job: Job) -> None:
        """The last attempt is over."""


async def run_jobs(
    jobs: Sequence[Job], listener: Listener, *, side_by_side: int, retries: int | None, vcd: bool = False
) -> None:
    """Run all of them. `retries` takes the place of the pages'; `vcd` records the pins. What fails is
    told in the jobs."""
    free = asyncio.Semaphore(side_by_side)
    ports: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # a real board runs one case at a time

    async def one(job: Job) -> None:
        port = ports[job.target.port] if job.target.port else asyncio.Lock()
        async with port, free:
            for _ in range(1 + (job.scenario.retries if retries is None else retries)):
                listener.began(job)
                job.attempts.append(await play(job.case, job.target, job.scenario, vcd=vcd))
                if job.attempt.met or job.attempt.missing:
                    break
            listener.ended(job)

    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(one(job), name=job.title)
