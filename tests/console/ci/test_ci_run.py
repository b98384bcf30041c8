"""Verdicts over attempts, and how they are told."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from console.ci.player import Attempt
from console.ci.reports import Annotations, Lines, facts_of, summary, write_junit
from console.ci.run import Job, Verdict, jobs_of
from console.ci.scenario import Scenario, load

PAGE = """
[[case]]
name = "plain"
module = "fib"
targets = ["stm32f4", "host"]
[[case]]
name = "known"
module = "trap"
quarantine = "#7"
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    path = tmp_path / "page.toml"
    path.write_text(PAGE)
    return load(path)


def job(scenario: Scenario, case: int, *attempts: Attempt) -> Job:
    one = scenario.cases[case]
    return Job(scenario, one, one.targets[0], list(attempts))


GOOD = Attempt(outcome={"result": "1"})
BAD = Attempt(failures=["Its result is '2', not '1'."], outcome={"result": "2"})
ABSENT = Attempt(missing="Renode is not installed.")


def test_verdicts(scenario: Scenario) -> None:
    assert job(scenario, 0, GOOD).verdict is Verdict.PASSED
    assert job(scenario, 0, BAD, BAD).verdict is Verdict.FAILED
    assert job(scenario, 0, BAD, GOOD).verdict is Verdict.FLAKY
    assert job(scenario, 1, BAD).verdict is Verdict.QUARANTINED
    assert job(scenario, 0, ABSENT).verdict is Verdict.MISSING


def test_a_flake_is_told_by_its_failure(scenario: Scenario) -> None:
    facts = facts_of(job(scenario, 0, BAD, GOOD))
    assert facts["verdict"] == "flaky"
    assert facts["failures"] == BAD.failures
    assert facts["digest"] == BAD.digest != GOOD.digest


def test_jobs_are_cases_times_targets(scenario: Scenario) -> None:
    assert [job.title for job in jobs_of([scenario])] == [
        "plain [stm32f4@qemu]",
        "plain [host]",
        "known [stm32f4@qemu]",
    ]
    assert [job.title for job in jobs_of([scenario], "host")] == ["plain [host]"]


def test_junit_counts_flakes_as_failures(scenario: Scenario, tmp_path: Path) -> None:
    jobs = [
        job(scenario, 0, GOOD),
        job(scenario, 0, BAD, GOOD),
        job(scenario, 1, BAD),
        job(scenario, 0, ABSENT),
    ]
    write_junit(tmp_path / "out.xml", jobs)
    suite = ElementTree.parse(tmp_path / "out.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "2")
    assert [child.tag for child in suite[1]] == ["failure", "flakyFailure", "system-out"]
    assert "quarantined (#7)" in str(suite[2][0].get("message"))
    assert summary(jobs) == "1 passed, 1 flaky, 1 quarantined, 1 missing"


def test_github_gets_an_annotation_at_the_cases_line(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    failed = job(scenario, 0, BAD)
    Annotations(Lines([failed])).ended(failed)
    said = capsys.readouterr().out
    assert "FAIL" in said
    assert f"::error file={scenario.path},line=2,title=plain [stm32f4@qemu] failed::Its result is" in said
