"""Our agents and a genuine Mesos master: what it believes of us, and that it survives us."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from v1_scheduler import CAPABILITIES, Scheduler, label_json, scalar
from wasmtime import wat2wasm

from agent.config import AgentConfig
from agent.events import Registered, Stopped
from agent.gateway import Gateway
from emulation.master import Master
from hal.guest import build_module
from hal.host import HostTarget

pytestmark = pytest.mark.end_to_end

FLAGS = {
    "agent_ping_timeout": "1secs",
    "max_agent_ping_timeouts": "3",
    "allocation_interval": "100ms",
}
FIB = bytes(
    wat2wasm("""
(module (import "mma" "arg" (func $arg (param i32 i32 i32) (result i32)))
  (import "mma" "result" (func $result (param i32 i32) (result i32)))
  (memory 1)
  (func $fib (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "main") (result i32) (local $length i32) (local $index i32) (local $number i32)
    (local.set $length (call $arg (i32.const 0) (i32.const 0) (i32.const 16)))
    (block $done (loop $digits
      (br_if $done (i32.ge_s (local.get $index) (local.get $length)))
      (local.set $number (i32.add (i32.mul (local.get $number) (i32.const 10))
        (i32.sub (i32.load8_u (local.get $index)) (i32.const 48))))
      (local.set $index (i32.add (local.get $index) (i32.const 1)))
      (br $digits)))
    (i32.store (i32.const 32) (call $fib (local.get $number)))
    (drop (call $result (i32.const 32) (i32.const 4)))
    (i32.const 0)))""")
)
"""Publishes fib(its first argument) as four bytes."""
SLEEP = bytes(
    wat2wasm("""
(module (import "mma" "sleep_us" (func $sleep (param i64)))
  (func (export "main") (call $sleep (i64.const 3600000000))))""")
)
TRAP = bytes(wat2wasm('(module (func (export "main") unreachable))'))
FAIL = bytes(wat2wasm('(module (func (export "main") (result i32) (i32.const 7)))'))
MEM = [scalar("cpus", 0.01), scalar("mem", 1)]
GROW = bytes(
    wat2wasm(
        """(module (memory 1) (func (export "main") (result i32)
        (i32.eq (memory.grow (i32.const 63)) (i32.const -1))))"""
    )
)
"""Fails unless its memory grows to 4 MiB."""


@dataclass
class Bench:
    """A master, a gateway with one host target, and a framework."""

    master: Master
    gateway: Gateway
    scheduler: Scheduler

    @property
    def agent_id(self) -> str:
        return self.gateway.agents["host"].agent_id

    async def agents(self) -> dict[str, Any]:
        """The master's own words about its agents, by their target attribute."""
        state = await get(f"http://{self.master.address}/master/state")
        return {agent["attributes"]["target"]: agent for agent in state["slaves"]}

    def cut_links(self) -> None:
        """Break the connections that the master has to us, as a network does."""
        for berth in self.gateway._berths:
            runner = berth.port._runner
            assert runner is not None
            assert runner.server is not None
            for connection in list(runner.server.connections):
                assert connection.transport is not None
                connection.transport.abort()

    def assert_well(self) -> None:
        """The master lives, and the guard had nothing to stop."""
        assert self.master.pid is not None, self.master.tail()
        assert all(agent.refused == 0 for agent in self.gateway.agents.values())


