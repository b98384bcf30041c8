"""A device that says who it is keeps its agent on any port; one that does not is its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from doubles import MasterDouble, TargetDouble, run_task

from agent.config import AgentConfig
from agent.gateway import Gateway
from agent.identity import records_name
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.store import Store
from hal.target import Description


class Chip(TargetDouble):
    """A device with a unique id."""

    def __init__(self, name: str, identity: str) -> None:
        super().__init__(name)
        self.identity = identity

    def describe(self) -> Description:
        return replace(super().describe(), identity=self.identity)


async def ids(master: MasterDouble, folder: Path, *targets: TargetDouble) -> dict[str, str]:
    """The agents' ids by their targets' names, in one life of a gateway."""
    async with Gateway(master.address, targets, AgentConfig(work_dir=folder)) as gateway:
        await master.until(lambda: all(agent.registration.running for agent in gateway.agents.values()))
        return {name: agent.agent_id for name, agent in gateway.agents.items()}


async def test_a_device_is_the_same_agent_on_another_port(tmp_path: Path) -> None:
    async with MasterDouble() as master:
        first = await ids(master, tmp_path, Chip("ACM0", "a"), Chip("ACM1", "b"))
        swapped = await ids(master, tmp_path, Chip("ACM0", "b"), Chip("ACM1", "a"))
        assert (swapped["ACM0"], swapped["ACM1"]) == (first["ACM1"], first["ACM0"])
        third = await ids(master, tmp_path, Chip("ACM0", "c"), Chip("ACM7", "b"))
        assert third["ACM7"] == first["ACM1"]
        assert third["ACM0"] not in first.values()  # a stranger where another was
        again = await ids(master, tmp_path, Chip("ACM0", "a"), Chip("ACM1", "c"))
        assert (again["ACM0"], again["ACM1"]) == (first["ACM0"], third["ACM0"])


async def test_its_tasks_come_along(tmp_path: Path) -> None:
    chip = Chip("ACM0", "a")
    async with MasterDouble() as master:
        async with Gateway(master.address, [chip], AgentConfig(work_dir=tmp_path)) as gateway:
            await master.take(internal.UpdateSlaveMessage)
            pid = gateway.agents["ACM0"].pid
            master.send(pid, run_task())
            await master.acknowledged(pid, "T0", mesos.TASK_STARTING, mesos.TASK_RUNNING)
        chip.name = "ACM1"
        async with Gateway(master.address, [chip], AgentConfig(work_dir=tmp_path)):
            came = await master.take(internal.ReregisterSlaveMessage)
    assert came.slave.id.value == "S0"
    assert [task.task_id.value for task in came.tasks] == ["T0"]
    assert "ACM1" in [item.text.value for item in came.slave.attributes if item.name == "target"]


async def test_two_that_live_never_share_records(tmp_path: Path) -> None:
    store = Store(tmp_path / "agents.sqlite")
    await store.open()
    store.write("INSERT INTO agents (name, agent_id, hostname, identity) VALUES ('ACM0', 'S0', 'h', 'a')")
    try:
        assert await records_name(store, "ACM1", "a", {"ACM0"}) == "ACM1"  # a clone of its id
        assert await records_name(store, "ACM0", "", {"ACM0"}) == "ACM0 another"
        assert await records_name(store, "ACM0", "", ()) == "ACM0"
        assert await records_name(store, "ACM0", "b", ()) == "ACM0 b"
    finally:
        await store.close()
