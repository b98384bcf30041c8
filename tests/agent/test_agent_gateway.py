"""Many agents in one process, and what they answer over HTTP."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from doubles import MasterDouble, TargetDouble, run_task

from agent.config import AgentConfig
from agent.errors import ConfigError, PortError
from agent.events import Stopped
from agent.gateway import Gateway
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.wire.upid import Upid
from hal.target import Cause, Items, Ranges, Scalar

NATIVE_STATE_KEYS = {
    *("attributes", "capabilities", "completed_frameworks", "flags", "frameworks", "hostname", "id"),
    *("master_hostname", "pid", "reserved_resources", "reserved_resources_allocated"),
    *("reserved_resources_full", "resource_providers", "resources", "start_time", "unreserved_resources"),
    *("unreserved_resources_allocated", "unreserved_resources_full", "version"),
}
"""Keys that a native 1.11.0 agent always has, its build's own apart."""
NATIVE_METRICS = {
    *("slave/cpus_percent", "slave/cpus_total", "slave/cpus_used", "slave/mem_total", "slave/mem_used"),
    *("slave/tasks_running", "slave/tasks_failed", "slave/tasks_finished", "slave/tasks_killed"),
    *("slave/executors_running", "slave/frameworks_active", "slave/registered", "slave/uptime_secs"),
    *("system/cpus_total", "system/load_1min", "system/mem_total_bytes", "system/mem_free_bytes"),
}


@pytest_asyncio.fixture
async def master() -> AsyncIterator[MasterDouble]:
    async with MasterDouble() as double:
        yield double


def config(**more: Any) -> AgentConfig:
    return AgentConfig(registration_backoff=0.02, **more)


async def test_agents_spread_over_ports(master: MasterDouble) -> None:
    targets = [TargetDouble(f"b{number}") for number in range(7)]
    async with Gateway(master.address, targets, config(agents_per_port=3)) as gateway:
        await master.take(internal.UpdateSlaveMessage, 7)
        assert len(gateway.addresses) == 3
        pids = [Upid.parse(agent.pid) for agent in gateway.agents.values()]
        assert len(set(pids)) == 7
        assert {pid.id for pid in pids} == {"slave(1)", "slave(2)", "slave(3)"}


async def test_targets_come_and_go_and_numbers_are_not_given_again(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble("a"), TargetDouble("b")], config()) as gateway:
        await master.take(internal.UpdateSlaveMessage, 2)
        events = gateway.events()
        await gateway.remove("a")
        assert await anext(events) == Stopped("a", "unregistered")
        assert (await master.take(internal.UnregisterSlaveMessage)).slave_id.value == "S0"
        await gateway.add(TargetDouble("c"))
        await master.take(internal.UpdateSlaveMessage, 3)
        assert set(gateway.agents) == {"b", "c"}
        assert gateway.agents["c"].id == "slave(3)"
        await gateway.remove("nobody")


async def test_one_name_one_agent(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble("a")], config()) as gateway:
        with pytest.raises(ConfigError, match="There is an agent for a already"):
            await gateway.add(TargetDouble("a"))
    with pytest.raises(ConfigError, match="closed"):
        await gateway.add(TargetDouble("b"))


async def test_ports_can_be_chosen(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble("a")], config()) as first:
        taken = first.addresses[0][1]
        with pytest.raises(PortError, match=str(taken)):
            async with Gateway(master.address, [TargetDouble("b")], config(port=taken)):
                pass
    chosen = config(port=taken, agents_per_port=1)
    async with Gateway(master.address, [TargetDouble("a")], chosen) as second:
        assert second.addresses == [("127.0.0.1", taken)]


async def test_nothing_is_left_behind(master: MasterDouble) -> None:
    before = asyncio.all_tasks()
    async with Gateway(master.address, [TargetDouble("a"), TargetDouble("b")], config()) as gateway:
        await master.take(internal.UpdateSlaveMessage, 2)
        master.send(gateway.agents["a"].pid, run_task())
        await master.status("T0", mesos.TASK_STARTING)
    await asyncio.sleep(0.05)
    left = {task for task in asyncio.all_tasks() - before if "agent" in repr(task.get_coro())}
    assert not left


# -- HTTP -----------------------------------------------------------------------------------------------


async def get(gateway: Gateway, path: str, method: str = "GET") -> tuple[int, str]:
    ip, port = gateway.addresses[0]
    async with aiohttp.ClientSession() as session:
        async with session.request(method, f"http://{ip}:{port}{path}") as response:
            return response.status, await response.text()


