"""Where one master ends: the simulated storm, and that what it goes by is measured."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.bench.storm import simulate
from console.cli import invoke


def test_one_agent_waits_for_its_turn_alone() -> None:
    storm = simulate(1, cost=0.5, factor=1e-9)
    assert storm.seconds == pytest.approx(0.5)


@given(
    agents=st.integers(1, 300), cost=st.floats(1e-4, 0.1), factor=st.floats(0.01, 10), seed=st.integers(0, 9)
)
def test_a_master_handles_each_at_least_once(agents: int, cost: float, factor: float, seed: int) -> None:
    storm = simulate(agents, cost, factor, seed)
    assert storm.attempts >= 1
    assert storm.seconds >= agents * cost * 0.999
    assert storm == simulate(agents, cost, factor, seed)


def test_who_comes_slower_than_the_master_works_comes_once() -> None:
    patient, hasty = simulate(1000, 0.001, 100.0), simulate(1000, 0.01, 0.1)
    assert patient.attempts == 1.0
    assert patient.seconds <= 100.1
    assert hasty.attempts > 2


@pytest.mark.end_to_end
def test_the_small_scale_measures_what_it_simulates(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["bench", "scale", "--small", "--json"]) == 0
    figures = {
        found["metric"]: found["value"] for found in map(json.loads, capsys.readouterr().out.splitlines())
    }
    for name in ("master.register", "master.rest", "master.task", "gateway.rest", "gateway.task", "ends"):
        assert figures[name] > 0
    assert figures["n10000.storm"] >= 10_000 * figures["master.register"] / 1000
