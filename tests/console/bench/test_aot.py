"""`mma bench aot` on an emulated stm32f4: our goals, and that the results are right."""

from __future__ import annotations

import json
import shutil

import pytest

from console.cli import invoke
from hal.aot import bench


@pytest.mark.end_to_end
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is missing: see mma doctor")
def test_aot(capsys: pytest.CaptureFixture[str]) -> None:
    invoke(["bench", "aot", "--small", "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {line["metric"]: line["value"] for line in lines}
    assert {f"{name}.ratio" for name in (*bench.KERNELS, *bench.MORE)} <= found.keys()
    assert all(1000 < found[f"{name}.native"] < 1_000_000 for name in bench.KERNELS)
    assert found["mean.ratio"] <= bench.GOAL_MEAN
    assert max(found[f"{name}.ratio"] for name in bench.KERNELS) <= MOST
    assert 2000 < found["stm32f4.code"] < 20_000


MOST = 1.6
"""Of native; worse than any kernel is."""
