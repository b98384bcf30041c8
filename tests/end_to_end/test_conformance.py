"""One framework script, played against Mesos's own agent and ours: what it is told must look the same.

The native agent lives in the master's process, where no launcher for its executors is at hand: a task fails
to launch there, so here it is one that cannot be launched either (its reason tells of the missing launcher,
and is not compared). What differs on purpose is named.
"""

from __future__ import annotations

import asyncio
import json
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
NOT_OURS = {"RESIZE_VOLUME"}
"""Capabilities that make no sense on a device: it has no volumes."""


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
        # likewise under an executor of its own, and in a group
        executor = {"executor_id": {"value": "e"}, "command": {"shell": False, "value": "/nowhere"}}
        executor["resources"] = [scalar("cpus", 0.1, ROLE), scalar("mem", 32, ROLE)]
        less = [scalar("cpus", 0.1, ROLE), scalar("mem", 16, ROLE)]
        own = {"task_id": "own", "resources": less, "executor": executor}
        await mine.launch(await whole(mine, agent_id), own)
        seen["own"] = described(await mine.status("own", "TASK_FAILED"))
        failures = await mine.until(lambda: mine.failures)
        seen["failure"] = shape(failures[0])
        grouped = [{"task_id": name, "resources": less, "command": task["command"]} for name in "xy"]
        default = {**executor, "executor_id": {"value": "g"}, "type": "DEFAULT"}
        default["framework_id"] = {"value": mine.id}
        del default["command"]
        default["resources"] = [*executor["resources"], scalar("disk", 1, ROLE)]
        await mine.launch(await whole(mine, agent_id), *grouped, group=default)
        # Ours fails for x, and takes y along; the native one's executor is what fails.
        seen["group"] = described(await mine.status("x", "TASK_FAILED"))
        # a message and a shutdown for an executor that nobody knows do nothing
        nobody = {"executor_id": {"value": "nobody"}, "agent_id": offer["agent_id"]}
        await mine.call("MESSAGE", message={**nobody, "data": "aGVsbG8="})
        await mine.call("SHUTDOWN", shutdown=nobody)
        # draining
        drain = {"agent_id": offer["agent_id"], "max_grace_period": {"nanoseconds": 10**9}}
        await operator(master, "DRAIN_AGENT", drain_agent=drain)
        async with asyncio.timeout(60):
            while (drained := await agent_of(master)).get("drain_info", {}).get("state") != "DRAINED":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        seen["drained"] = shape({name: drained[name] for name in ("drain_info", "deactivated")})
        await mine.until(lambda: not mine.offers)  # all were rescinded
        await operator(master, "REACTIVATE_AGENT", reactivate_agent={"agent_id": offer["agent_id"]})
        await mine.until(lambda: mine.offers)
        # what nobody knows
        count = len(mine.updates)
        unknown = {"tasks": [{"task_id": {"value": "never"}, "agent_id": offer["agent_id"]}]}
        await mine.call("RECONCILE", reconcile=unknown)
        await mine.until(lambda: len(mine.updates) > count)
        seen["unknown"] = (mine.updates[-1]["state"], mine.updates[-1]["reason"], mine.updates[-1]["source"])
        await mine.call("TEARDOWN")
    agent = await agent_of(master)
    seen["agent"] = sorted(agent)
    seen["info"] = sorted(agent["agent_info"].keys() - {"attributes", "domain"})
    seen["capabilities"] = {item["type"] for item in agent["capabilities"]} - NOT_OURS
    return seen


def described(status: dict[str, Any]) -> Any:
    """What of a failed task's status must be the same; reason and message are each agent's own."""
    return status["state"], status["source"], sorted(status.keys() - {"data"})


async def operator(master: Master, kind: str, **body: Any) -> dict[str, Any]:
    """One call of the master's operator API."""
    url, accept = f"http://{master.address}/master/api/v1", {"Accept": "application/json"}
    async with aiohttp.ClientSession(headers=accept) as session:
        async with session.post(url, json={"type": kind, **body}) as got:
            assert got.status == 200, await got.text()
            found: dict[str, Any] = json.loads(await got.text() or "{}")
            return found


async def agent_of(master: Master) -> dict[str, Any]:
    """The only agent, as the master tells it."""
    (agent,) = (await operator(master, "GET_AGENTS"))["get_agents"]["agents"]
    found: dict[str, Any] = agent
    return found


async def whole(mine: Scheduler, agent_id: str) -> dict[str, Any]:
    """An offer of all that the agent has: what was free before and what was freed come apart at first."""
    while True:
        offer = await mine.offer(agent_id)
        if any(item["name"] == "cpus" and item["scalar"]["value"] == 2.0 for item in offer["resources"]):
            return offer
        decline = {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.0}}
        await mine.call("DECLINE", decline=decline)


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
