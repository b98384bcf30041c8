"""An agent's standing with its master: registration, pings, lost links, other masters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from doubles import MasterDouble, TargetDouble, run_task

from agent.config import AgentConfig
from agent.detector import StaticDetector, local_ip
from agent.errors import ConfigError
from agent.events import Disconnected, EventStream, Registered, Stopped
from agent.gateway import Gateway
from agent.guard import Sealed
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.wire.upid import Upid
from hal.target import Connection

QUICK = AgentConfig(registration_backoff=0.02)


class Movable:
    """A detector whose leader the test chooses."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Upid | None] = asyncio.Queue()

    async def reach(self) -> str:
        return "127.0.0.1"

    async def masters(self) -> AsyncIterator[Upid | None]:
        while True:
            yield await self.queue.get()


@pytest_asyncio.fixture
async def master() -> AsyncIterator[MasterDouble]:
    async with MasterDouble() as double:
        yield double


async def next_event(events: EventStream, kind: type, timeout: float = 60.0) -> object:
    async with asyncio.timeout(timeout):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the events ended")


def ping(connected: bool = True) -> internal.PingSlaveMessage:
    return internal.PingSlaveMessage(connected=connected)


async def test_registration_tells_what_the_target_is(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble()], QUICK) as gateway:
        message = await master.take(internal.RegisterSlaveMessage)
        sender = master.got[0][0]
        assert sender == Upid("slave(1)", *gateway.addresses[0])
        assert message.version == "1.11.0"
        assert message.slave.checkpoint
        assert message.slave.port == sender.port
        assert not message.slave.HasField("id")
        values = {item.name: item.scalar.value for item in message.slave.resources if item.HasField("scalar")}
        assert values == {"cpus": 1.0, "mem": 0.064}
        attributes = {item.name: item.text.value for item in message.slave.attributes}
        assert attributes == {"board": "double", "target": "board"}
        capability = mesos.SlaveInfo.Capability
        assert {item.type for item in message.agent_capabilities} == {
            capability.MULTI_ROLE,
            capability.HIERARCHICAL_ROLE,
            capability.RESERVATION_REFINEMENT,
            capability.RESOURCE_PROVIDER,
            capability.AGENT_OPERATION_FEEDBACK,
            capability.AGENT_DRAINING,
            capability.TASK_RESOURCE_LIMITS,
        }
        assert (await master.take(internal.UpdateSlaveMessage)).slave_id.value == "S0"
        assert gateway.agents["board"].registration.running


async def test_registration_is_repeated_until_it_is_answered(master: MasterDouble) -> None:
    master.auto = False
    async with Gateway(master.address, [TargetDouble()], QUICK) as gateway:
        await master.take(internal.RegisterSlaveMessage, 4)
        master.registered(master.got[0][0], "S7")
        await master.take(internal.UpdateSlaveMessage)
        count = len(master.all(internal.RegisterSlaveMessage))
        await asyncio.sleep(0.2)
        assert len(master.all(internal.RegisterSlaveMessage)) == count
        assert gateway.agents["board"].agent_id == "S7"


async def test_events_tell_of_it(master: MasterDouble) -> None:
    async with Gateway(master.address, [], QUICK) as gateway:
        events = gateway.events()
        await gateway.add(TargetDouble())
        assert await next_event(events, Registered) == Registered("board", "S0", master.address, again=False)
    assert await next_event(events, Stopped) == Stopped("board", "stopped")
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_pings_are_answered_to_their_sender(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble()], QUICK) as gateway:
        await master.take(internal.UpdateSlaveMessage)
        observer = MasterObserver(master)
        master.port.add(observer)
        master.send(gateway.agents["board"].pid, ping(), sender=observer.id)
        await observer.pong()
        assert gateway.agents["board"].registration.running


async def test_an_agent_without_its_device_falls_silent_until_that_is_back(master: MasterDouble) -> None:
    target = TargetDouble()
    async with Gateway(master.address, [target], replace(QUICK, device_timeout=0.2)) as gateway:
        agent = gateway.agents["board"]
        await master.take(internal.UpdateSlaveMessage)
        observer = MasterObserver(master)
        master.port.add(observer)
        target.post(Connection(False, "away"))
        master.send(agent.pid, ping(), sender=observer.id)
        await observer.pong()  # a short dropout is nobody's business
        observer.ponged.clear()
        await asyncio.sleep(0.3)
        master.send(agent.pid, ping(), sender=observer.id)
        master.send(agent.pid, ping(connected=False), sender=observer.id)  # nor does it register then
        await asyncio.sleep(0.3)
        assert not observer.ponged.is_set()
        assert not master.all(internal.ReregisterSlaveMessage)
        target.post(Connection(True, "back"))
        assert (await master.take(internal.ReregisterSlaveMessage)).slave.id.value == "S0"
        master.send(agent.pid, ping(), sender=observer.id)
        await observer.pong()


class MasterObserver:
    """The slave-observer beside the master that pings."""

    id = "slave-observer(1)"

    def __init__(self, master: MasterDouble) -> None:
        self.ponged = asyncio.Event()

    def receive(self, message: object) -> None:
        self.ponged.set()

    def link_lost(self, peer: object) -> None:
        """Nothing."""

    def peer_left(self, peer: object) -> None:
        """Nothing."""

    async def pong(self) -> None:
        async with asyncio.timeout(60):
            await self.ponged.wait()


