"""What operators' tools do with the genuine master and our agents: its web UI's requests, step by step, and
those of the `mesos` command (which leaves the agent's id out of the path)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from v1_scheduler import Scheduler, scalar
from wasmtime import wat2wasm

from agent.config import AgentConfig
from agent.gateway import Gateway
from emulation.master import Master
from emulation.targets import open_machine
from hal import firmware
from hal.boards import load_board
from hal.guest import build_module
from hal.host import HostTarget
from hal.mcu import McuTarget

pytestmark = pytest.mark.end_to_end

EXAMPLES = Path(__file__).parents[2] / "firmware" / "sdk" / "examples"

TICKER = bytes(
    wat2wasm(r"""
(module (import "mma" "log" (func $log (param i32 i32) (result i32)))
  (import "mma" "sleep_us" (func $sleep (param i64)))
  (memory 1) (data (i32.const 0) "tick")
  (func (export "main")
    (loop $again (drop (call $log (i32.const 0) (i32.const 4)))
      (call $sleep (i64.const 20000)) (br $again))))""")
)


class Tools:
    """A master, two agents behind one port, and a task that logs on the second."""

    def __init__(self, master: Master, scheduler: Scheduler, session: aiohttp.ClientSession) -> None:
        self.master, self.scheduler, self.session = master, scheduler, session

    async def jsonp(self, url: str, **params: str) -> Any:
        """As AngularJS 1.2 asks from a page of the master's: a script that calls a function with the data."""
        name = "angular.callbacks._0"
        async with self.session.get(f"http:{url}", params={**params, "jsonp": name}) as response:
            assert response.status == 200, url
            assert response.content_type in ("text/javascript", "application/javascript")
            text = (await response.text()).strip().removesuffix(";")
        assert text.startswith(f"{name}(")
        assert text.endswith(")")
        return json.loads(text[len(name) + 1 : -1])

    async def agent_of(self, task_id: str) -> tuple[Any, Any]:
        """The task and its agent, in the master's words."""
        state = await self.jsonp(f"//{self.master.address}/master/state")
        (task,) = (t for framework in state["frameworks"] for t in framework["tasks"] if t["id"] == task_id)
        (agent,) = (item for item in state["slaves"] if item["id"] == task["slave_id"])
        return task, agent


@pytest_asyncio.fixture
async def tools() -> AsyncIterator[Tools]:
    targets = [HostTarget(name, cpus=1.0, mem_bytes=16 << 20) for name in ("first", "second")]
    for target in targets:
        await target.open()
    try:
        async with (
            Master(flags={"allocation_interval": "100ms"}) as master,
            Gateway(master.address, targets, AgentConfig()) as gateway,
            Scheduler(master.address) as scheduler,
            aiohttp.ClientSession() as session,
        ):
            async with asyncio.timeout(60):
                while not (agent_id := gateway.agents["second"].agent_id):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await scheduler.run(TICKER, "ticker", agent_id)
            await scheduler.status("ticker", "TASK_RUNNING")
            yield Tools(master, scheduler, session)
    finally:
        for target in targets:
            await target.close()


async def test_the_web_ui_shows_sandbox_log_and_statistics(tools: Tools) -> None:
    """The requests of AgentCtrl, BrowseCtrl and the pager (src/webui/app/controllers.js)."""
    _, agent = await tools.agent_of("ticker")
    process, _, address = agent["pid"].partition("@")
    assert process == "slave(2)"
    prefix = f"//{agent['hostname']}:{address.rpartition(':')[2]}"
    state = await tools.jsonp(f"{prefix}/{process}/state")
    (framework,) = state["frameworks"]
    (executor,) = framework["executors"]
    assert [item["id"] for item in executor["tasks"]] == ["ticker"]
    (entry,) = await tools.jsonp(f"{prefix}/{process}/monitor/statistics")
    assert entry["executor_id"] == executor["id"]
    for name in ("cpus_user_time_secs", "cpus_system_time_secs", "cpus_limit", "mem_rss_bytes"):
        assert isinstance(entry["statistics"][name], (int, float))
    assert entry["statistics"]["mem_limit_bytes"] == 1 << 20
    metrics = await tools.jsonp(f"{prefix}/metrics/snapshot")
    assert metrics["slave/tasks_running"] == 1.0
    listing = await tools.jsonp(f"{prefix}/files/browse", path=executor["directory"])
    names = [item["path"].rpartition("/")[2] for item in listing]
    assert names == ["budget.txt", "module.wasm", "stderr", "stdout"]
    log = f"{executor['directory']}/stdout"
    size = 0
    async with asyncio.timeout(60):
        while size < 50:  # the pager asks again and again
            size = (await tools.jsonp(f"{prefix}/files/read", path=log, offset="-1"))["offset"]
    page = await tools.jsonp(f"{prefix}/files/read", path=log, offset=str(size - 10), length="50000")
    assert page["data"].startswith("tick\ntick\n")
    async with tools.session.get(f"http:{prefix}/files/download", params={"path": log}) as response:
        assert (await response.read()).startswith(b"tick\n")


