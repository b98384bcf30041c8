"""The short form of power.py; the long one is `make campaigns`."""

from __future__ import annotations

import pytest
from power import play


@pytest.mark.end_to_end
@pytest.mark.timeout(300)
def test_the_next_boot_is_sane_wherever_the_power_went() -> None:
    outcome = play(cuts=20, seed=1)
    assert not outcome.complaints, outcome.report()
    assert sum(outcome.cuts.values()) == 20
    assert outcome.causes["crash"] + outcome.causes["power"] > 0
