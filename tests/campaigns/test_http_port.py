"""The short form of http_port.py, half in the clear and half by TLS; the long one is `make campaigns`."""

from __future__ import annotations

import pytest
from http_port import play


@pytest.mark.end_to_end
@pytest.mark.timeout(400)
async def test_nothing_that_comes_over_http_harms_the_gateway() -> None:
    outcome = await play(requests=1500, seed=3, tls=True)
    assert not outcome.complaints
    assert outcome.pings
    assert outcome.statuses["200"] > 10
