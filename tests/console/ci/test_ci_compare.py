"""Where two runs of one case first came apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from console.ci.compare import compare, comparisons, lines, twins
from console.ci.player import Attempt
from console.ci.run import Job, jobs_of
from console.ci.scenario import load
from console.fleet.opening import parse_name

PORT = parse_name("stm32f4@/dev/ttyACM0")
OUTCOME: dict[str, Any] = {
    "states": ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"],
    "reason": "",
    "result": "7",
    "log": ["one", "two"],
    "pins": {"0": True},
    "usage": {"stack_peak": 200, "memory_peak": 16},
}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    path = tmp_path / "page.toml"
    path.write_text('[[case]]\nname = "plain"\nmodule = "fib"\ntargets = ["stm32f4@qemu"]\n')
    return jobs_of([load(path)])[0]


def ran(job: Job, **changes: Any) -> Job:
    failures = changes.pop("failures", [])
    return Job(job.scenario, job.case, job.target, [Attempt(failures=failures, outcome=OUTCOME | changes)])


def test_what_is_alike_agrees(job: Job) -> None:
    found = compare(ran(job), ran(job))
    assert found.same
    assert found.place == 10
    assert "agree in all 10 observations" in found.sentence()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"log": ["one", "2"]}, "at line 2 of its log: stm32f4@qemu has 'two', stm32f4@qemu has '2'"),
        ({"log": ["one", "two", "three"]}, "at observation 5: stm32f4@qemu has state 3 TASK_FINISHED"),
        ({"states": ["TASK_STARTING", "TASK_FAILED"]}, "at state 2: stm32f4@qemu has TASK_RUNNING"),
        ({"result": "8"}, "at its result: stm32f4@qemu has '7'"),
        ({"pins": {"0": False}}, "at pin 0 at the end: stm32f4@qemu has True"),
        ({"usage": {"stack_peak": 208, "memory_peak": 16}}, "its stack_peak: stm32f4@qemu has 200"),
        ({"failures": ["Too late."]}, "at a failure: stm32f4@qemu has nothing, stm32f4@qemu has Too late."),
    ],
)
def test_the_first_difference_is_told(job: Job, changes: dict[str, Any], told: str) -> None:
    found = compare(ran(job), ran(job, **changes))
    assert not found.same
    assert told in found.sentence()
    assert len(lines(found)) > 1


def test_peaks_count_only_between_boards_of_one_kind(job: Job) -> None:
    other = ran(job, usage={"stack_peak": 1, "memory_peak": 1})
    other.target = parse_name("hifive1@qemu")
    assert compare(ran(job), other).same


def test_each_case_gets_one_twin(job: Job) -> None:
    second = Job(job.scenario, job.case, parse_name("hifive1@qemu"))
    (twin,) = twins([job, second], PORT)
    assert twin.target == PORT
    assert twins([job, Job(job.scenario, job.case, PORT)], PORT) == []
    for one in (job, second, twin):
        one.attempts.append(Attempt(outcome=OUTCOME))
    assert [(one.one, one.other) for one in comparisons([job, second, twin], PORT)] == [
        (job, twin),
        (second, twin),
    ]


def test_what_could_not_run_is_no_difference(job: Job) -> None:
    absent = Job(job.scenario, job.case, PORT, [Attempt(missing="There is no port.")])
    found = compare(ran(job), absent)
    assert not found.same
    assert found.sentence().endswith("cannot be compared: There is no port.")