async def get_json(gateway: Gateway, path: str) -> dict[str, Any]:
    ip, port = gateway.addresses[0]
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{ip}:{port}{path}") as response:
            assert response.status == 200
            found: dict[str, Any] = await response.json()
            return found


async def test_state_has_a_native_agents_keys_and_shapes(master: MasterDouble) -> None:
    resources = (
        Scalar("cpus", 2.0),
        Scalar("mem", 0.064),
        Scalar("flash_kb", 512.5),
        Ranges("gpio", ((0, 15),)),
        Items("sensors", frozenset({"temp0", "accel"})),
    )
    target = TargetDouble(resources=resources)
    async with Gateway(master.address, [target], config()) as gateway:
        await master.take(internal.UpdateSlaveMessage)
        master.acknowledging = True
        pid = gateway.agents["board"].pid
        for task in ("runs", "over"):
            master.send(pid, run_task(task))
            await master.status(task, mesos.TASK_RUNNING)
        target.end("F0/over", Cause.EXITED)
        await master.status("over", mesos.TASK_FINISHED)
        await asyncio.sleep(0.05)
        state = await get_json(gateway, "/slave(1)/state")
        assert set(state) >= NATIVE_STATE_KEYS
        assert state["resources"] == {
            **{"cpus": 2.0, "mem": 0.064, "disk": 0.0, "gpus": 0.0, "flash_kb": 512.5},
            **{"gpio": "[0-15]", "sensors": "{accel, temp0}"},
        }
        full = {item["name"]: item for item in state["unreserved_resources_full"]}
        assert full["gpio"] == {
            **{"name": "gpio", "type": "RANGES", "role": "*"},
            "ranges": {"range": [{"begin": 0, "end": 15}]},
        }
        assert state["unreserved_resources_allocated"]["cpus"] == 0.1
        assert (state["id"], state["pid"]) == ("S0", pid)
        assert state["attributes"]["target"] == "board"
        (framework,) = state["frameworks"]
        (executor,) = framework["executors"]
        (task,) = executor["tasks"]
        assert (task["id"], task["state"], task["role"]) == ("runs", "TASK_RUNNING", "*")
        assert executor["container"] == task["statuses"][0]["container_status"]["container_id"]["value"]
        (done,) = framework["completed_executors"]
        assert done["completed_tasks"][0]["state"] == "TASK_FINISHED"
        assert (await get_json(gateway, "/state"))["id"] == "S0"
        metrics = await get_json(gateway, "/metrics/snapshot")
        assert set(metrics) >= NATIVE_METRICS
        assert all(isinstance(value, float) for value in metrics.values())
        assert metrics["slave/tasks_running"] == metrics["slave/tasks_finished"] == 1.0
        assert metrics["slave/cpus_percent"] == 0.05


async def test_the_rest_of_http(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble("a"), TargetDouble("b")], config()) as gateway:
        await master.take(internal.UpdateSlaveMessage, 2)
        assert await get(gateway, "/slave(1)/health") == (200, "")
        assert await get(gateway, "/slave%282%29/health") == (200, "")
        assert (await get_json(gateway, "/version"))["version"] == "1.11.0"
        assert (await get_json(gateway, "/slave(2)/flags"))["flags"]["ip"] == "127.0.0.1"
        assert (await get_json(gateway, "/metrics/snapshot"))["slave/cpus_total"] == 2.0
        assert (await get_json(gateway, "/slave(1)/metrics/snapshot"))["slave/cpus_total"] == 1.0
        status, text = await get(gateway, "/slave(1)/state?jsonp=angular.callbacks._0")
        assert status == 200
        assert text.startswith("angular.callbacks._0({")
        assert (await get(gateway, "/slave(1)/state?jsonp=alert(1)//"))[0] == 400
        assert (await get(gateway, "/slave(1)/state", "POST"))[0] == 200  # as a native agent
        for path in ("/slave(9)/state", "/", "/nonsense", "/slave(1)/nonsense", "/slave(1)/../../etc/passwd"):
            assert (await get(gateway, path))[0] == 404


# -- the house ------------------------------------------------------------------------------------------


def test_the_agent_knows_no_hardware_and_no_terminal() -> None:
    program = (
        "import sys, agent.gateway; "
        "print([name for name in sys.modules if name.split('.')[0] in ('textual', 'emulation', 'console')"
        " or (name.startswith('hal.') and name[4:] not in ('target', 'errors', 'problems', 'checks'))])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=True
    )
    assert done.stdout.strip() == "[]"