async def get(url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200
        found: dict[str, Any] = await response.json()
        return found


async def operator(master: Master, kind: str, **body: Any) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"http://{master.address}/master/api/v1"
        async with session.post(url, json={"type": kind, **body}) as response:
            assert response.status in (200, 202), await response.text()


@pytest_asyncio.fixture
async def master() -> AsyncIterator[Master]:
    async with Master(flags=FLAGS) as running:
        yield running


@pytest_asyncio.fixture
async def bench(master: Master) -> AsyncIterator[Bench]:
    target = HostTarget(cpus=2.0, mem_bytes=64 << 20)
    await target.open()
    try:
        async with Gateway(master.address, [target], AgentConfig(update_retry_min=0.5)) as gateway:
            async with Scheduler(master.address) as scheduler:
                made = Bench(master, gateway, scheduler)
                yield made
                made.assert_well()
    finally:
        await target.close()


# -- tasks ----------------------------------------------------------------------------------------------


async def test_a_task_computes_and_its_result_comes_back(bench: Bench) -> None:
    command = {"shell": False, "value": "fib.wasm", "arguments": ["20"]}
    await bench.scheduler.run(FIB, "fib", command=command)
    status = await bench.scheduler.status("fib", "TASK_FINISHED")
    assert int.from_bytes(base64.b64decode(status["data"]), "little") == 6765
    assert bench.scheduler.states("fib") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
    agent = (await bench.agents())["host"]
    assert agent["active"]
    assert agent["pid"] == bench.gateway.agents["host"].pid
    assert agent["resources"]["mem"] == 64.0

    def nothing_in_use() -> bool:
        found = [item for offer in bench.scheduler.offers.values() for item in offer["resources"]]
        names = ("cpus", "mem")
        return [sum(item["scalar"]["value"] for item in found if item["name"] == name) for name in names] == [
            2.0,
            64.0,
        ]

    await bench.scheduler.until(nothing_in_use)


async def test_the_example_of_the_documentation(bench: Bench) -> None:
    text = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text()
    blocks = [block.split("```", 1)[0] for block in text.split("```json\n")[1:]]
    (call,) = [json.loads(block) for block in blocks if '"type": "ACCEPT"' in block]
    offer = await bench.scheduler.offer()
    call["accept"]["offer_ids"] = [offer["id"]]
    call["accept"]["operations"][0]["launch"]["task_infos"][0]["agent_id"] = offer["agent_id"]
    await bench.scheduler.call("ACCEPT", accept=call["accept"])
    status = await bench.scheduler.status("hello-1", "TASK_FINISHED")
    assert status["data"] == "aGVsbG8="


async def test_limits_let_memory_grow_past_mem(bench: Bench) -> None:
    infinite = {"cpus": {"value": "Infinity"}}
    await bench.scheduler.run(GROW, "no", resources=MEM, limits=infinite)
    await bench.scheduler.status("no", "TASK_FAILED")
    await bench.scheduler.run(GROW, "yes", resources=MEM, limits=infinite | {"mem": {"value": 8}})
    await bench.scheduler.status("yes", "TASK_FINISHED")
    await bench.scheduler.run(GROW, "halt", resources=MEM, limits={"cpus": {"value": 1.5}})
    assert "would not be kept" in (await bench.scheduler.status("halt", "TASK_FAILED"))["message"]
    await bench.scheduler.run(SLEEP, "rests", resources=MEM, limits=infinite | {"mem": {"value": 8}})
    await bench.scheduler.status("rests", "TASK_RUNNING")
    name, address = bench.gateway.agents["host"].pid.split("@")
    theirs, ours = (
        await get(f"http://{bench.master.address}/master/state"),
        await get(f"http://{address}/{name}/state"),
    )
    (task,) = ours["frameworks"][0]["executors"][0]["tasks"]
    assert task == theirs["frameworks"][0]["tasks"][0]
    assert task["limits"] == {"cpus": "Infinity", "mem": 8.0}


async def test_bad_tasks_fail_in_words_and_the_next_one_runs(bench: Bench, tmp_path: Path) -> None:
    words = {
        "text": (b"#!/bin/sh\n", "begins with b'#!/bin/sh"),
        "truncated": (FIB[:40], ""),
        "trap": (TRAP, "unreachable"),
        "fail": (FAIL, "7"),
    }
    for name, (module, words_) in words.items():
        await bench.scheduler.run(module, name)
        status = await bench.scheduler.status(name, "TASK_FAILED")
        assert words_ in status["message"]
        assert status["reason"] in ("REASON_CONTAINER_LAUNCH_FAILED", "REASON_COMMAND_EXECUTOR_FAILED")
    command = {"shell": True, "value": "sleep 100"}
    offer = await bench.scheduler.offer()
    await bench.scheduler.launch(offer, {"task_id": "shell", "command": command})
    assert "runs WebAssembly" in (await bench.scheduler.status("shell", "TASK_FAILED"))["message"]
    path = tmp_path / "sleep.wasm"
    path.write_bytes(SLEEP)
    uris = [{"value": path.as_uri(), "cache": True}]
    labels = label_json({"mma.sha256": hashlib.sha256(SLEEP).hexdigest(), "mma.stack": "32768"})
    task = {"task_id": "uri", "command": {"shell": False, "value": "x", "uris": uris}, "labels": labels}
    await bench.scheduler.launch(await bench.scheduler.offer(), task)
    await bench.scheduler.status("uri", "TASK_RUNNING")
    await bench.scheduler.kill("uri")
    await bench.scheduler.status("uri", "TASK_KILLED")
    assert bench.scheduler.states("uri") == ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"]


async def test_updates_are_repeated_until_the_framework_acknowledges(master: Master) -> None:
    target = HostTarget(cpus=1.0, mem_bytes=8 << 20)
    await target.open()
    config = AgentConfig(update_retry_min=0.3)
    async with (
        Gateway(master.address, [target], config),
        Scheduler(master.address, acknowledge=False) as mine,
    ):
        await mine.run(FAIL, "t")

        def starting() -> list[dict[str, Any]]:
            return [update for update in mine.updates if update["state"] == "TASK_STARTING"]

        await mine.until(lambda: len(starting()) >= 3)
        assert mine.states("t") == ["TASK_STARTING"]
        assert len({update["uuid"] for update in starting()}) == 1
        for state in ("TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"):
            await mine.acknowledge(await mine.status("t", state))
        await asyncio.sleep(0.2)
        count = len(mine.updates)
        await asyncio.sleep(1.0)
        assert len(mine.updates) == count
    await target.close()


async def test_tasks_under_one_custom_executor(bench: Bench) -> None:
    executor = {
        "executor_id": {"value": "E"},
        "framework_id": {"value": bench.scheduler.id},
        "type": "CUSTOM",
        "command": {"shell": False, "value": "module.wasm"},
    }
    offer = await bench.scheduler.offer()
    tasks = [{"task_id": name, "data": SLEEP, "executor": executor} for name in ("a", "b")]
    await bench.scheduler.launch(offer, *tasks)
    for name in ("a", "b"):
        status = await bench.scheduler.status(name, "TASK_RUNNING")
        assert status["executor_id"]["value"] == "E"
    await bench.scheduler.kill("a")
    await bench.scheduler.status("a", "TASK_KILLED")
    assert not bench.scheduler.failures
    await bench.scheduler.kill("b")
    await bench.scheduler.until(lambda: bench.scheduler.failures)
    assert bench.scheduler.failures[0]["executor_id"]["value"] == "E"


async def test_messages_both_ways_and_a_kill_with_grace(bench: Bench) -> None:
    module = build_module(Path(__file__).parents[2] / "firmware" / "sdk" / "examples" / "talk.c")
    await bench.scheduler.run(module, "t")
    await bench.scheduler.status("t", "TASK_RUNNING")
    body = {"executor_id": {"value": "t"}, "agent_id": {"value": bench.agent_id}}
    hello = {**body, "data": base64.b64encode(b"hello").decode()}
    async with asyncio.timeout(60):  # the guest may not listen yet, and Mesos promises nothing
        while not bench.scheduler.messages:
            await bench.scheduler.call("MESSAGE", message=hello)
            await asyncio.sleep(0.2)
    assert base64.b64decode(bench.scheduler.messages[0]["data"]) == b"1: hello"
    assert bench.scheduler.messages[0]["executor_id"]["value"] == "t"
    await bench.scheduler.kill("t", grace=20)
    status = await bench.scheduler.status("t", "TASK_KILLED")
    assert base64.b64decode(status["data"]).endswith(b" messages")
    assert bench.scheduler.states("t")[-2:] == ["TASK_KILLING", "TASK_KILLED"]


async def test_a_task_group_runs_on_the_host(master: Master) -> None:
    target = HostTarget(cpus=2.0, mem_bytes=256 << 20)
    await target.open()
    async with Gateway(master.address, [target]) as gateway, Scheduler(master.address) as mine:
        resources = [scalar("cpus", 0.1), scalar("mem", 32), scalar("disk", 10)]
        executor = {
            "type": "DEFAULT",
            "executor_id": {"value": "E"},
            "framework_id": {"value": mine.id},
            "resources": resources,
        }
        offer = await mine.offer()
        tasks = [{"task_id": "waits", "data": SLEEP}, {"task_id": "fails", "data": FAIL}]
        await mine.launch(offer, *tasks, group=executor)
        status = await mine.status("fails", "TASK_FAILED")
        assert status["executor_id"]["value"] == "E"
        assert status["container_status"]["container_id"]["parent"]["value"]
        assert "group" in (await mine.status("waits", "TASK_KILLED"))["message"]
        await mine.until(lambda: mine.failures)
        assert mine.failures[0]["executor_id"]["value"] == "E"

        def everything() -> bool:
            found = [
                {item["name"]: item["scalar"]["value"] for item in offer["resources"]}
                for offer in mine.offers.values()
            ]
            total = {name: sum(offer.get(name, 0) for offer in found) for name in ("cpus", "mem")}
            return total == {"cpus": 2.0, "mem": 256.0}

        await mine.until(everything)
        assert gateway.agents["host"].refused == 0
    await target.close()


async def test_a_torn_down_framework_leaves_nothing_running(bench: Bench) -> None:
    await bench.scheduler.run(SLEEP, "t")
    await bench.scheduler.status("t", "TASK_RUNNING")
    await bench.scheduler.call("TEARDOWN")
    async with asyncio.timeout(60):
        while bench.gateway.agents["host"].tasks.book.frameworks:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert not await bench.gateway.agents["host"].target.usage()


# -- links and masters ------------------------------------------------------------------------------------


async def test_a_broken_link_costs_no_task(bench: Bench) -> None:
    await bench.scheduler.run(SLEEP, "t")
    await bench.scheduler.status("t", "TASK_RUNNING")
    events = bench.gateway.events()
    bench.cut_links()
    async with asyncio.timeout(60):
        async for event in events:
            if isinstance(event, Registered):
                assert event.again
                break
    await bench.scheduler.kill("t")
    await bench.scheduler.status("t", "TASK_KILLED")
    assert "TASK_LOST" not in bench.scheduler.states("t")


async def test_a_broken_link_under_a_framework_that_does_not_checkpoint(bench: Bench) -> None:
    """The master gives such tasks up at once; they must not live on where it offers their room anew."""
    offer = await bench.scheduler.offer()
    decline = {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 60.0}}
    await bench.scheduler.call("DECLINE", decline=decline)
    async with Scheduler(bench.master.address, checkpoint=False) as careless:
        await careless.run(SLEEP, "t")
        await careless.status("t", "TASK_RUNNING")
        bench.cut_links()
        await careless.until(lambda: set(careless.states("t")) & {"TASK_LOST", "TASK_GONE"})
        host = bench.gateway.agents["host"]
        async with asyncio.timeout(60):
            while host.tasks.book.frameworks or await host.target.usage():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await careless.run(FAIL, "next")
        await careless.status("next", "TASK_FAILED")


