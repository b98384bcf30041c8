"""Operations and a genuine Mesos master: reservations by frameworks and operators, feedback, draining."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from v1_scheduler import Scheduler

from agent.config import AgentConfig
from agent.events import Registered
from agent.gateway import Gateway
from emulation.master import Master
from hal.host import HostTarget

pytestmark = pytest.mark.end_to_end

ROLE = "sensing"
FLAGS = {"allocation_interval": "100ms"}


def reserved(name: str, value: float, role: str = ROLE, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "SCALAR",
        "scalar": {"value": value},
        "reservations": [{"type": "DYNAMIC", "role": role}],
        **more,
    }


@pytest_asyncio.fixture
async def running() -> AsyncIterator[tuple[Master, Gateway, Scheduler]]:
    target = HostTarget(cpus=2.0, mem_bytes=64 << 20)
    await target.open()
    async with Master(flags=FLAGS) as master:
        config = AgentConfig(update_retry_min=0.5)
        async with Gateway(master.address, [target], config) as gateway:
            async with Scheduler(master.address, roles=(ROLE,)) as scheduler:
                yield master, gateway, scheduler
                assert master.pid is not None, master.tail()
                assert gateway.agents["host"].refused == 0
    await target.close()


async def apply(scheduler: Scheduler, offer: dict[str, Any], *operations: dict[str, Any]) -> None:
    """Accept an offer for operations, and keep the agent's offers coming."""
    accept = {"offer_ids": [offer["id"]], "operations": operations, "filters": {"refuse_seconds": 0.0}}
    await scheduler.call("ACCEPT", accept=accept)


async def feedback(scheduler: Scheduler, name: str) -> dict[str, Any]:
    """The status of an operation, acknowledged."""

    def find() -> dict[str, Any] | None:
        found = (one for one in scheduler.operations if one["operation_id"]["value"] == name)
        return next(found, None)

    status: dict[str, Any] = await scheduler.until(find)
    if "uuid" in status:
        body = {
            "agent_id": status["agent_id"],
            "uuid": status["uuid"]["value"],
            "operation_id": {"value": name},
        }
        await scheduler.call("ACKNOWLEDGE_OPERATION_STATUS", acknowledge_operation_status=body)
    return status


async def settled(gateway: Gateway) -> None:
    async with asyncio.timeout(60):
        while gateway.agents["host"].operations.all:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_framework_reserves_uses_and_unreserves(
    running: tuple[Master, Gateway, Scheduler],
) -> None:
    _, gateway, scheduler = running
    mem = reserved("mem", 16.0, allocation_info={"role": ROLE})
    reserve = {"type": "RESERVE", "id": {"value": "r"}, "reserve": {"resources": [mem]}}
    await apply(scheduler, await scheduler.offer(), reserve)
    assert (await feedback(scheduler, "r"))["state"] == "OPERATION_FINISHED"
    await settled(gateway)

    def holds(offer: dict[str, Any]) -> bool:
        return any(item["name"] == "mem" and item.get("reservations") for item in offer["resources"])

    offer = await scheduler.until(lambda: next(filter(holds, scheduler.offers.values()), None))
    scheduler.offers.clear()
    undo = {"type": "UNRESERVE", "id": {"value": "u"}, "unreserve": {"resources": [mem]}}
    await apply(scheduler, offer, undo)
    assert (await feedback(scheduler, "u"))["state"] == "OPERATION_FINISHED"
    await settled(gateway)
    assert not gateway.agents["host"].operations.reserved


async def test_a_volume_fails_in_words_and_the_disk_is_offered_again(
    running: tuple[Master, Gateway, Scheduler],
) -> None:
    _, gateway, scheduler = running
    disk = reserved("disk", 10.0, allocation_info={"role": ROLE})
    volume = {
        **disk,
        "disk": {"persistence": {"id": "v"}, "volume": {"container_path": "v", "mode": "RW"}},
    }
    reserve = {"type": "RESERVE", "id": {"value": "r"}, "reserve": {"resources": [disk]}}
    create = {"type": "CREATE", "id": {"value": "c"}, "create": {"volumes": [volume]}}
    await apply(scheduler, await scheduler.offer(), reserve, create)
    assert (await feedback(scheduler, "r"))["state"] == "OPERATION_FINISHED"
    failed = await feedback(scheduler, "c")
    assert failed["state"] == "OPERATION_FAILED"
    assert "volumes" in failed["message"]
    await settled(gateway)

    def plain(offer: dict[str, Any]) -> bool:
        found = [item for item in offer["resources"] if item.get("reservations")]
        return any(item["name"] == "disk" and "disk" not in item for item in found)

    async with asyncio.timeout(60):
        while not plain(offer := await scheduler.offer()):
            # made before the master knew: it has the volume in it
            decline = {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.0}}
            await scheduler.call("DECLINE", decline=decline)


async def test_an_operator_reserves_and_reservations_outlive_the_master(
    running: tuple[Master, Gateway, Scheduler],
) -> None:
    master, gateway, scheduler = running
    agent = gateway.agents["host"]
    offer = await scheduler.offer()
    body = {"agent_id": offer["agent_id"], "resources": [reserved("mem", 8.0)]}
    async with aiohttp.ClientSession() as session:
        url = f"http://{master.address}/master/api/v1"
        call = {"type": "RESERVE_RESOURCES", "reserve_resources": body}
        async with session.post(url, json=call) as response:
            assert response.status == 202, await response.text()
    async with asyncio.timeout(60):
        while not agent.operations.reserved:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await settled(gateway)  # for an operator the master acknowledges
    await master.restart()
    await scheduler.resubscribe()

    def holds(offer: dict[str, Any]) -> bool:
        return any(item["name"] == "mem" and item.get("reservations") for item in offer["resources"])

    await scheduler.until(lambda: any(map(holds, scheduler.offers.values())), timeout=30)


async def test_mma_agent_ends_when_its_agent_may_not_come_back(tmp_path: Path) -> None:
    async def mma(*words: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "console.cli", "agent", "--master", master.address, "--target", "host"),
            *("--work_dir", str(tmp_path), *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()

    target = HostTarget(cpus=1.0, mem_bytes=64 << 20)
    await target.open()
    async with Master(flags=FLAGS) as master:
        async with Gateway(master.address, [], AgentConfig(work_dir=tmp_path)) as gateway:
            events = gateway.events()
            await gateway.add(target)
            assert isinstance(await anext(aiter(events)), Registered)
        code, output = await mma()
        assert code == 1, output
        assert "host is not what it was" in output
        assert "--recover=cleanup" in output
        code, output = await mma("--recover", "cleanup")
        assert (code, "cleaned up" in output) == (0, True), output
    await target.close()
