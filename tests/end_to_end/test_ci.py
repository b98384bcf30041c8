"""`mma ci`, `mma replay` and the pytest plugin on the real master and the real emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.end_to_end

EXAMPLES = Path(__file__).parents[2] / "examples" / "ci"

MUST_FAIL = """
[scenario]
name = "must fail"
retries = 1

[[case]]
name = "wrong result"
module = "fib"
args = "10"
expect.result = "6766"

[[case]]
name = "known to be wrong"
module = "trap"
quarantine = "a test of quarantine"

[[case]]
name = "the power goes"
module = "spin"
step = [{ at = 0.1, power_cut = 0.2 }]
expect.state = "TASK_GONE"
expect.reason = "AGENT_RESTARTED"

[[case]]
name = "killed"
module = "spin"
targets = "host"
step = [{ at = 0.1, kill = true }]
expect.state = "TASK_KILLED"
"""


def mma(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "console.cli", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def objects(text: str) -> dict[str, dict[str, object]]:
    return {str(found["case"]): found for found in map(json.loads, text.splitlines())}


def test_the_example_passes_and_comes_out_the_same_twice(tmp_path: Path) -> None:
    words = ("ci", str(EXAMPLES / "alarm.toml"), "-k", "changes nothing", "--json")
    runs = [mma(*words, cwd=tmp_path) for _ in range(2)]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    first, second = (objects(run.stdout) for run in runs)
    assert first
    for name, found in first.items():
        assert found["verdict"] == "passed", found
        assert found["digest"] == second[name]["digest"]
    assert not list(tmp_path.iterdir())  # nothing is kept of what passed


def test_what_must_fail_fails_with_a_report_and_a_recording(tmp_path: Path) -> None:
    (tmp_path / "page.toml").write_text(MUST_FAIL)
    run = mma("ci", "page.toml", "--junit", "out.xml", cwd=tmp_path)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "Its result is '55', not '6766'." in run.stdout
    assert "2 passed, 1 failed, 1 quarantined" in run.stdout, run.stdout
    suite = ElementTree.parse(tmp_path / "out.xml").getroot()[0]
    assert (suite.get("failures"), suite.get("skipped")) == ("1", "1")

    folder = tmp_path / "mma-artifacts" / "must-fail" / "wrong-result-stm32f4@qemu"
    facts = json.loads((folder / "outcome.json").read_text())
    assert facts["outcome"]["result"] == "55"
    assert facts["attempts"] == 2
    assert (folder / "firmware.elf").read_bytes()[:4] == b"\x7fELF"
    assert "PUT /x/0" in (folder / "coap.txt").read_text()
    assert (folder / "uart-received.bin").stat().st_size > 100

    replay = mma("replay", str(folder), "--log", cwd=tmp_path)
    assert "fib(10) = 55" in replay.stdout
    assert "FINISHED" in replay.stdout
    picture = mma("replay", str(folder), "--svg", "now.svg", cwd=tmp_path)
    assert picture.returncode == 0, picture.stderr
    assert "finished" in (tmp_path / "now.svg").read_text()
    early = mma("replay", str(folder), "--at", "0.1", "--log", cwd=tmp_path)
    assert "FINISHED" not in early.stdout


def test_a_target_that_is_not_here_is_environment(tmp_path: Path) -> None:
    run = mma("ci", str(EXAMPLES / "alarm.toml"), "-t", "stm32f4@/dev/nowhere", "-k", "fib", cwd=tmp_path)
    assert run.returncode == 0  # no case holds the words
    run = mma("ci", str(EXAMPLES / "alarm.toml"), "-t", "stm32f4@/dev/nowhere", "-k", "endless", cwd=tmp_path)
    assert run.returncode == 3
    assert "There is no serial port /dev/nowhere" in run.stdout


def test_the_plugin_runs_the_example_project(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLES / "tests")]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)
    assert run.returncode == 0, run.stdout
    assert "4 passed" in run.stdout


def test_a_failed_test_tells_the_devices_log(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_it(launch):\n    assert launch('fib', '10').wait().result == '56'\n"
    )
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)
    assert run.returncode == 1
    assert "log of stm32f4@qemu" in run.stdout
    assert "fib(10) = 55" in run.stdout
