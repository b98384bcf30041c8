"""The short form of gateway.py; the long one is `make campaigns`."""

from __future__ import annotations

import pytest
from gateway import play


@pytest.mark.end_to_end
@pytest.mark.timeout(400)
async def test_a_gateway_killed_at_any_instant_loses_and_doubles_nothing() -> None:
    outcome = await play(kills=8, seed=7)
    assert not outcome.complaints
    assert outcome.tasks >= 4


@pytest.mark.end_to_end
@pytest.mark.timeout(400)
async def test_nor_does_it_where_leaders_die_and_disks_are_full_and_clocks_jump_in_between() -> None:
    outcome = await play(kills=4, seed=3, troubles=True)
    assert not outcome.complaints
    assert outcome.leaders == 1
    assert outcome.jumps == 1
