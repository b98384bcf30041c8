"""Two genuine masters that ZooKeeper, or a list, chooses between: the agent goes where the leader is.

The genuine master here cannot contend itself (docs/agent.md): the test writes its node, in Mesos's format.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from agent.config import AgentConfig
from agent.events import EventStream, Registered
from agent.gateway import Gateway
from agent.wire.upid import Upid
from console.cluster.leader import leader_url
from console.cluster.scheduler import Unreachable
from console.fleet.opening import parse_name
from console.fleet.session import Plan, open_session
from console.state.events import Connected
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


async def mma(*words: str) -> tuple[int, list[dict[str, object]], str]:
    """Exit code, the JSON lines and what went to stderr."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console.cli", *words, "--json"), stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, [json.loads(line) for line in out.splitlines()], err.decode()


async def test_commands_find_the_master_where_agents_do(tmp_path: Path) -> None:
    async with Master() as one, Master() as two, ZooKeeper(tmp_path) as server:
        with contender(server) as leader:
            contend(leader, upid(one))
            zk = f"zk://{server.address}/mesos"
            code, told, err = await mma("run", "fib", "--target", "host", "--args", "20", "--master", zk)
            assert code == 0, err
            assert told[-1]["state"] == "TASK_FINISHED"
            by_list = f"127.0.0.1:1,{one.address}"
            for where in (zk, by_list):
                code, tasks, err = await mma("ps", "--all", "--master", where)
                assert [task["state"] for task in tasks] == ["TASK_FINISHED"], err
            assert (await mma("offers", "--master", zk))[:2] == (0, [])
            # the console's session: its framework and its agents go where the leader goes
            plan = Plan(framework="mma-console")
            async with open_session([parse_name("host")], master=zk, plan=plan) as session:
                assert session.framework.url == f"http://{one.address}"
                async with session.framework.listen() as queue:
                    with contender(server) as next_one:
                        contend(next_one, upid(two))
                        leader.stop()
                        await one.stop(grace=0)
                        async with asyncio.timeout(60):
                            while not isinstance(event := await queue.get(), Connected):
                                pass
                            assert two.address in event.url
                            await session.framework.wait_for_offer("host")


async def test_a_zookeeper_without_a_leader_is_told(tmp_path: Path) -> None:
    async with ZooKeeper(tmp_path) as server:
        with pytest.raises(Unreachable, match="names no leading master"):
            await leader_url(f"zk://{server.address}/mesos", patience=1.0)
