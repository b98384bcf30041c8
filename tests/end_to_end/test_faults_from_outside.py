"""Faults on a board under a genuine master: from the command line, and from a scenario."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(450)]  # longer than its own limits, which tell more

PAGE = """
[scenario]
name = "faults"
targets = ["stm32f4@qemu"]
seed = 1

[[case]]
name = "the clock drifts"
module = "spin"
step = [{ at = 0, drift = 0.3 }, { at = 0.5, drift = 0 }, { at = 0.6, kill = true }]
expect.state = "TASK_KILLED"

[[case]]
name = "the flash wears"
module = "spin"
timeout = 20
step = [{ at = 0.2, wear = 1 }]
expect.state = "TASK_GONE"
"""


def mma(*words: str, cwd: Path) -> tuple[int, list[dict[str, Any]]]:
    command = [sys.executable, "-m", "console.cli", *words, "--json"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=200, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_run_with_a_power_cut(tmp_path: Path) -> None:
    fault = ("--fault", "at 0.2 power_cut 0.1", "--expect", "TASK_GONE")
    status, said = mma("run", "spin", "-t", "stm32f4@qemu", *fault, cwd=tmp_path)
    assert status == 0, said
    assert any("fault at 0.2 s: CutPower 0.1" in str(one) for one in said)


def test_what_cannot_be_done_is_told(tmp_path: Path) -> None:
    status, said = mma("run", "spin", "-t", "host", "--timeout", "2", "--fault", "reset", cwd=tmp_path)
    assert status == 1
    assert said[-1]["message"] == "This target is not emulated: that cannot be done to it."


def test_the_same_wear_and_drift_have_the_same_outcome(tmp_path: Path) -> None:
    (tmp_path / "page.toml").write_text(PAGE)
    runs = [mma("ci", "page.toml", cwd=tmp_path) for _ in range(2)]
    first, second = ({one["case"]: (one["verdict"], one["digest"]) for one in said} for _, said in runs)
    assert first["the clock drifts"][0] == "passed", runs
    # Which bit wears is a matter of the kernel's image: it may be one without which no kernel answers again.
    assert len(first) == 2
    assert first == second, runs
