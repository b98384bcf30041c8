"""`mma bench emulate` on real boards."""

from __future__ import annotations

import json
import shutil

import pytest

from console.cli import invoke


@pytest.mark.end_to_end
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is missing: see mma doctor")
def test_what_an_emulated_board_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["bench", "emulate", "--json", "--small"]) == 0
    found = {line["metric"]: line["value"] for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert 1 < found["mips.ours"] < 10_000
    assert 1 < found["mips.bare"] < 10_000
    assert 0.1 < found["ours"] < 10
    assert 0 < found["stm32f4.boot.link"] < found["stm32f4.boot.registered"]
    assert 1 < found["stm32f4.idle.memory"] < 500
    assert found["stm32f4.boards"] >= 1