async def test_a_restarted_master_has_its_agent_and_task_back(bench: Bench) -> None:
    await bench.scheduler.run(SLEEP, "t")
    await bench.scheduler.status("t", "TASK_RUNNING")
    agent_id, events = bench.agent_id, bench.gateway.events()
    await bench.master.restart()
    begin = time.monotonic()
    async with asyncio.timeout(60):
        async for event in events:
            if isinstance(event, Registered):
                break
    assert time.monotonic() - begin < 6
    assert bench.agent_id == agent_id
    await bench.scheduler.resubscribe()
    assert (await bench.agents())["host"]["id"] == agent_id
    await bench.scheduler.kill("t")
    await bench.scheduler.status("t", "TASK_KILLED")
    await bench.scheduler.run(FAIL, "next")
    await bench.scheduler.status("next", "TASK_FAILED")


async def test_a_task_that_ends_while_there_is_no_master_is_told_later(bench: Bench) -> None:
    await bench.scheduler.run(SLEEP, "t")
    await bench.scheduler.status("t", "TASK_RUNNING")
    await bench.master.stop()
    await bench.gateway.agents["host"].target.kill(f"{bench.scheduler.id}/t")
    await asyncio.sleep(0.5)
    await bench.master.start()
    await bench.scheduler.resubscribe()
    # First the master tells what it learns at re-registration, then comes the update itself.
    await bench.scheduler.status("t", "TASK_FAILED")
    await bench.scheduler.until(lambda: "uuid" in bench.scheduler.updates[-1])
    assert bench.scheduler.updates[-1]["reason"] == "REASON_EXECUTOR_TERMINATED"


