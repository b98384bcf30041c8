"""The whole way on Renode, where it is installed: one page as on QEMU, and the debugger."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emulation.renode import parse_version

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        shutil.which(os.environ.get("RENODE") or "renode") is None,
        reason="Renode is not installed: put the portable release (renode.io) on the PATH or in RENODE",
    ),
]

PAGE = """
[scenario]
name = "both emulators"
seed = 1

[[case]]
name = "alarm over a bad line"
module = "filter"
args = "30000 0 30 20"
gpio = 0
sensors = "temp0"
beside = "spin"
step = [
    { at = 0, link = { drop = 0.001, flip = 0.001 } },
    { at = 0.1, sensor = "temp0", value = 41.5 },
    { at = 0.1, expect_log = "alarm on at", within = 2 },
]
expect.result = "41500"
expect.log = "alarm on at"

[[case]]
name = "the power goes"
module = "spin"
step = [{ at = 0.1, power_cut = 0.2 }]
expect.state = "TASK_GONE"
expect.reason = "AGENT_RESTARTED"

[[case]]
name = "brown-out"
module = "spin"
step = [{ at = 0.1, reset = true }]
expect.state = "TASK_GONE"
expect.reason = "AGENT_RESTARTED"
"""


def mma(*words: str, cwd: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "console.cli", *words, "--json"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("board", ["stm32f4", "hifive1"])
def test_one_page_has_one_outcome_on_both_emulators(board: str, tmp_path: Path) -> None:
    (tmp_path / "page.toml").write_text(PAGE)
    targets = ("-t", f"{board}@qemu", "-t", f"{board}@renode")
    found = mma("ci", "page.toml", "-j", "1", *targets, cwd=tmp_path)
    outcomes: dict[str, set[str]] = {}
    for one in found:
        assert one["verdict"] == "passed", one
        outcomes.setdefault(one["case"], set()).add(one["digest"])
    assert len(outcomes) == 3
    assert all(len(digests) == 1 for digests in outcomes.values())


def test_step_through_an_executor(tmp_path: Path) -> None:
    words = ("--run", "fib", "--args", "5", "--break", "fib", "--step", "1")
    first, second, end = mma("debug", "stm32f4@renode", *words, cwd=tmp_path)
    assert first["at"]["function"] == second["at"]["function"] == "fib"
    assert first["locals"]["n"]["value"] == "5"
    assert (end["cause"], end["output"]) == ("exited", "5")


def test_backwards_from_a_breakpoint_and_on_to_the_end(tmp_path: Path) -> None:
    """What was stopped at is come back to, and the executor ends as if nothing had been."""
    command = ("--run", "fib", "--args", "5", "--break", "fib", "--step", "2", "--back", "2")
    said = subprocess.run([os.environ.get("RENODE", "renode"), "--version"], capture_output=True, text=True)
    if parse_version(said.stdout) < (1, 16, 1):
        words = [sys.executable, "-m", "console.cli", "debug", "stm32f4@renode", *command, "--json"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=580, check=False)
        assert done.returncode == 1
        assert "cannot run backwards. Renode runs backwards from 1.16.1 on" in done.stderr
        return
    *stops, end = mma("debug", "stm32f4@renode", *command, cwd=tmp_path)
    called, first, again, _, back = stops
    assert called["locals"]["n"]["value"] == back["locals"]["n"]["value"] == "5"
    assert again["locals"]["n"]["value"] == "4"  # it had called itself
    assert back["at"] == first["at"]
    assert (end["cause"], end["output"]) == ("exited", "5")


def test_an_executor_runs_the_same_instructions_on_both_emulators(tmp_path: Path) -> None:
    def of_fib(target: str) -> int:
        found = mma("profile", "fib", "--args", "15", "-t", target, cwd=tmp_path)
        return next(int(one["instructions"]) for one in found if one.get("function") == "fib")

    assert of_fib("stm32f4@renode") == of_fib("stm32f4@qemu")