async def test_a_ping_that_says_disconnected_makes_it_register_again(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble()], QUICK) as gateway:
        await master.take(internal.UpdateSlaveMessage)
        events = gateway.events()
        master.send(gateway.agents["board"].pid, ping(connected=False), sender="slave-observer(1)")
        again = await master.take(internal.ReregisterSlaveMessage)
        assert again.slave.id.value == "S0"
        assert isinstance(await next_event(events, Disconnected), Disconnected)
        assert await next_event(events, Registered) == Registered("board", "S0", master.address, again=True)


async def test_a_cut_link_makes_it_register_again_before_any_ping(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble()], QUICK):
        await master.take(internal.UpdateSlaveMessage)
        await master.port._outbox.close()  # the master's link to us; ours to it stays
        await master.take(internal.ReregisterSlaveMessage, timeout=30.0)
        await master.take(internal.UpdateSlaveMessage, 2)


async def test_silence_makes_it_register_again_and_pings_prevent_that(master: MasterDouble) -> None:
    master.ping_timeout = 1.0
    async with Gateway(master.address, [TargetDouble()], QUICK) as gateway:
        await master.take(internal.UpdateSlaveMessage)
        for _ in range(8):
            master.send(gateway.agents["board"].pid, ping(), sender="slave-observer(1)")
            await asyncio.sleep(0.2)
        assert not master.all(internal.ReregisterSlaveMessage)
        await master.take(internal.ReregisterSlaveMessage, 2, timeout=30.0)


async def test_a_restarted_master_has_its_agents_back(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble("a"), TargetDouble("b")], QUICK) as gateway:
        await master.take(internal.UpdateSlaveMessage, 2)
        events = gateway.events()
        await master.port.close()
        await next_event(events, Disconnected)
        await asyncio.sleep(0.1)
        async with MasterDouble(port=master.port.address[1]) as second:
            await second.take(internal.UpdateSlaveMessage, 2)
            again = second.all(internal.ReregisterSlaveMessage)
            assert {message.slave.id.value for message in again} == {"S0", "S1"}


async def test_a_new_leader_is_followed_and_the_old_one_ignored() -> None:
    detector = Movable()
    async with MasterDouble() as old, MasterDouble() as new:
        async with Gateway(detector, [TargetDouble()], QUICK) as gateway:
            agent = gateway.agents["board"]
            await asyncio.sleep(0.05)
            assert agent.registration.master is None
            await detector.queue.put(Upid("master", *old.port.address))
            await old.take(internal.UpdateSlaveMessage)
            await detector.queue.put(None)
            await asyncio.sleep(0.1)
            assert not agent.registration.running
            await detector.queue.put(Upid("master", *new.port.address))
            again = await new.take(internal.ReregisterSlaveMessage)
            await new.take(internal.UpdateSlaveMessage)
            assert again.slave.id.value == "S0"
            old.send(agent.pid, run_task())
            old.send(agent.pid, internal.ShutdownMessage())
            await asyncio.sleep(0.1)
            assert gateway.agents["board"] is agent
            assert not new.all(internal.StatusUpdateMessage)


async def test_messages_that_cannot_be_read_change_nothing(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble()], QUICK) as gateway:
        await master.take(internal.UpdateSlaveMessage)
        pid = Upid.parse(gateway.agents["board"].pid)
        for name, body in [
            ("mesos.internal.RunTaskMessage", b"\xff\xff"),
            ("mesos.internal.KillTaskMessage", b""),
            ("mesos.internal.NoSuchMessage", b"x"),
            ("nonsense", b""),
        ]:
            master.port.send("master", pid, Sealed(name, body))
        master.send(pid, run_task())
        await master.status("T0", mesos.TASK_STARTING)


async def test_another_id_than_ours_is_not_taken(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble()], QUICK) as gateway:
        await master.take(internal.UpdateSlaveMessage)
        agent = gateway.agents["board"]
        master.registered(Upid.parse(agent.pid), "S99")
        master.reregistered(Upid.parse(agent.pid), "S98")
        master.send(agent.pid, run_task())
        await master.status("T0", mesos.TASK_STARTING)
        assert agent.agent_id == "S0"


async def test_shutdown_ends_the_agent_and_forgets_its_id(master: MasterDouble, tmp_path: Path) -> None:
    config = AgentConfig(registration_backoff=0.02, work_dir=tmp_path)
    target = TargetDouble()
    async with Gateway(master.address, [target], config) as gateway:
        await master.take(internal.UpdateSlaveMessage)
        pid = gateway.agents["board"].pid
        master.send(pid, run_task())
        await master.acknowledged(pid, "T0", mesos.TASK_STARTING, mesos.TASK_RUNNING)
        events = gateway.events()
        master.send(pid, internal.ShutdownMessage(message="Agent has been marked gone"))
        stopped = await next_event(events, Stopped)
        assert isinstance(stopped, Stopped)
        assert "Agent has been marked gone" in stopped.reason
        assert target.kills == [("F0/T0", 0.0)]
        assert not gateway.agents
        # The same device may come back, as a new agent.
        await gateway.add(target)
        await master.take(internal.RegisterSlaveMessage, 2)
        assert not master.all(internal.ReregisterSlaveMessage)


async def test_an_unknown_master_is_said_in_a_sentence() -> None:
    with pytest.raises(ConfigError, match=r"no-such-host\.invalid.*unknown"):
        async with Gateway("no-such-host.invalid:5050"):
            pass


@pytest.mark.parametrize("address", ["", ":5050", "host:port", "host:99999"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="Write host:port"):
        StaticDetector(address)


async def test_a_host_alone_means_port_5050() -> None:
    assert await anext(StaticDetector("localhost").masters()) == Upid("master", "127.0.0.1", 5050)
    assert local_ip("127.0.0.1") == "127.0.0.1"
