"""`mma profile`, and the bound on instructions of a scenario, in QEMU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]

PAGE = """
[[case]]
name = "few"
module = "fib"
args = "20"
expect.instructions = 1000

[[case]]
name = "enough"
module = "fib"
args = "20"
expect.instructions = 1_000_000_000
"""


def mma(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "console.cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=250, check=False)


@pytest.mark.parametrize("board", ["stm32f4", "hifive1"])
def test_an_executor_s_instructions_are_exact(board: str, tmp_path: Path) -> None:
    def of_fib(argument: int) -> int:
        done = mma(tmp_path, "profile", "fib", "--args", str(argument), "-t", board, "--json", "-o", "p.txt")
        assert done.returncode == 0, done.stderr
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert found[-1] == {"event": "result", "state": "TASK_FINISHED"}
        assert any(one["of"] == "kernel" and one["instructions"] > 100 for one in found[:-1])
        (fib,) = (one for one in found[:-1] if one["function"] == "fib")
        assert f"{fib['of']};fib {fib['instructions']}\n" in (tmp_path / "p.txt").read_text()
        return int(fib["instructions"])

    first = of_fib(15)
    assert first == of_fib(15)
    # fib(16) calls itself 3193 times and fib(15) 1973 times, each call alike
    assert of_fib(16) / first == pytest.approx(3193 / 1973, rel=0.01)


def test_a_target_without_counts_is_told(tmp_path: Path) -> None:
    done = mma(tmp_path, "profile", "fib", "-t", "host")
    assert (done.returncode, done.stdout) == (1, "")
    assert "host is not emulated: its instructions cannot be counted" in done.stderr


def test_a_bound_on_instructions(tmp_path: Path) -> None:
    (tmp_path / "page.toml").write_text(PAGE)
    done = mma(tmp_path, "ci", "page.toml", "--json")
    assert done.returncode == 1
    few, enough = sorted(
        (json.loads(line) for line in done.stdout.splitlines()), key=lambda one: -len(one["failures"])
    )
    assert few["case"] == "few"
    assert "more than 1,000" in few["failures"][0]
    assert enough["verdict"] == "passed"
