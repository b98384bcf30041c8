"""One framework script, played against Mesos's own agent and ours: what it is told must look the same.

The native agent lives in the master's process, where no launcher for its executors is at hand: a task fails
to launch there, so here it is one that cannot be launched either (its reason tells of the missing launcher,
and is not compared). What differs on purpose is named.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from v1_scheduler import Scheduler, scalar

from agent.config import AgentConfig
from agent.gateway import Gateway
from emulation.master import Master
from hal.host import HostTarget

pytestmark = pytest.mark.end_to_end

ROLE = "lab"
FLAGS = {"allocation_interval": "100ms"}
NOT_OURS = {"RESIZE_VOLUME", "TASK_RESOURCE_LIMITS"}
"""Capabilities that make no sense on a device: it has no volumes, and its budgets are exact."""


def shape(value: Any) -> Any:
    """The names and kinds within a JSON value, without what differs from one agent to the next."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        found = [shape(item) for item in value]
        return found[:1] if all(item == found[0] for item in found) else found
    return type(value).__name__


async def play(master: Master, agent_id: str) -> dict[str, Any]:
    """The script; gives what there is to compare."""
    seen: dict[str, Any] = {}
    async with Scheduler(master.address, roles=(ROLE,)) as mine:
        offer = await mine.offer(agent_id)
        seen["offer"] = sorted(offer.keys() - {"attributes"})
        seen["resource"] = shape(next(item for item in offer["resources"] if item["name"] == "cpus"))
        # reservations, one too many at the end
        mem = {**scalar("mem", 16.0, ROLE), "reservations": [{"type": "DYNAMIC", "role": ROLE}]}
        reserve = {"type": "RESERVE", "id": {"value": "r"}, "reserve": {"resources": [mem]}}
        await accept(mine, offer, reserve)
        seen["reserved"] = await feedback(mine, "r")
        asked = [{"operation_id": {"value": "r"}, "agent_id": offer["agent_id"]}]
        await mine.call("RECONCILE_OPERATIONS", reconcile_operations={"operations": asked})
        offer = await mine.until(
            lambda: next(
                (one for one in mine.offers.values() if any("reservations" in r for r in one["resources"])),
                None,
            )
        )
        mine.offers.clear()
        held = next(item for item in offer["resources"] if "reservations" in item)
        seen["reservation"] = shape(held)
        undo = {"type": "UNRESERVE", "id": {"value": "u"}, "unreserve": {"resources": [mem]}}
        await accept(mine, offer, undo)
        seen["unreserved"] = await feedback(mine, "u")
        # a task that cannot be launched
        task = {
            "task_id": "t",
            "resources": [scalar("cpus", 0.1, ROLE), scalar("mem", 16, ROLE)],
            "command": {"shell": False, "value": "/nowhere"},
            "labels": {"labels": [{"key": "a", "value": "b"}]},
        }
        await mine.launch(await mine.offer(agent_id), task)
        failed = await mine.status("t", "TASK_FAILED")
        seen["failed"] = {name: failed.get(name) for name in ("state", "source")}
        seen["fields"] = sorted(failed.keys() - {"data"})
        await mine.until(lambda: mine.offers)  # all resources are free again
        # what nobody knows
        count = len(mine.updates)
        unknown = {"tasks": [{"task_id": {"value": "never"}, "agent_id": offer["agent_id"]}]}
        await mine.call("RECONCILE", reconcile=unknown)
        await mine.until(lambda: len(mine.updates) > count)
        seen["unknown"] = (mine.updates[-1]["state"], mine.updates[-1]["reason"], mine.updates[-1]["source"])
        await mine.call("TEARDOWN")
    async with aiohttp.ClientSession() as session:
        url = f"http://{master.address}/master/api/v1"
        async with session.post(
            url, json={"type": "GET_AGENTS"}, headers={"Accept": "application/json"}
        ) as got:
            (agent,) = (await got.json())["get_agents"]["agents"]
    seen["agent"] = sorted(agent)
    seen["info"] = sorted(agent["agent_info"].keys() - {"attributes", "domain"})
    seen["capabilities"] = {item["type"] for item in agent["capabilities"]} - NOT_OURS
    return seen


async def accept(mine: Scheduler, offer: dict[str, Any], *operations: dict[str, Any]) -> None:
    body = {"offer_ids": [offer["id"]], "operations": operations, "filters": {"refuse_seconds": 0.0}}
    await mine.call("ACCEPT", accept=body)


async def feedback(mine: Scheduler, name: str) -> Any:
    def find() -> dict[str, Any] | None:
        return next((one for one in mine.operations if one["operation_id"]["value"] == name), None)

    status = await mine.until(find)
    body = {
        "agent_id": status["agent_id"],
        "uuid": status["uuid"]["value"],
        "operation_id": {"value": name},
    }
    await mine.call("ACKNOWLEDGE_OPERATION_STATUS", acknowledge_operation_status=body)
    return status["state"], shape(status)


async def test_a_framework_cannot_tell_our_agent_from_a_native_one() -> None:
    async with Master(flags=FLAGS, native_agents=1) as master:
        native = await play(master, "")
    target = HostTarget(cpus=2.0, mem_bytes=512 << 20)
    await target.open()
    async with Master(flags=FLAGS) as master:
        async with Gateway(master.address, [target], AgentConfig()):
            async with asyncio.timeout(60):
                ours = await play(master, "")
    await target.close()
    assert ours == native