# -- the operator -----------------------------------------------------------------------------------------


async def test_draining(bench: Bench) -> None:
    await bench.scheduler.run(SLEEP, "t")
    await bench.scheduler.status("t", "TASK_RUNNING")
    await operator(bench.master, "DRAIN_AGENT", drain_agent={"agent_id": {"value": bench.agent_id}})
    status = await bench.scheduler.status("t", "TASK_KILLED")
    assert status["reason"] == "REASON_AGENT_DRAINING"
    async with asyncio.timeout(60):
        while (await bench.agents())["host"]["drain_info"]["state"] != "DRAINED":  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_an_agent_marked_gone_stops(bench: Bench) -> None:
    await bench.scheduler.run(SLEEP, "t")
    await bench.scheduler.status("t", "TASK_RUNNING")
    events = bench.gateway.events()
    await operator(bench.master, "MARK_AGENT_GONE", mark_agent_gone={"agent_id": {"value": bench.agent_id}})
    async with asyncio.timeout(60):
        async for event in events:
            if isinstance(event, Stopped):
                assert "gone" in event.reason
                break
    await bench.scheduler.status("t", "TASK_GONE_BY_OPERATOR")
    assert not bench.gateway.agents


# -- fleets -----------------------------------------------------------------------------------------------


async def test_500_agents_behind_several_ports() -> None:
    flags = FLAGS | {"agent_ping_timeout": "2secs", "max_agent_ping_timeouts": "10"}
    async with Master(flags=flags) as master:
        await _five_hundred(master)


