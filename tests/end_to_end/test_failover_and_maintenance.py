"""What comes back or not, at a genuine master: schedulers, machines in maintenance, boards that restarted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from v1_scheduler import Scheduler, scalar
from wasmtime import wat2wasm

from agent.config import AgentConfig
from agent.events import Registered, Stopped
from agent.gateway import Gateway
from emulation.master import Master
from emulation.targets import open_machine
from hal import firmware
from hal.boards import load_board
from hal.host import HostTarget
from hal.link.serial import SerialPort
from hal.mcu import McuTarget
from tests.hal.serial_board import SerialBoard

pytestmark = pytest.mark.end_to_end

LITTLE = [scalar("cpus", 0.1), scalar("mem", 0.016)]
FLAGS = {"allocation_interval": "100ms"}
SLEEP = bytes(
    wat2wasm("""
(module (import "mma" "sleep_us" (func $sleep (param i64)))
  (func (export "main") (call $sleep (i64.const 3600000000))))""")
)


@asynccontextmanager
async def cluster() -> AsyncIterator[tuple[Master, Gateway, HostTarget]]:
    """A master and an agent, of which both must be well at the end."""
    target = HostTarget(cpus=2.0, mem_bytes=64 << 20)
    await target.open()
    async with Master(flags=FLAGS) as master:
        async with Gateway(master.address, [target], AgentConfig(update_retry_min=0.5)) as gateway:
            yield master, gateway, target
            assert master.pid is not None, master.tail()
            assert all(agent.refused == 0 for agent in gateway.agents.values())
    await target.close()


async def until(condition: Callable[[], Awaitable[Any]], timeout: float = 60.0) -> None:
    async with asyncio.timeout(timeout):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def idle(gateway: Gateway, target: HostTarget) -> None:
    """Nothing runs any more, and no agent knows of anything."""

    async def empty() -> bool:
        books = [agent.tasks.book.frameworks for agent in gateway.agents.values()]
        return not await target.usage() and not any(books)

    await until(empty)


async def operator(master: Master, kind: str, **body: Any) -> dict[str, Any]:
    """One call of the master's operator API."""
    url, accept = f"http://{master.address}/master/api/v1", {"Accept": "application/json"}
    async with aiohttp.ClientSession(headers=accept) as session:
        async with session.post(url, json={"type": kind, **body}) as response:
            assert response.status == 200, await response.text()
            found: dict[str, Any] = await response.json(content_type=None) if response.content_length else {}
            return found


async def test_another_scheduler_takes_a_framework_over() -> None:
    """It has the tasks, and hears at once what its predecessor did not acknowledge."""
    async with cluster() as (master, _, _):
        async with Scheduler(master.address, acknowledge=False) as first:
            await first.run(SLEEP, "t")
            starting = await first.status("t", "TASK_STARTING")
            second = Scheduler(master.address)
            second.take_over(first)
            async with second:
                assert second.id == first.id
                await first.until(lambda: first.errors)
                assert "failed over" in first.errors[0]
                again = await second.status("t", "TASK_STARTING")
                assert again["uuid"] == starting["uuid"]
                await second.status("t", "TASK_RUNNING")
                await second.kill("t")
                await second.status("t", "TASK_KILLED")
                assert second.states("t") == ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"]


async def test_a_framework_that_never_comes_back_is_shut_down() -> None:
    async with cluster() as (master, gateway, target):
        async with Scheduler(master.address, failover_timeout=0.5) as gone:
            await gone.run(SLEEP, "t")
            await gone.status("t", "TASK_RUNNING")
        await idle(gateway, target)
        async with Scheduler(master.address) as other:  # what it held is free again
            offer = await other.offer()
            cpus = next(item for item in offer["resources"] if item["name"] == "cpus")
            assert cpus["scalar"]["value"] == 2.0


