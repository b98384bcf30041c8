"""Records spoilt on purpose, anywhere: the gateway says so in words, or begins with what is there."""

from __future__ import annotations

import asyncio
import random
import shutil
from pathlib import Path

import pytest
from doubles import MODULE, MasterDouble, TargetDouble, run_task

from agent.config import AgentConfig
from agent.errors import DamagedError, StoreError
from agent.events import Registered, Stopped
from agent.gateway import STORE_NAME, Gateway
from agent.proto import mesos_pb2 as mesos
from agent.records import TaskRecord
from agent.shelf import Shelf
from agent.store import Store

ROUNDS = 16


def config(folder: Path, *, strict: bool = True) -> AgentConfig:
    return AgentConfig(registration_backoff=0.02, work_dir=folder, strict=strict)


def spoil(path: Path, dice: random.Random) -> None:
    """One kind of damage: bits, a hole, an end too early, a page of another place."""
    data = bytearray(path.read_bytes())
    match dice.randrange(4):
        case 0:
            for _ in range(dice.choice((1, 8, 200))):
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        case 1:
            begin = dice.randrange(len(data))
            end = min(len(data), begin + dice.choice((16, 512, 4096)))
            data[begin:end] = bytes(end - begin)
        case 2:
            del data[dice.randrange(1, len(data)) :]
        case 3:
            there, here = (4096 * dice.randrange(len(data) // 4096) for _ in range(2))
            data[there : there + 4096] = data[here : here + 4096]
    path.write_bytes(data)


async def outcome(master: MasterDouble, folder: Path, *, strict: bool = True) -> str:
    """What becomes of a gateway on these records: "registered", or the sentence that it ends with."""
    target = TargetDouble()
    try:
        async with Gateway(master.address, [], config(folder, strict=strict)) as gateway:
            events = gateway.events()
            await gateway.add(target)
            async with asyncio.timeout(60):
                async for event in events:
                    if isinstance(event, Registered):
                        return "registered"
                    if isinstance(event, Stopped):
                        return event.reason
    except StoreError as error:
        return str(error)
    raise AssertionError("the gateway ended")


async def test_records_spoilt_anywhere_end_in_words_or_serve(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = tmp_path / "whole"
    async with MasterDouble() as master:
        async with Gateway(master.address, [TargetDouble()], config(whole)) as gateway:
            pid = gateway.agents["board"].pid
            await master.until(lambda: gateway.agents["board"].registration.running)
            for number in range(30):
                master.send(pid, run_task(f"T{number}", data=MODULE + bytes(600)))
            for number in range(30):
                await master.status(f"T{number}", mesos.TASK_STARTING)
        dice, words = random.Random(5), set()
        for number in range(ROUNDS):
            folder = tmp_path / str(number)
            shutil.copytree(whole, folder)
            spoil(folder / STORE_NAME, dice)
            said = await outcome(master, folder)
            words.add(said.partition(" ")[0])
            assert said == "registered" or ("records" in said and said.endswith((".", "ended."))), said
            if "are damaged" in said:
                assert await outcome(master, folder, strict=False) == "registered"
    assert words - {"registered"}, "no damage was seen"
    assert not [record for record in caplog.records if record.exc_info], "an exception without words"


async def test_resources_that_no_master_takes_are_damage(tmp_path: Path) -> None:
    """A bit in a number: the guard would hold back each registration, and nobody would hear of it."""
    store = Store(tmp_path / STORE_NAME)
    await store.open()
    try:
        shelf = Shelf(store, "board")
        info = mesos.TaskInfo(name="task")
        info.task_id.value, info.slave_id.value = "T0", "S0"
        info.resources.add(name="cpus", type=mesos.Value.SCALAR).scalar.value = 2.9e-40
        shelf.save_agent(mesos.SlaveInfo(hostname="h", id=mesos.SlaveID(value="S0")))
        shelf.save_task(TaskRecord(info, "F0", "T0", container_id="c"))
        with pytest.raises(DamagedError, match=r"of task T0 the resource 'cpus' is 2\.9e-40"):
            await shelf.load()
    finally:
        await store.close()
