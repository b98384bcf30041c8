"""The short form of soak.py; the long one is `make campaigns`."""

from __future__ import annotations

import pytest
from soak import play


@pytest.mark.end_to_end
@pytest.mark.timeout(300)
async def test_a_gateway_under_load_stays_as_small_as_it_was_and_counts_truly() -> None:
    outcome = await play(minutes=0.4, seed=5)
    assert not outcome.complaints
    assert outcome.tasks >= 10
