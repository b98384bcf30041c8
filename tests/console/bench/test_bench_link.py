"""`mma bench link`: an upload uses the line as it must, in virtual time."""

from __future__ import annotations

import json
import shutil

import pytest

from console.cli import invoke


@pytest.mark.end_to_end
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is missing: see mma doctor")
def test_goodput(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["bench", "link", "--small", "--json"]) == 0
    found = {line["metric"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    goodput = found["921600.upload.goodput"]
    assert (goodput["goal"], goodput["met"]) == (85.0, True)
    assert 85 < goodput["value"] < 100
    assert 20 < found["921600.damaged.goodput"]["value"] < goodput["value"]
    assert 2 < found["921600.round_trip"]["value"] < 10
