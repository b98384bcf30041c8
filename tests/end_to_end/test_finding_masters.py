"""Two genuine masters that ZooKeeper, or a list, chooses between: the agent goes where the leader is.

The genuine master here cannot contend itself (docs/agent.md): the test writes its node, in Mesos's format.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from agent.config import AgentConfig
from agent.events import EventStream, Registered
from agent.gateway import Gateway
from agent.wire.upid import Upid
from emulation.master import Master
from hal.host import HostTarget

sys.path.append(str(Path(__file__).parents[1] / "agent"))
from test_agent_detector import contend, contender
from zookeeper_server import ZooKeeper

pytestmark = pytest.mark.end_to_end


def upid(master: Master) -> Upid:
    return Upid("master", master.ip, master.port)


async def registered(events: EventStream) -> Registered:
    async with asyncio.timeout(60):
        async for event in events:
            if isinstance(event, Registered):
                return event
    raise AssertionError("the gateway ended")


async def test_the_agent_follows_zookeeper_from_master_to_master(tmp_path: Path) -> None:
    target = HostTarget(cpus=1.0, mem_bytes=8 << 20)
    await target.open()
    async with Master() as one, Master() as two, ZooKeeper(tmp_path) as server:
        with contender(server) as client:
            async with Gateway(f"zk://{server.address}/mesos", [target], AgentConfig()) as gateway:
                events = gateway.events()
                with contender(server) as leader:
                    contend(leader, upid(one))
                    contend(client, upid(two))
                    first = await registered(events)
                    assert (first.master, first.again) == (one.address, False)
                    await one.stop(grace=0)
                second = await registered(events)
                # The second master never heard of the agent; it takes it with its id, as Mesos does.
                assert (second.master, second.again) == (two.address, True)
                assert second.agent_id == first.agent_id
                assert two.pid is not None
    await target.close()


async def test_a_list_of_masters_is_a_standby(tmp_path: Path) -> None:
    target = HostTarget(cpus=1.0, mem_bytes=8 << 20)
    await target.open()
    async with Master() as one, Master() as two:
        async with Gateway(f"{one.address},{two.address}", [target], AgentConfig()) as gateway:
            events = gateway.events()
            assert (await registered(events)).master == one.address
            await one.stop(grace=0)
            assert (await registered(events)).master == two.address
    await target.close()
