"""Boards with wires between their pins, in both emulators where they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]
needs_renode = pytest.mark.skipif(
    shutil.which(os.environ.get("RENODE") or "renode") is None,
    reason="Renode is not installed: put the portable release (renode.io) on the PATH or name it in RENODE",
)

PAGE = """
[scenario]
name = "wires"

[[case]]
name = "a lamp next door follows"
module = "blink"
args = "0 3 100"
gpio = "0"
wires = ["0 -> lamp:4", "lamp:0 -> far:5"]
step = [{ at = 0.02, expect_pin = 0, level = true, within = 3, on = "far" }]
expect.log = "blinked 3 times"

[case.boards.lamp]
module = "button"
gpio = "0,4"
expect.log = ["pressed (1)", "released (1)", "pressed (2)", "released (2)", "pressed (3)", "released (3)"]
expect.pins = { 0 = false }

[case.boards.far]
module = "button"
args = "5 0"
gpio = "0,5"
expect.log = ["pressed (1)", "released (3)"]

[[case]]
name = "a blinker loses its power"
module = "button"
args = "5 0"
gpio = "0,5"
wires = ["light:1 -> 5"]
step = [
    { at = 0, expect_log = "pressed (2)", within = 5 },
    { at = 0.1, power_cut = 0, on = "light" },
    { at = 0.2, expect_log = "released (2)", within = 5 },
    { at = 0.3, kill = true },
]
expect.state = "TASK_KILLED"
expect.pins = { 0 = false }

[case.boards.light]
board = "BOARD"
module = "blink"
args = "1 50 200"
gpio = "1"
expect.state = "TASK_GONE"
"""


def play(folder: Path, target: str, blinker: str) -> dict[str, dict[str, Any]]:
    (folder / "page.toml").write_text(PAGE.replace("BOARD", blinker))
    command = [sys.executable, "-m", "console.cli", "ci", "page.toml", "-j", "1", "-t", target, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    return {one["case"]: one for one in found}


def test_a_pin_drives_another_board_s_pin(tmp_path: Path) -> None:
    found = play(tmp_path, "stm32f4@qemu", "hifive1")
    assert {one["verdict"] for one in found.values()} == {"passed"}


@needs_renode
def test_the_same_outcome_in_renode(tmp_path: Path) -> None:
    found = [play(tmp_path, target, "stm32f4") for target in ("stm32f4@qemu", "stm32f4@renode")]
    one, other = (by_case["a lamp next door follows"]["digest"] for by_case in found)
    assert one == other
