"""`mma ps`, `mma logs`, `mma offers` against the real master, an agent of ours and a framework's tasks."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from console.cluster.framework import Framework
from console.cluster.mesos import TaskState, mem_bytes, mem_scalar
from console.fit.budgets import Ask
from console.fit.sizing import size_on
from console.fleet.opening import parse_name
from console.fleet.session import Plan, open_session
from console.guests.modules import find
from console.runs.runner import complete, prepare, task_spec

pytestmark = pytest.mark.end_to_end


async def mma(*words: str, code: int = 0, out: bool = False) -> str:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "console.cli", *words, stdout=pipe, stderr=pipe
    )
    said, err = await process.communicate()
    assert process.returncode == code, (said, err)
    return (said if code == 0 or out else err).decode()


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


async def test_offers() -> None:
    async with open_session(
        [parse_name("host")], plan=Plan(framework="")
    ) as session:  # nobody else holds them
        (offer,) = objects(await mma("offers", "--master", session.address, "--json"))
    assert offer["resources"]["cpus"] > 0
    assert offer["attributes"]["target"] == "host"


async def test_why_a_module_does_not_fit() -> None:
    """To the byte, on a board whose sizes are reckoned here and told by the device alike."""
    async with open_session([parse_name("stm32f4@qemu")], plan=Plan(framework="")) as session:
        member = session.members["stm32f4@qemu"]
        module = await prepare(find("fib"))
        parts = await size_on(member.target, module, ("20",), Ask(mem=16_384).budget())
        master = ("--master", session.address)
        words = ("--why", "fib", "--args", "20", "--mem", "16384", "--json")
        (offer,) = objects(await mma("offers", *master, *words))
        assert (offer["why"]["fits"], offer["why"]["bytes"]) == (True, mem_bytes(mem_scalar(16_384)))
        assert offer["why"]["parts"]["code"] == parts.code
        assert offer["why"]["parts"]["memory"] == parts.memory
        assert (offer["held"], offer["why"]["cautions"]) == (False, [])
        told = await mma("offers", *master, "--why", "fib", "--mem", "1M", "--gpio", "99", code=1, out=True)
        assert "bytes short" in told
        assert "gpio [99] is not offered" in told
        assert "A larger board: stm32f4@qemu has" in told
        async with Framework(session.address, name="keeper") as keeper:
            await keeper.wait_for_offer("stm32f4@qemu")
            told = await mma("offers", *master, "--why", "blink", code=1, out=True)
            cautions = await mma("offers", *master, "--why", "blink", code=1)
        assert "blink would fit, were it not held" in told
        assert "blink calls gpio_mode and gpio_write, but no pin is granted" in cautions
        assert "No offer is made to us that blink could fit. 1 more is with other frameworks." in cautions


async def test_what_goes_wrong_is_an_object_too() -> None:
    """On stdout as JSON, and in words on stderr; a master that is not there is told at once."""
    async with open_session([], plan=Plan(framework="")) as session:
        master = ("--master", session.address)
        for command in ("kill", "logs"):
            (told,) = objects(await mma(command, "nosuch", *master, "--json", code=2, out=True))
            assert told == {
                "event": "error",
                "message": "The master has no task nosuch.",
                "remedy": "`mma ps --all` lists them.",
            }
    for words in (["ps"], ["offers"], ["kill", "nosuch"]):
        (told,) = objects(await mma(*words, *master, "--json", code=1, out=True))
        assert (told["event"], told["remedy"]) == ("error", "Is it running? `mma master` starts one.")


async def test_a_trace_has_what_was_said_and_done() -> None:
    """The link's messages, Mesos's states and the log of a task on a board, in order."""
    target = "stm32f4@qemu"
    async with open_session([parse_name(target)], plan=Plan(framework="a framework")) as session:
        module = await prepare(find("spin"))
        ask = await complete(session, target, module, (), Ask())
        task = await session.framework.submit(task_spec(find("spin"), module, target, (), ask))
        async with session.framework.listen() as queue:
            while session.framework.tasks[task].state is not TaskState.RUNNING:
                await queue.get()
        words = ("logs", task, "--master", session.address, "--trace")
        await mma(*words)  # from now on it is kept
        following = asyncio.create_task(mma(*words, "--follow", "--json"))
        await asyncio.sleep(1.0)
        await session.framework.kill(task)
        lines = objects(await following)
    by_event = {
        kind: [one["text"] for one in lines if one["event"] == kind] for kind in ("log", "coap", "mesos")
    }
    assert by_event["log"] == ["spinning"]
    assert by_event["mesos"][-1].startswith("TASK_KILLED")
    assert any("POST /x/0" in text for text in by_event["coap"])
    assert any("[/x/0, " in text for text in by_event["coap"])


async def test_a_task_of_another_framework_is_killed() -> None:
    """Its framework is told; what is not there, has ended or is shared, is said."""
    async with open_session([parse_name("host")], plan=Plan(framework="a framework")) as session:
        module = await prepare(find("spin"))
        ask = await complete(session, "host", module, (), Ask())
        task = await session.framework.submit(task_spec(find("spin"), module, "host", (), ask))
        async with session.framework.listen() as queue:
            while session.framework.tasks[task].state is not TaskState.RUNNING:
                await queue.get()
            master = ("--master", session.address)
            (told,) = objects(await mma("kill", task, *master, "--json"))
            assert (told["id"], told["state"]) == (task, "TASK_FAILED")
            while not session.framework.tasks[task].state.terminal:
                await queue.get()
        assert session.framework.tasks[task].state is TaskState.FAILED
        assert "has ended as TASK_FAILED already" in await mma("kill", task, *master, code=1)
        assert "no task nobody's" in await mma("kill", "nobody's", *master, code=2)


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

        (row,) = objects(await mma("ps", *master, "--usage", "--history", "--json"))
        assert row["usage"]["cpu_seconds"] > 0
        assert row["usage"]["bytes"] > 0
        assert [one["state"] for one in row["history"]][-1] == "TASK_RUNNING"
        table = await mma("ps", *master, "-a", "-u", "-H")
        assert "FINISHED" in table
        assert "The executor runs." in table

        (told,) = objects(await mma("offers", *master, "--frameworks", "--json"))
        assert (told["name"], told["tasks"]) == ("a framework", 1)
        assert "has no link" not in await mma("logs", ended, *master)
        assert "/trace has no such thing" in await mma("logs", ended, *master, "--trace", code=1)

        assert await mma("logs", ended, *master) == "fib(20) = 6765\n"
        (line,) = objects(await mma("logs", ended, *master, "--json"))
        assert line["text"] == "fib(20) = 6765"
        following = asyncio.create_task(mma("logs", spins, *master, "--follow"))
        await asyncio.sleep(0.5)
        await session.framework.kill(spins)
        assert "spinning" in await following

        assert "has no task nothing" in await mma("logs", "nothing", *master, code=2)
    assert "No Mesos master answers" in await mma("ps", *master, code=1)
