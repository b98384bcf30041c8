"""`mma ps`, `mma logs`, `mma offers` against the real master, an agent of ours and a framework's tasks."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from console.budgets import Ask
from console.fleet import parse_name
from console.mesos import TaskState
from console.modules import find
from console.runner import complete, prepare, task_spec
from console.session import Plan, open_session

pytestmark = pytest.mark.end_to_end


async def mma(*words: str, code: int = 0) -> str:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "console.cli", *words, stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate()
    assert process.returncode == code, (out, err)
    return (out if code == 0 else err).decode()


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


async def test_offers() -> None:
    async with open_session(
        [parse_name("host")], plan=Plan(framework="")
    ) as session:  # nobody else holds them
        (offer,) = objects(await mma("offers", "--master", session.address, "--json"))
    assert offer["resources"]["cpus"] > 0
    assert offer["attributes"]["target"] == "host"


async def test_tasks_and_logs() -> None:
    plan = Plan(framework="a framework")
    async with open_session([parse_name("host")], plan=plan) as session:
        master = ("--master", session.address)

        async def launch(name: str, *arguments: str) -> str:
            module = await prepare(find(name))
            ask = await complete(session, "host", module, arguments, Ask())
            return await session.framework.submit(task_spec(find(name), module, "host", arguments, ask))

        ended = await launch("fib", "20")
        await session.framework.wait(ended)
        spins = await launch("spin")
        async with session.framework.listen() as queue:
            while session.framework.tasks[spins].state is not TaskState.RUNNING:
                await queue.get()

        (row,) = objects(await mma("ps", *master, "--json"))
        assert (row["id"], row["state"], row["target"]) == (spins, "TASK_RUNNING", "host")
        rows = objects(await mma("ps", *master, "--all", "--json"))
        assert {row["id"] for row in rows} == {spins, ended}
        table = await mma("ps", *master)
        assert spins in table
        assert ended not in table

        assert await mma("logs", ended, *master) == "fib(20) = 6765\n"
        (line,) = objects(await mma("logs", ended, *master, "--json"))
        assert line["text"] == "fib(20) = 6765"
        following = asyncio.create_task(mma("logs", spins, *master, "--follow"))
        await asyncio.sleep(0.5)
        await session.framework.kill(spins)
        assert "spinning" in await following

        assert "has no task nothing" in await mma("logs", "nothing", *master, code=2)
    assert "No Mesos master answers" in await mma("ps", *master, code=1)
