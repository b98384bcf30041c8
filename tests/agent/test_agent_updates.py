"""Status updates: one queue per task, in order, exactly once, until acknowledged."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.statuses import make_update
from agent.updates import UpdateQueues, key_of
from agent.verdict import Verdict

KEY = ("F0", "T0")


def update(state: mesos.TaskState = mesos.TASK_RUNNING, task: str = "T0") -> internal.StatusUpdate:
    verdict = Verdict(state, None, mesos.TaskStatus.SOURCE_EXECUTOR, "")
    return make_update(agent_id="S0", framework_id="F0", task_id=task, verdict=verdict)


class Wire:
    """Queues, and what they sent."""

    def __init__(self, retry: float = 60.0, most: float = 600.0) -> None:
        self.sent: list[bytes] = []
        self.times: list[float] = []
        self.more = asyncio.Event()
        self.queues = UpdateQueues(self.forward, retry, most)
        self.queues.resume()

    def forward(self, item: internal.StatusUpdate) -> None:
        self.sent.append(item.uuid)
        self.times.append(asyncio.get_running_loop().time())
        self.more.set()

    async def until(self, count: int) -> None:
        while len(self.sent) < count:
            self.more.clear()
            await self.more.wait()

    def acknowledge(self, item: internal.StatusUpdate) -> internal.StatusUpdate | None:
        return self.queues.acknowledge(key_of(item), item.uuid)


async def test_only_the_head_is_in_flight() -> None:
    wire, first, second = Wire(), update(), update(mesos.TASK_FINISHED)
    wire.queues.add(first)
    wire.queues.add(second)
    assert wire.sent == [first.uuid]
    assert wire.acknowledge(second) is None
    assert wire.acknowledge(first) is first
    assert wire.acknowledge(first) is None
    assert wire.sent == [first.uuid, second.uuid]
    assert wire.acknowledge(second) is second
    assert len(wire.queues) == 0
    wire.queues.close()


async def test_tasks_do_not_wait_for_each_other() -> None:
    wire, first, other = Wire(), update(), update(task="T1")
    wire.queues.add(first)
    wire.queues.add(other)
    assert wire.sent == [first.uuid, other.uuid]
    wire.queues.close()


async def test_nothing_follows_a_terminal_update() -> None:
    wire = Wire()
    assert wire.queues.add(update(mesos.TASK_FAILED))
    assert not wire.queues.add(update(mesos.TASK_FINISHED))
    wire.queues.close()


async def test_unacknowledged_updates_are_sent_again_with_back_off() -> None:
    wire = Wire(retry=0.02, most=0.05)
    start = asyncio.get_running_loop().time()
    wire.queues.add(update())
    await wire.until(5)
    wire.queues.close()
    times = [time - start for time in wire.times]
    for (before, after), least in zip(pairwise(times), [0.02, 0.04, 0.05, 0.05], strict=True):
        assert after - before >= least - 0.003
    await asyncio.sleep(0.08)
    assert len(wire.sent) == 5


async def test_paused_queues_wait_and_resume_sends_every_head() -> None:
    wire = Wire(retry=0.01)
    wire.queues.pause()
    first, other = update(), update(task="T1")
    wire.queues.add(first)
    wire.queues.add(update(mesos.TASK_FINISHED))
    wire.queues.add(other)
    await asyncio.sleep(0.05)
    assert wire.sent == []
    wire.queues.resume()
    assert wire.sent == [first.uuid, other.uuid]
    wire.queues.close()


async def test_a_frameworks_updates_can_be_dropped() -> None:
    wire = Wire(retry=0.01)
    wire.queues.add(update())
    wire.queues.drop("F0")
    await asyncio.sleep(0.03)
    assert len(wire.sent) == 1
    assert wire.queues.head(KEY) is None


@given(st.lists(st.sampled_from(["add", "ack", "old", "pause", "resume"]), max_size=40))
async def test_whatever_happens_each_update_is_acknowledged_once_in_order(steps: list[str]) -> None:
    wire = Wire()
    added: list[bytes] = []
    acknowledged: list[bytes] = []
    for step in steps:
        if step == "add":
            item = update()
            added.append(item.uuid)
            wire.queues.add(item)
        elif step == "ack" and wire.sent:
            done = wire.queues.acknowledge(KEY, wire.sent[-1])
            if done is not None:
                acknowledged.append(done.uuid)
        elif step == "old" and acknowledged:
            assert wire.queues.acknowledge(KEY, acknowledged[0]) is None
        elif step == "pause":
            wire.queues.pause()
        elif step == "resume":
            wire.queues.resume()
        assert acknowledged == added[: len(acknowledged)]
    wire.queues.resume()
    while (head := wire.queues.head(KEY)) is not None:
        assert wire.sent[-1] == head.uuid
        acknowledged.append(head.uuid)
        wire.queues.acknowledge(KEY, head.uuid)
    assert acknowledged == added
    wire.queues.close()