async def test_a_machine_in_maintenance_is_asked_back_taken_down_and_let_in_again() -> None:
    """Maintenance primitives (docs/maintenance.md of Mesos): all agents of a gateway are one machine."""
    async with cluster() as (master, gateway, target), Scheduler(master.address) as framework:
        events = gateway.events()
        await framework.run(SLEEP, "t")
        await framework.status("t", "TASK_RUNNING")
        old = gateway.agents["host"].agent_id
        hostname = gateway.agents["host"].hostname
        machine = {"hostname": hostname, "ip": hostname}
        when = {"start": {"nanoseconds": time.time_ns()}, "duration": {"nanoseconds": 3600 * 10**9}}
        schedule = {"windows": [{"machine_ids": [machine], "unavailability": when}]}
        await operator(
            master, "UPDATE_MAINTENANCE_SCHEDULE", update_maintenance_schedule={"schedule": schedule}
        )
        inverse = await framework.until(lambda: framework.inverse_offers)
        assert inverse[0]["agent_id"]["value"] == old
        assert inverse[0]["unavailability"]["start"] == when["start"]
        ids = {"inverse_offer_ids": [inverse[0]["id"]], "filters": {"refuse_seconds": 0.1}}
        await framework.call("ACCEPT_INVERSE_OFFERS", accept_inverse_offers=ids)

        async def answered() -> bool:
            told = await operator(master, "GET_MAINTENANCE_STATUS")
            (draining,) = told["get_maintenance_status"]["status"]["draining_machines"]
            return any(one["status"] == "ACCEPT" for one in draining.get("statuses", ()))

        await until(answered)
        # offers tell of it, so that only what is short goes there
        offer = await framework.offer(old)
        assert offer["unavailability"]["start"] == when["start"]

        await operator(master, "START_MAINTENANCE", start_maintenance={"machines": [machine]})
        async with asyncio.timeout(60):
            async for event in events:
                if isinstance(event, Stopped):
                    assert "Machine DOWN" in event.reason
                    break
        await framework.until(lambda: framework.states("t")[-1] in ("TASK_LOST", "TASK_GONE"))
        await idle(gateway, target)

        await gateway.add(target)  # too early: the machine is down
        async with asyncio.timeout(60):
            async for event in events:
                if isinstance(event, Stopped):
                    assert "DOWN" in event.reason
                    break
        await operator(master, "STOP_MAINTENANCE", stop_maintenance={"machines": [machine]})
        await gateway.add(target)
        offer = await framework.until(
            lambda: next((o for o in framework.offers.values() if o["agent_id"]["value"] != old), None)
        )
        assert "unavailability" not in offer


async def test_a_board_that_restarted_while_no_gateway_was_there_keeps_its_agent(tmp_path: Path) -> None:
    """As with a host of native agents that rebooted: same id, and its executors did not re-register."""
    board, config = load_board("stm32f4"), AgentConfig(work_dir=tmp_path, update_retry_min=0.5)
    async with open_machine("stm32f4@qemu") as machine, Master(flags=FLAGS) as master:
        await machine.start(firmware.build(board).elf)
        async with Scheduler(master.address) as framework:
            ids = []
            for life in range(2):
                target = McuTarget("board", board, machine.connect)
                await target.open()
                async with Gateway(master.address, [target], config) as gateway:
                    await framework.run(SLEEP, f"t{life}", resources=LITTLE)
                    await framework.status(f"t{life}", "TASK_RUNNING")
                    ids.append(gateway.agents["board"].agent_id)
                    if life:
                        lost = await framework.status("t0", "TASK_FAILED")
                        assert lost["reason"] == "REASON_EXECUTOR_REREGISTRATION_TIMEOUT"
                        assert len(await target.usage()) == 1
                await target.close()
                await machine.reset()
            assert ids[0] == ids[1]


async def test_a_board_that_stays_away_is_unreachable_until_it_is_back(tmp_path: Path) -> None:
    """With device_timeout. Its task has lived on all the while."""
    board, config = load_board("stm32f4"), AgentConfig(device_timeout=0.5)
    pings = {"agent_ping_timeout": "1secs", "max_agent_ping_timeouts": "2"}
    async with open_machine("stm32f4@qemu") as machine, Master(flags={**FLAGS, **pings}) as master:
        await machine.start(firmware.build(board).elf)
        async with SerialBoard(machine, tmp_path) as line, Scheduler(master.address) as framework:
            target = McuTarget("board", board, SerialPort(str(line.port), board.baud).connect)
            await target.open()
            async with Gateway(master.address, [target], config) as gateway:
                await framework.run(SLEEP, "t", resources=LITTLE)
                running = await framework.status("t", "TASK_RUNNING")
                await line.unplug()
                away = await framework.status("t", "TASK_UNREACHABLE", timeout=60)
                assert (away["source"], away["reason"]) == ("SOURCE_MASTER", "REASON_AGENT_REMOVED")
                events = gateway.events()
                await line.plug()
                async with asyncio.timeout(60):
                    while not isinstance(event := await anext(events), Registered):
                        pass
                assert (event.again, event.agent_id) == (True, running["agent_id"]["value"])
                framework.updates.clear()
                await framework.kill("t")
                await framework.status("t", "TASK_KILLED", timeout=60)
            await target.close()