async def _five_hundred(master: Master) -> None:
    targets = [HostTarget(f"h{number}", cpus=0.1, mem_bytes=1 << 20) for number in range(500)]
    for target in targets:
        await target.open()
    async with Gateway(master.address, [], AgentConfig(agents_per_port=100)) as gateway:
        events = gateway.events()
        for target in targets:
            await gateway.add(target)
        async with asyncio.timeout(120):
            known = 0
            async for event in events:
                known += isinstance(event, Registered)
                if known == 500:
                    break
        assert len(gateway.addresses) == 5
        state = await get(f"http://{master.address}/master/state")
        assert len(state["slaves"]) == 500
        assert all(agent["active"] for agent in state["slaves"])
        async with Scheduler(master.address, capabilities=CAPABILITIES) as scheduler:
            await scheduler.until(lambda: len(scheduler.offers) >= 50)
            offers = [scheduler.offers.pop(key) for key in list(scheduler.offers)[:20]]
            resources = [scalar("cpus", 0.01), scalar("mem", 0.5)]
            for number, offer in enumerate(offers):
                task = {"task_id": f"t{number}", "data": FAIL, "resources": resources}
                await scheduler.launch(offer, task)
            for number in range(20):
                await scheduler.status(f"t{number}", "TASK_FAILED")
        # Pings come every two seconds all the while.
        await asyncio.sleep(5)
        state = await get(f"http://{master.address}/master/state")
        assert sum(agent["active"] for agent in state["slaves"]) == 500
        await gateway.close(unregister=True)
        await asyncio.sleep(0.5)
        state = await get(f"http://{master.address}/master/state")
        assert not state["slaves"]
    for target in targets:
        await target.close()
