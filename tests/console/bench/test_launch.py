"""`mma bench launch`: every launch is split into its stages."""

from __future__ import annotations

import json
import shutil

import pytest

from console.cli import invoke


@pytest.mark.end_to_end
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is missing: see mma doctor")
def test_launch(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["bench", "launch", "--small", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {line["metric"]: line["value"] for line in lines}
    for target, stages in (("host", {"compile"}), ("stm32f4", {"compile", "link", "upload"})):
        for kind in ("cold", "warm"):
            name = f"{target}.{kind}"
            parts = {stage: found[f"{name}.{stage}"] for stage in stages | {"message", "start"}}
            assert all(0 <= seconds < 30 for seconds in parts.values())
            assert 0 < found[f"{name}.running"] <= found[f"{name}.result"] < 60
    assert found["stm32f4.warm.compile"] < found["stm32f4.cold.compile"]
