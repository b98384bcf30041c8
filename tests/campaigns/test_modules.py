"""The short form of modules.py; the long one is `make campaigns`."""

from __future__ import annotations

import shutil

import pytest
from modules import play


@pytest.mark.end_to_end
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is missing: see mma doctor")
@pytest.mark.timeout(900)
async def test_no_mutated_module_harms_gateway_board_or_neighbour() -> None:
    outcome = await play(count=200, board="stm32f4", seed=2)
    assert not outcome.complaints, outcome.report()
    assert outcome.refused > 20, outcome.report()
    assert outcome.ends["exit"] > 10, outcome.report()
    assert any(end.startswith("trap") for end in outcome.ends), outcome.report()
