"""The main job as a user sees it: real master, real kernel in QEMU, real compiler, one framework.

Each test is a line of what the product promises: results are right on every target, bad modules are told
apart and harm nobody, boards live through many tasks, and a master that dies is only an interruption.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from console.cluster.mesos import Task, TaskSpec, TaskState
from console.fit.budgets import Ask
from console.fleet.opening import parse_names
from console.fleet.session import Session, open_session
from console.state.events import Progressed
from emulation.master import Master
from hal.guest import build_module

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(400)]

EXAMPLES = Path(__file__).parents[2] / "firmware" / "sdk" / "examples"


def example(name: str) -> bytes:
    return build_module(EXAMPLES / f"{name}.c")


def spec(
    name: str, module: bytes, target: str, arguments: Sequence[str] = (), ask: Ask | None = None
) -> TaskSpec:
    wanted = ask or Ask()
    return TaskSpec(name, module, target, wanted.resources(), tuple(arguments), wanted.labels())


async def run(session: Session, task: TaskSpec, timeout: float = 120.0) -> Task:
    async with asyncio.timeout(timeout):
        return await session.framework.wait(await session.framework.submit(task))


async def until(session: Session, task_id: str, state: TaskState, timeout: float = 120.0) -> None:
    async with asyncio.timeout(timeout), session.framework.listen() as queue:
        while state not in (status.state for status in session.framework.tasks[task_id].history):
            await queue.get()


@pytest.fixture
async def master() -> AsyncIterator[Master]:
    async with Master() as running:
        yield running


def mma(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, JSON lines and standard error of `mma`, as a shell would see them."""
    done = subprocess.run(
        [sys.executable, "-c", "from console.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.mark.parametrize("target", ["stm32f4@qemu", "host"])
def test_fib_gives_its_result_by_the_command_line(target: str) -> None:
    code, lines, errors = mma(
        "run",
        str(EXAMPLES / "fib.c"),
        "--target",
        target,
        "--args",
        "20",
        "--expect",
        "TASK_FINISHED",
        "--json",
    )
    assert code == 0, errors
    assert lines[-1]["event"] == "result"
    assert (lines[-1]["state"], lines[-1]["output"]) == ("TASK_FINISHED", "6765")


async def test_bad_modules_fail_with_a_sentence_and_the_board_lives_on(master: Master) -> None:
    good = example("fib")
    wanting = b"\0asm\1\0\0\0" + bytes.fromhex(
        "01040160 0000 020b 01 03656e76 03666f6f 00 00".replace(" ", "")
    )
    bad = {
        "truncated": (good[: len(good) // 2], "not valid"),
        "empty": (b"", "WebAssembly"),
        "text": (b"#!/bin/sh\necho hello\n", "WebAssembly"),
        "wanting": (wanting, "env.foo"),
    }
    async with open_session(parse_names(["stm32f4@qemu"]), master=master.address) as session:
        for name, (module, words) in bad.items():
            task = await run(session, spec(name, module, "stm32f4@qemu"))
            assert task.state in (TaskState.FAILED, TaskState.ERROR), name
            assert words in task.status.message, (name, task.status.message)
        task = await run(session, spec("fib", good, "stm32f4@qemu", ["10"]))
        assert (task.state, task.status.data) == (TaskState.FINISHED, b"55")


async def test_traps_and_endless_loops_end_alone(master: Master) -> None:
    board = "stm32f4@qemu"
    async with open_session(parse_names([board]), master=master.address) as session:
        spin = await session.framework.submit(spec("spin", example("spin"), board))
        await until(session, spin, TaskState.RUNNING)
        for name, words in (("trap", "divide by zero"), ("oob", "out of bounds")):
            task = await run(session, spec(name, example(name), board))
            assert task.state is TaskState.FAILED
            assert words in task.status.message
        task = await run(session, spec("fib", example("fib"), board, ["20"]))
        assert (task.state, task.status.data) == (TaskState.FINISHED, b"6765")
        await session.framework.kill(spin)
        async with asyncio.timeout(60):
            assert (await session.framework.wait(spin)).state is TaskState.KILLED


async def test_a_hundred_tasks_in_a_row_on_one_board(master: Master) -> None:
    board, module = "stm32f4@qemu", example("fib")
    fib = [0, 1]
    while len(fib) < 21:
        fib.append(fib[-1] + fib[-2])
    async with open_session(parse_names([board]), master=master.address) as session:
        for index in range(100):
            n = index % 21
            task = await run(session, spec(f"fib-{index}", module, board, [str(n)]))
            assert (task.state, task.status.data) == (TaskState.FINISHED, str(fib[n]).encode()), index


async def test_three_boards_are_three_agents_with_their_resources(master: Master) -> None:
    names = ["stm32f4@qemu", "stm32f4@qemu-2", "host"]
    async with open_session(parse_names(names), master=master.address) as session:
        tasks = await asyncio.gather(
            *(run(session, spec("fib", example("fib"), name, ["15"])) for name in names)
        )
        assert [task.status.data for task in tasks] == [b"610"] * 3
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://{master.address}/master/state") as answer:
                agents = [agent for agent in (await answer.json())["slaves"] if agent["active"]]
    assert len(agents) == 3
    assert len({agent["id"] for agent in agents}) == 3
    boards = [agent for agent in agents if agent["attributes"].get("board") == "stm32f4"]
    assert len(boards) == 2
    for board in boards:
        assert board["resources"]["flash_kb"] == 1024.0
        assert board["resources"]["gpio"] == "[0-15]"
        assert "temp0" in board["resources"]["sensors"]
        assert {"mcu", "isa", "firmware", "isolation"} <= board["attributes"].keys()


async def test_a_task_outlives_its_master(master: Master) -> None:
    board = "stm32f4@qemu"
    sleeper = build_module(
        b'#include <mma.h>\nint main(void) { mma_sleep_ms(6000); mma_resultf("42"); return 0; }\n',
        kind="c",
    )
    async with open_session(parse_names([board]), master=master.address) as session:
        before = session.framework.id
        task_id = await session.framework.submit(spec("sleeper", sleeper, board))
        await until(session, task_id, TaskState.RUNNING)
        await master.stop(grace=0)
        await asyncio.sleep(1)
        await master.start()
        async with asyncio.timeout(60):
            task = await session.framework.wait(task_id)
        assert (task.state, task.status.data) == (TaskState.FINISHED, b"42")
        assert session.framework.id == before
        again = await run(session, spec("fib", example("fib"), board, ["20"]), timeout=60)
        assert again.status.data == b"6765"


async def test_a_sessions_own_master_is_started_again() -> None:
    """Killed, it is back at the same address, with agent, task and framework; but not for ever."""
    told: list[Progressed] = []

    def tell(event: object) -> None:
        if isinstance(event, Progressed) and event.subject == "master":
            told.append(event)

    async with open_session(parse_names(["host"]), on_event=tell) as session:
        sleeper = build_module(b"#include <mma.h>\nint main(void) { mma_sleep_ms(3600000); }", kind="c")
        task_id = await session.framework.submit(spec("sleeper", sleeper, "host"))
        await until(session, task_id, TaskState.RUNNING)
        before, master = (session.address, session.framework.id), session._master
        assert master is not None
        for deaths in (1, 2, 3):
            async with asyncio.timeout(60):
                while master.pid is None or not session.framework.connected:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            os.kill(master.pid, signal.SIGKILL)
            async with asyncio.timeout(60):
                while sum("SIGKILL" in one.text for one in told) < deaths:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            if deaths == 1:
                task = await run(session, spec("fib", example("fib"), "host", ["10"]))
                assert (task.state, task.status.data) == (TaskState.FINISHED, b"55")
                assert (session.address, session.framework.id) == before
                assert session.framework.tasks[task_id].state is TaskState.RUNNING
        assert told[-1].failed
        assert "It ended 3 times within 60 s and is left so" in told[-1].text
