"""`mma` in processes of its own: what a shell, a CI job and a Ctrl-C get."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.end_to_end

MMA = [sys.executable, "-m", "console.cli"]


def mma(*arguments: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MMA, *arguments], capture_output=True, text=True, timeout=timeout)


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def living_children(marker: str) -> list[int]:
    """Processes whose environment has the marker: what a session started and left behind."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and marker.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_the_demo() -> None:
    done = mma("demo", "--json")
    lines = objects(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines[-1]["met"]
    assert lines[-1]["first_offer_seconds"] > 0
    ended = [line for line in lines if line["event"] == "act ended"]
    assert [line["state"] for line in ended].count("TASK_FAILED") == 2
    assert "6765" in [line["output"] for line in ended]
    assert done.stderr == ""


def test_a_run_ends_with_the_result_and_a_junit_file(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    done = mma("run", "fib", "-t", "stm32f4@qemu", "--args", "20", "--json", "--junit", str(report))
    last = objects(done.stdout)[-1]
    assert done.returncode == 0, done.stdout + done.stderr
    assert (last["event"], last["state"], last["output"]) == ("result", "TASK_FINISHED", "6765")
    assert "6765" in report.read_text()


def test_an_end_that_was_not_expected_is_exit_1() -> None:
    done = mma("run", "trap", "-t", "host")
    assert done.returncode == 1
    assert "The task ended as TASK_FAILED, not as TASK_FINISHED: " in done.stderr
    assert "divide by zero" in done.stderr
    assert mma("run", "trap", "-t", "host", "--expect", "TASK_FAILED").returncode == 0


def test_a_task_that_does_not_end_is_killed_in_time() -> None:
    done = mma("run", "spin", "-t", "stm32f4", "--timeout", "2")
    assert done.returncode == 1
    assert "had not ended after 2 s" in done.stderr


def test_what_can_never_fit_is_refused_at_once_in_bytes() -> None:
    begin = time.monotonic()
    done = mma("run", "fib", "-t", "stm32f4", "--mem", "300K")
    assert done.returncode == 1
    assert "mem is short of" in done.stderr
    assert time.monotonic() - begin < 15


def test_master_agent_and_run_are_three_processes() -> None:
    marker = f"MMA_TEST_MARK={os.getpid()}-three"
    environment = {**os.environ, **dict([marker.split("=")])}
    with subprocess.Popen(
        [*MMA, "master", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True, env=environment
    ) as master:
        assert master.stdout is not None
        address = json.loads(master.stdout.readline())["master"]
        with subprocess.Popen(
            [*MMA, "agent", "-m", address, "-t", "host", "-t", "stm32f4", "--json"],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        ) as agent:
            assert agent.stdout is not None
            registered = 0
            for line in agent.stdout:
                registered += "registered at" in line
                if registered == 2:
                    break
            # stm32f4 is an agent there already, so this run must not start a second one.
            done = mma("run", "fib", "-t", "stm32f4", "--args", "20", "-m", address, "--json")
            assert done.returncode == 0, done.stdout + done.stderr
            assert any("already" in line.get("text", "") for line in objects(done.stdout))
            assert objects(done.stdout)[-1]["output"] == "6765"
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(10) == 0
        master.send_signal(signal.SIGINT)
        assert master.wait(10) == 0
    assert living_children(marker) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind(number: signal.Signals) -> None:
    marker = f"MMA_TEST_MARK={os.getpid()}-{number.name}"
    environment = {**os.environ, **dict([marker.split("=")])}
    with subprocess.Popen(
        [*MMA, "run", "spin", "-t", "stm32f4", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).get("state") == "TASK_RUNNING":
                break
        assert len(living_children(marker)) >= 3
        process.send_signal(number)
        _, errors = process.communicate(timeout=15)
    assert process.returncode == 130
    assert "Interrupted." in errors
    assert "Traceback" not in errors
    assert living_children(marker) == []


def test_a_port_in_use_says_what_to_do() -> None:
    with subprocess.Popen(
        [*MMA, "master", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        address = json.loads(first.stdout.readline())["master"]
        done = mma("master", "--port", address.rpartition(":")[2])
        first.send_signal(signal.SIGINT)
    assert done.returncode == 1
    assert "already listens" in done.stderr
    assert "--port" in done.stderr


def test_gdb_on_the_kernel() -> None:
    done = mma("debug", "stm32f4", "--batch", "-x", "info registers pc", "-x", "list mma_main")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pc             0x" in done.stdout
    assert "mma_main" in done.stdout


@pytest.mark.skipif(bool(shutil.which("renode") or os.environ.get("RENODE")), reason="Renode is here")
def test_a_session_that_opens_by_half_leaves_nothing_behind() -> None:
    marker = f"MMA_TEST_MARK={os.getpid()}-half"
    done = subprocess.run(
        [*MMA, "run", "fib", "-t", "stm32f4@renode", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **dict([marker.split("=")])},
    )
    assert done.returncode == 3
    assert "Renode is not installed" in objects(done.stdout)[-1]["message"]
    assert living_children(marker) == []
