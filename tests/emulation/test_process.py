"""Child processes end with their owner, however it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import gone, parent, until, wait_until

from emulation.errors import ProcessError
from emulation.process import Child


async def test_tells_output_and_status() -> None:
    child = await Child.start(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert await child.wait() == 3
    assert child.tail() == "out\nerr"
    assert child.ending() == "exited with status 3"
    await child.stop()


async def test_tail_is_bounded() -> None:
    child = await Child.start(["sh", "-c", "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done"])
    await child.wait()
    assert child.tail(2) == "line 4998\nline 4999"
    assert len(child.tail(100000)) <= 8192
    await child.stop()


async def test_terminates_then_kills() -> None:
    polite = await Child.start(["sleep", "100"])
    assert await polite.stop() == -signal.SIGTERM
    stubborn = await Child.start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"])
    await until(lambda: "ready" in stubborn.tail())
    began = time.monotonic()
    assert await stubborn.stop(grace=0.2) == -signal.SIGKILL
    assert 0.2 <= time.monotonic() - began < 2
    assert stubborn.ending() == "was ended by SIGKILL"
    assert await stubborn.stop() == -signal.SIGKILL  # idempotent


async def test_says_why_it_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="nonsense could not be started: No such file"):
        await Child.start(["/no/such/nonsense"])
    (tmp_path / "text").write_text("no program")
    with pytest.raises(ProcessError, match="Permission denied"):
        await Child.start([str(tmp_path / "text")])


async def test_scratch_goes_and_log_is_still_told(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    child = await Child.start(["sh", "-c", "echo last words"], scratch=scratch, log=scratch / "log")
    await child.wait()
    assert not scratch.exists()
    assert child.tail() == "last words"
    await child.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's subreaper")
async def test_strays_in_other_sessions_go_too() -> None:
    child = await Child.start(["sh", "-c", "setsid sleep 100 & echo $!; sleep 0.1; exit 0"])
    await child.wait()
    assert gone(int(child.tail()))
    await child.stop()


async def test_cancelled_start_leaves_nothing() -> None:
    for delay in (0, 0.001, 0.005, 0.01, 0.02, 0.03):
        task = asyncio.create_task(Child.start(["sleep", "100"]))
        await asyncio.sleep(delay)
        if not task.cancel():
            await (await task).stop(0)
        await asyncio.gather(task, return_exceptions=True)


_OWNER = """
import asyncio, sys
from emulation.process import Child
async def main():
    child = await Child.start(["sh", "-c", "sleep 100 & echo $$ $!; wait"], scratch=sys.argv[1])
    while not child.tail(): await asyncio.sleep(0.01)
    print(child.tail(), flush=True)
    await asyncio.sleep(100)
def in_thread():
    import threading
    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start(); thread.join()
in_thread() if sys.argv[2] == "thread" else asyncio.run(main())
"""


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_dies_with_its_owner(number: signal.Signals, where: str, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, scratch, where], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    pids = [int(word) for word in owner.stdout.readline().split()]
    assert len(pids) == 2
    owner.send_signal(number)
    if (
        where == "thread" and number == signal.SIGINT
    ):  # Python's main thread is in join(): it must be told twice
        owner.kill()
    owner.wait()
    owner.stdout.close()
    assert all(gone(pid) for pid in pids)
    assert wait_until(lambda: not scratch.exists())


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to find the supervisor")
async def test_dies_with_its_supervisor() -> None:
    child = await Child.start(["sleep", "100"])
    os.kill(parent(child.pid), signal.SIGKILL)
    assert gone(child.pid)
    await child.stop()
