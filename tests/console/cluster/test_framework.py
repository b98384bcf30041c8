"""The framework against a master that misbehaves on cue: broken streams, refusals, repeated updates."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import TypeVar

import pytest

from console.cluster.framework import Connected, Event, Framework, OfferChanged, Refused, TaskChanged
from console.cluster.mesos import OfferState, Resources, TaskSpec, TaskState
from console.cluster.scheduler import master_url
from console.errors import MasterError, UsageError
from tests.console.cluster.scripted_master import ScriptedMaster, offer, scripted_master, update

E = TypeVar("E", bound=Event)


@pytest.fixture
async def master() -> AsyncIterator[ScriptedMaster]:
    async with scripted_master() as master:
        yield master


def spec(**resources: float) -> TaskSpec:
    return TaskSpec("fib", b"\0asm", "host", Resources(resources or {"cpus": 0.1, "mem": 0.1}), ("20",))


async def next_of(queue: asyncio.Queue[Event], kind: type[E]) -> E:
    async with asyncio.timeout(60):
        while True:
            event = await queue.get()
            if isinstance(event, kind):
                return event


async def state_of(queue: asyncio.Queue[Event], state: TaskState) -> TaskChanged:
    while True:
        event = await next_of(queue, TaskChanged)
        if event.task.state is state:
            return event


async def test_offers_that_come_in_one_piece_with_the_subscription_count(master: ScriptedMaster) -> None:
    master.in_one_piece = [offer("O1"), offer("O2")]
    async with Framework(master.url) as framework, framework.listen() as queue:
        assert (await next_of(queue, Connected)).url == master_url(master.url)
        assert [(await next_of(queue, OfferChanged)).offer.id for _ in range(2)] == ["O1", "O2"]


async def test_a_task_from_offer_to_its_result(master: ScriptedMaster) -> None:
    async with Framework(master.url) as framework, framework.listen() as queue:
        assert await framework.ready() == "F1"
        task_id = await framework.submit(spec())
        await master.call("REVIVE")
        await master.send(offer("O1"))
        accept = (await master.call("ACCEPT"))["accept"]
        (info,) = accept["operations"][0]["launch"]["task_infos"]
        assert accept["offer_ids"] == [{"value": "O1"}]
        assert info["command"] == {"shell": False, "value": "fib", "arguments": ["20"]}
        assert base64.b64decode(info["data"]) == b"\0asm"
        assert info["resources"][0]["allocation_info"] == {"role": "*"}
        result = base64.b64encode(b"6765").decode()
        await master.send(update(task_id, "TASK_RUNNING", "u1"))
        await master.send(update(task_id, "TASK_FINISHED", "u2", data=result, source="SOURCE_AGENT"))
        done = (await state_of(queue, TaskState.FINISHED)).task
        assert done.status.data == b"6765"
        assert [status.state.short for status in done.history] == [
            "WAITING",
            "STAGING",
            "RUNNING",
            "FINISHED",
        ]
        acknowledged = (await master.call("ACKNOWLEDGE", 2))["acknowledge"]
        assert acknowledged["uuid"] == "u2"
        assert acknowledged["agent_id"] == {"value": "agent of host"}
        assert framework.closed_offers[0].state is OfferState.ACCEPTED
    assert (await master.call("TEARDOWN"))["framework_id"] == {"value": "F1"}


async def test_a_repeated_update_is_acknowledged_but_counted_once(master: ScriptedMaster) -> None:
    async with Framework(master.url) as framework, framework.listen() as queue:
        await framework.ready()
        task_id = await framework.submit(spec())
        await master.send(offer("O1"))
        await state_of(queue, TaskState.STAGING)
        await master.send(update(task_id, "TASK_RUNNING", "u1"))
        await master.send(update(task_id, "TASK_RUNNING", "u1"))
        await master.call("ACKNOWLEDGE", 2)
        assert [s.state for s in framework.tasks[task_id].history].count(TaskState.RUNNING) == 1


async def test_a_broken_stream_is_resubscribed_with_the_same_id_and_reconciled(
    master: ScriptedMaster,
) -> None:
    async with Framework(master.url) as framework, framework.listen() as queue:
        await framework.ready()
        task_id = await framework.submit(spec())
        await master.send(offer("O1"))
        await master.call("ACCEPT")
        await master.send(offer("O2", target="other"))
        await next_of(queue, OfferChanged)
        master.break_stream()
        again = await master.call("SUBSCRIBE", 2)
        assert again["framework_id"] == {"value": "F1"}
        assert again["subscribe"]["framework_info"]["id"] == {"value": "F1"}
        asked = (await master.call("RECONCILE"))["reconcile"]["tasks"]
        assert asked == [{"task_id": {"value": task_id}, "agent_id": {"value": "agent of host"}}]
        assert framework.closed_offers[-1].id == "O2"
        assert framework.closed_offers[-1].state is OfferState.RESCINDED
        await master.send(update(task_id, "TASK_RUNNING", reason="REASON_RECONCILIATION"))
        await state_of(queue, TaskState.RUNNING)
        assert not [call for call in master.calls if call["type"] == "ACKNOWLEDGE"]


async def test_several_tasks_share_one_offer_and_the_rest_wait(master: ScriptedMaster) -> None:
    async with Framework(master.url) as framework, framework.listen() as queue:
        await framework.ready()
        ids = [await framework.submit(spec(cpus=0.4)) for _ in range(3)]
        await master.send(offer("O1", cpus=1.0))
        infos = (await master.call("ACCEPT"))["accept"]["operations"][0]["launch"]["task_infos"]
        assert [info["task_id"]["value"] for info in infos] == ids[:2]
        await state_of(queue, TaskState.STAGING)
        assert framework.tasks[ids[2]].state is TaskState.WAITING
        await framework.kill(ids[2])
        assert framework.tasks[ids[2]].state is TaskState.KILLED


async def test_a_refused_launch_is_an_error_of_the_task(master: ScriptedMaster) -> None:
    master.refuse["ACCEPT"] = (400, "Failed to validate: nonsense.")
    async with Framework(master.url) as framework, framework.listen() as queue:
        await framework.ready()
        await framework.submit(spec())
        await master.send(offer("O1"))
        failed = (await state_of(queue, TaskState.ERROR)).task
        assert failed.status.message == "The master refused ACCEPT: Failed to validate: nonsense."


async def test_a_removed_framework_begins_anew(master: ScriptedMaster) -> None:
    async with Framework(master.url) as framework, framework.listen() as queue:
        await framework.ready()
        task_id = await framework.submit(spec())
        await master.send(offer("O1"))
        await state_of(queue, TaskState.STAGING)
        await master.send({"type": "ERROR", "error": {"message": "Framework has been removed"}})
        await next_of(queue, Refused)
        master.break_stream()
        assert "framework_id" not in await master.call("SUBSCRIBE", 2)
        assert (await next_of(queue, Connected)).framework_id == "F2"
        assert framework.tasks[task_id].state is TaskState.GONE


async def test_an_offer_that_nobody_wants_is_declined(master: ScriptedMaster) -> None:
    async with Framework(master.url, hold=0.05, refuse=7.0) as framework:
        await framework.ready()
        await master.send(offer("O1"))
        declined = (await master.call("DECLINE"))["decline"]
        assert declined == {"offer_ids": [{"value": "O1"}], "filters": {"refuse_seconds": 7.0}}


async def test_nobody_at_the_address() -> None:
    async with Framework("127.0.0.1:1") as framework:
        with pytest.raises(MasterError, match=r"No Mesos master answered at http://127\.0\.0\.1:1"):
            await framework.ready(timeout=0.3)


async def test_a_master_that_refuses_the_framework(master: ScriptedMaster) -> None:
    master.refuse["SUBSCRIBE"] = (403, "Not allowed")
    async with Framework(master.url) as framework:
        with pytest.raises(MasterError, match="refused the subscription: Not allowed"):
            await framework.ready()


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("10.0.0.1:5051", "http://10.0.0.1:5051"),
        ("mesos.example", "http://mesos.example:5050"),
        ("https://m:1/", "https://m:1"),
        ("[::1]:5050", "http://[::1]:5050"),
    ],
)
def test_addresses_of_masters(text: str, url: str) -> None:
    assert master_url(text) == url


@pytest.mark.parametrize("text", ["", ":5050", "a:b", "ftp://x", "zk://x:2181/mesos"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        master_url(text)
