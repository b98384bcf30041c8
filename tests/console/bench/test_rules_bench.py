"""`mma bench rules` on a real emulated board."""

from __future__ import annotations

import shutil

import pytest

from console.bench.suite.rules import GOAL_BESIDE, measure
from hal.boards import load_board
from hal.firmware import build


@pytest.mark.end_to_end
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is missing: see mma doctor")
async def test_an_edge_takes_the_same_instructions_every_time() -> None:
    counts = await measure(build(load_board("stm32f4")), 1, 6)
    assert all(count > 500 for count in counts)
    assert sorted(counts)[2] <= GOAL_BESIDE
    assert len(set(counts)) < len(counts)
