"""Health checks and checks of tasks on the host and on an emulated board, through the genuine master."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from v1_scheduler import Scheduler, scalar

from agent.config import AgentConfig
from agent.gateway import Gateway
from console.fleet.opening import Member, parse_name
from emulation.master import Master
from hal.guest import build_module

pytestmark = pytest.mark.end_to_end

EXAMPLE = Path(str(resources.files("firmware"))) / "sdk" / "examples" / "watchman.c"
TIMES = {"delay_seconds": 0.1, "interval_seconds": 0.2, "timeout_seconds": 30.0}
CHECKED = "REASON_TASK_CHECK_STATUS_UPDATED"
HEALTHY = {"shell": False, "value": "healthy"}


async def task_of(url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(url) as reply:
        (framework,) = (await reply.json(content_type=None))["frameworks"]
    executors = framework.get("executors") or [framework]
    found: dict[str, Any] = executors[0]["tasks"][0]
    return found


@pytest_asyncio.fixture
async def master() -> AsyncIterator[Master]:
    async with Master() as started:
        yield started


@pytest.mark.parametrize(("name", "mem"), [("host", 1), ("stm32f4@qemu", 0.008)])
async def test_a_task_is_healthy_then_sick_and_killed(
    master: Master, name: str, mem: float, tmp_path: Path
) -> None:
    module = await asyncio.to_thread(build_module, EXAMPLE)
    member = Member(parse_name(name))
    await member.open(lambda text: None)
    try:
        config = AgentConfig(registration_backoff=0.1, work_dir=tmp_path)
        async with (
            Gateway(master.address, [member.target], config) as gateway,
            Scheduler(master.address) as it,
        ):
            task: dict[str, Any] = {
                "task_id": "w",
                "data": module,
                "resources": [scalar("cpus", 0.1), scalar("mem", mem)],
                "health_check": {"type": "COMMAND", "command": HEALTHY, "consecutive_failures": 2, **TIMES},
                "check": {
                    "type": "COMMAND",
                    "command": {"command": {"shell": False, "value": "beats"}},
                    **TIMES,
                },
            }
            await it.launch(await it.offer(timeout=60), task)

            def update(state: str, **wanted: object) -> Any:
                for one in it.updates:
                    if one["state"] == state and all(one.get(key) == value for key, value in wanted.items()):
                        return one
                return None

            async def told(state: str, **wanted: object) -> Any:
                await it.until(lambda: update(state, **wanted) or update("TASK_FAILED"), 90)
                assert not update("TASK_FAILED"), update("TASK_FAILED")["message"]
                return update(state, **wanted)

            first = await told("TASK_RUNNING")
            assert first["check_status"] == {"type": "COMMAND", "command": {}}
            assert "healthy" not in first
            healthy = await told("TASK_RUNNING", reason="REASON_TASK_HEALTH_CHECK_STATUS_UPDATED")
            assert healthy["healthy"] is True
            assert healthy["source"] == "SOURCE_EXECUTOR"
            checked = await told("TASK_RUNNING", reason="REASON_TASK_CHECK_STATUS_UPDATED")
            assert checked["check_status"]["command"]["exit_code"] >= 0
            agent = gateway.agents[name]
            url = f"http://{agent.ip}:{agent.port}/{agent.id}/state"
            await it.until(lambda: update("TASK_RUNNING", healthy=True, reason=CHECKED), 90)
            ours, theirs = await task_of(url), await task_of(f"http://{master.address}/master/state")
            assert ours["health_check"] == theirs["health_check"]
            assert [sorted(one) for one in ours["statuses"]] == [sorted(one) for one in theirs["statuses"]]
            await member.target.send(f"{it.id}/w", b"sick")
            sick = await told("TASK_RUNNING", healthy=False)
            assert sick["reason"] == "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"
            killed = await told("TASK_KILLED")
            assert killed["healthy"] is False
            assert "health check failed" in killed["message"]
            (record,) = [task for _, task in agent.tasks.book.completed] or list(agent.tasks.book.tasks())
            stdout = (agent.sandboxes.directory(record) / "stdout").read_bytes()
            assert stdout == b"sick\n"
    finally:
        await member.close()


async def test_what_no_device_can_serve_is_refused_in_words(master: Master) -> None:
    module = await asyncio.to_thread(build_module, EXAMPLE)
    member = Member(parse_name("host"))
    await member.open(lambda text: None)
    forms: dict[str, dict[str, Any]] = {
        "http": {"health_check": {"type": "HTTP", "http": {"port": 80}}},
        "tcp": {"check": {"type": "TCP", "tcp": {"port": 80}}},
        "shell": {"health_check": {"type": "COMMAND", "command": {"shell": True, "value": "healthy"}}},
        "absent": {"health_check": {"type": "COMMAND", "command": {"shell": False, "value": "absent"}}},
    }
    said = {
        "http": "of type HTTP",
        "tcp": "of type TCP",
        "shell": "one for a shell",
        "absent": "'absent', which is not there",
    }
    try:
        async with Gateway(master.address, [member.target]), Scheduler(master.address) as it:
            for name, form in forms.items():
                await it.launch(await it.offer(timeout=60), {"task_id": name, "data": module, **form})
                failed = await it.status(name, "TASK_FAILED", 60)
                assert said[name] in failed["message"]
                assert failed["reason"] == "REASON_CONTAINER_LAUNCH_FAILED"
    finally:
        await member.close()
