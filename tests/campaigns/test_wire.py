"""The short form of wire.py; the long one is `make campaigns`."""

from __future__ import annotations

import pytest
from wire import play


@pytest.mark.end_to_end
def test_no_frame_harms_either_end_of_the_link() -> None:
    outcome = play(frames=20_000, answers=3_000, seed=5)
    assert not outcome.complaints, outcome.report()
    assert outcome.gateway.startswith("3000 answers")
