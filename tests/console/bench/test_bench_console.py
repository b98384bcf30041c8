"""The console's benchmark runs: the real application on a pseudo terminal."""

from __future__ import annotations

import json

import pytest

from console.cli import invoke


@pytest.mark.end_to_end
def test_the_small_console_paints_answers_and_logs(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["bench", "console", "--small", "--json"]) == 0
    found = {one["metric"]: one["value"] for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert 0 < found["n10.key.p50"] <= found["n10.key.p99"]
    assert found["n10.paint"] > 0
    assert found["n10.logs"] > 100