async def test_the_mesos_command_attaches_to_a_task(tools: Tools) -> None:
    """TaskIO of src/python/cli_new/lib/cli/mesos.py: the container's id from the master's /tasks, then the
    agent's /api/v1 without an id, though two agents share the port."""
    task, agent = await tools.agent_of("ticker")
    container = task["statuses"][0]["container_status"]["container_id"]
    url = f"http://{agent['pid'].split('@')[1]}/api/v1"
    call = {"type": "ATTACH_CONTAINER_OUTPUT", "attach_container_output": {"container_id": container}}
    headers = {"Accept": "application/recordio", "Message-Accept": "application/json"}
    out = b""
    async with tools.session.post(url, json=call, headers=headers) as response:
        assert response.status == 200
        while size := await response.content.readline():
            record = json.loads(await response.content.readexactly(int(size)))
            if record.get("type") == "DATA" and record["data"]["type"] == "STDOUT":
                if not out:
                    await tools.scheduler.kill("ticker")  # the stream ends with it
                out += base64.b64decode(record["data"]["data"])
    assert out.startswith(b"tick\n")
    await tools.scheduler.status("ticker", "TASK_KILLED")


async def test_a_boards_fault_is_found_in_its_sandbox() -> None:
    """On an emulated board: the map has the address of the fault that stderr tells, and the CPU time that
    the kernel measured is in the statistics."""
    board = load_board("stm32f4")
    async with contextlib.AsyncExitStack() as stack:
        master = await stack.enter_async_context(Master(flags={"allocation_interval": "100ms"}))
        machine = await stack.enter_async_context(open_machine("stm32f4@qemu"))
        await machine.start((await asyncio.to_thread(firmware.build, board)).elf)
        target = McuTarget("stm32f4@qemu", board, machine.connect)
        await target.open()
        stack.push_async_callback(target.close)
        gateway = await stack.enter_async_context(Gateway(master.address, [target], AgentConfig()))
        scheduler = await stack.enter_async_context(Scheduler(master.address))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        ip, port = gateway.addresses[0]
        base = f"http://{ip}:{port}"

        async def get(endpoint: str, **params: str) -> Any:
            async with session.get(base + endpoint, params=params) as response:
                assert response.status == 200, await response.text()
                return await response.json()

        needs = [scalar("cpus", 0.1), scalar("mem", 0.016)]
        for name, state in (("spin", "TASK_RUNNING"), ("trap", "TASK_FAILED")):
            module = await asyncio.to_thread(build_module, EXAMPLES / f"{name}.c")
            await scheduler.run(module, name, resources=needs)
            await scheduler.status(name, state, timeout=60)
        used = 0.0
        async with asyncio.timeout(30):
            while used == 0.0:  # the target reads its counters once a second at most
                (entry,) = await get("/monitor/statistics")
                used = entry["statistics"]["cpus_user_time_secs"]
        assert entry["executor_id"] == "spin"
        assert entry["statistics"]["mem_rss_bytes"] > 0
        framework = scheduler.id
        folder = f"/frameworks/{framework}/executors/trap/runs/latest"
        said = (await get("/files/read", path=f"{folder}/stderr", offset="0"))["data"]
        assert "integer divide by zero" in said
        (fault,) = {int(word, 16) for word in re.findall(r"pc (0x[0-9a-f]+)", said)}
        rows = (await get("/files/read", path=f"{folder}/module.map", offset="0"))["data"].splitlines()
        functions = [row.split() for row in rows if re.match(r"0x[0-9a-f]+ +\d+ +[\d-]+ ", row)]
        inside = [r[3] for r in functions if int(r[0], 16) <= fault < int(r[0], 16) + int(r[1])]
        assert inside == ["main"]
        budget = (await get("/files/read", path=f"{folder}/budget.txt", offset="0"))["data"]
        parts = {line.split()[0]: int(line.split()[1]) for line in budget.splitlines()}
        assert parts.pop("total") == sum(parts.values()) <= 16777
