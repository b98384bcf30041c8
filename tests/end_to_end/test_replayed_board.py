"""A case that fails leaves its board as it was, and the debugger opens on that."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        shutil.which("gdb-multiarch") is None, reason="GDB is missing: apt install gdb-multiarch"
    ),
]

PAGE = """
[scenario]
name = "snap"

[[case]]
name = "silent"
module = "spin"
targets = ["TARGET"]
step = [{ at = 0.05, expect_log = "never said", within = 0.05 }, { at = 0.2, kill = true }]
expect.state = "TASK_KILLED"
"""


def mma(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "console.cli", *words]
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def fails(folder: Path, target: str) -> Path:
    (folder / "page.toml").write_text(PAGE.replace("TARGET", target))
    done = mma(folder, "ci", "page.toml")
    assert done.returncode == 1, done.stderr
    (artifacts,) = (folder / "mma-artifacts" / "snap").iterdir()
    return artifacts


def test_the_debugger_opens_where_it_failed(tmp_path: Path) -> None:
    artifacts = fails(tmp_path, "hifive1@qemu")
    assert (artifacts / "machine.snapshot").stat().st_size > 10_000
    # the executor spins: it is there that the board stands, or in the kernel that looks after it
    done = mma(
        tmp_path, "replay", str(artifacts), "--debug", "-ex", "info registers pc", "-ex", "print 6 * 7"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "= 42" in done.stdout
    assert "pc " in done.stdout


def test_a_board_without_snapshots_says_so(tmp_path: Path) -> None:
    artifacts = fails(tmp_path, "stm32f4@qemu")
    assert not (artifacts / "machine.snapshot").exists()
    done = mma(tmp_path, "replay", str(artifacts), "--debug")
    assert done.returncode == 2
    assert "has no snapshot of stm32f4@qemu" in done.stderr
