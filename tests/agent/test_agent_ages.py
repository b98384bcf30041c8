"""How old files are while the wall clock jumps."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import ages
from agent.ages import Ages

DAY = 86_400.0
FILE, OTHER = Path("file"), Path("other")


class Clocks:
    """Both clocks; only `wall` jumps."""

    def __init__(self) -> None:
        self.going, self.wall = 1000.0, 1_700_000_000.0

    def monotonic(self) -> float:
        return self.going

    def time(self) -> float:
        return self.wall

    def pass_(self, seconds: float) -> None:
        self.going += seconds
        self.wall += seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr(ages, "time", clocks)
    return clocks


def test_time_that_passes_makes_older(clocks: Clocks) -> None:
    looked = Ages()
    last = clocks.wall - 50
    assert looked.look({FILE: last}) == {FILE: 50}
    clocks.pass_(DAY)
    assert looked.look({FILE: last}) == {FILE: DAY + 50}
    assert looked.look({FILE: clocks.wall - 1}) == {FILE: 1}, "it was written to"


@pytest.mark.parametrize("jump", [DAY * 30, DAY * 365 * 56, -DAY * 30])
@pytest.mark.parametrize("seen", [False, True])
def test_a_jump_makes_nothing_older(clocks: Clocks, jump: float, seen: bool) -> None:
    looked = Ages()
    last = clocks.wall
    clocks.pass_(100)
    if seen:
        looked.look({FILE: last})
    clocks.wall += jump
    clocks.pass_(100)
    assert looked.look({FILE: last}) == {FILE: pytest.approx(200)}
    clocks.pass_(DAY)
    found = looked.look({FILE: last, OTHER: clocks.wall - 5})
    assert found == {FILE: pytest.approx(DAY + 200), OTHER: pytest.approx(5)}


def test_a_file_of_the_future_is_new(clocks: Clocks) -> None:
    looked = Ages()
    last = clocks.wall + DAY
    assert looked.look({FILE: last}) == {FILE: 0}
    clocks.pass_(10)
    assert looked.look({FILE: last}) == {FILE: 10}
