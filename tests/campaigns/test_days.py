"""The short form of days.py; the long one is `make campaigns`."""

from __future__ import annotations

import pytest
from days import play


@pytest.mark.end_to_end
@pytest.mark.parametrize("board", ["stm32f4", "hifive1", "microbit"])
def test_clocks_that_go_round_are_noticed_by_nobody(board: str) -> None:
    outcome = play(days=0.1, board=board, minutes=1.5)
    assert not outcome.complaints
    assert outcome.microseconds > 1 << 32
