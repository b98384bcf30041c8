"""Reservations and other operations: done, told, told again, acknowledged, found again after a restart."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from doubles import MasterDouble, TargetDouble

from agent.config import AgentConfig
from agent.errors import ResourceError
from agent.events import Stopped
from agent.gateway import Gateway
from agent.pool import Pool, show, without_reservation
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from hal.target import Items, Ranges, Scalar

Operation = mesos.Offer.Operation
QUICK = AgentConfig(registration_backoff=0.02, update_retry_min=0.2, update_retry_max=0.4)


def resource(name: str, value: object, *roles: str) -> mesos.Resource:
    made = mesos.Resource(name=name)
    if isinstance(value, tuple):
        made.type = mesos.Value.RANGES
        made.ranges.range.add(begin=value[0], end=value[1])
    elif isinstance(value, set):
        made.type = mesos.Value.SET
        made.set.item.extend(value)
    else:
        made.type = mesos.Value.SCALAR
        made.scalar.value = float(str(value))
    for role in roles:
        made.reservations.add(role=role, type=mesos.Resource.ReservationInfo.DYNAMIC)
    return made


def shown(resources: object) -> set[str]:
    return {show(item) for item in resources}  # type: ignore[attr-defined]


def reserve(*resources: mesos.Resource, name: str = "") -> internal.ApplyOperationMessage:
    message = internal.ApplyOperationMessage()
    message.framework_id.value = "F0"
    message.operation_info.type = Operation.RESERVE
    message.operation_info.reserve.resources.extend(resources)
    for item in message.operation_info.reserve.resources:
        item.allocation_info.role = "sensing"
    if name:
        message.operation_info.id.value = name
    message.operation_uuid.value = uuid.uuid4().bytes
    message.resource_version_uuid.uuid.value = bytes(16)
    return message


def test_resources_are_split_and_joined() -> None:
    pool = Pool([resource("mem", 0.064), resource("gpio", (0, 15)), resource("sensors", {"temp0", "accel"})])
    taken = [resource("mem", 0.016), resource("gpio", (4, 7)), resource("sensors", {"accel"})]
    made = [
        resource("mem", 0.016, "a"),
        resource("gpio", (4, 7), "a"),
        resource("sensors", {"accel"}, "a"),
    ]
    pool.convert(taken, made)
    assert shown(pool.resources()) == {
        *("mem(*):0.048", "mem(a):0.016", "gpio(*):[0-3,8-15]", "gpio(a):[4-7]"),
        *("sensors(*):{temp0}", "sensors(a):{accel}"),
    }
    pool.convert(made, [without_reservation(item) for item in made])
    assert shown(pool.resources()) == {"mem(*):0.064", "gpio(*):[0-15]", "sensors(*):{accel,temp0}"}


@pytest.mark.parametrize(
    "wanted", [resource("mem", 0.065), resource("gpio", (15, 16)), resource("x", 1), resource("mem", 1, "a")]
)
def test_what_is_not_there_cannot_be_taken(wanted: mesos.Resource) -> None:
    pool = Pool([resource("mem", 0.064), resource("gpio", (0, 15))])
    with pytest.raises(ResourceError, match="The agent has no"):
        pool.convert([resource("mem", 0.001), wanted], [])
    assert shown(pool.resources()) == {"mem(*):0.064", "gpio(*):[0-15]"}


@pytest_asyncio.fixture
async def master() -> AsyncIterator[MasterDouble]:
    async with MasterDouble() as running:
        yield running


async def status(master: MasterDouble, count: int = 1) -> internal.UpdateOperationStatusMessage:
    return await master.take(internal.UpdateOperationStatusMessage, count)


def acknowledge(master: MasterDouble, pid: str, update: internal.UpdateOperationStatusMessage) -> None:
    message = internal.AcknowledgeOperationStatusMessage()
    message.operation_uuid.CopyFrom(update.operation_uuid)
    message.status_uuid.CopyFrom(update.status.uuid)
    master.send(pid, message)


async def test_a_reservation_is_told_until_it_is_acknowledged(master: MasterDouble, tmp_path: Path) -> None:
    config = AgentConfig(registration_backoff=0.02, update_retry_min=0.2, work_dir=tmp_path)
    target = TargetDouble()
    async with Gateway(master.address, [target], config) as gateway:
        first = await master.take(internal.UpdateSlaveMessage)
        assert (
            first.resource_version_uuid == master.all(internal.RegisterSlaveMessage)[0].resource_version_uuid
        )
        agent = gateway.agents["board"]
        master.send(agent.pid, reserve(resource("mem", 0.016, "sensing"), name="mine"))
        told = await status(master)
        assert (told.status.state, told.status.operation_id.value) == (mesos.OPERATION_FINISHED, "mine")
        assert (told.framework_id.value, told.slave_id.value) == ("F0", "S0")
        again = await status(master, 2)
        assert again.status.uuid == told.status.uuid
        assert "mem(sensing):0.016" in shown(agent.operations.total)
    # restarted: the reservation, and what is not acknowledged
    master.got.clear()
    async with Gateway(master.address, [target], config) as gateway:
        message = await master.take(internal.ReregisterSlaveMessage)
        assert shown(message.checkpointed_resources) == {"mem(sensing):0.016"}
        update = await master.take(internal.UpdateSlaveMessage)
        assert [item.uuid for item in update.operations.operations] == [told.operation_uuid]
        again = await status(master)
        assert again.status.uuid == told.status.uuid
        agent = gateway.agents["board"]
        acknowledge(master, agent.pid, again)
        while agent.operations.all:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        undo = reserve()
        undo.operation_info.type = Operation.UNRESERVE
        undo.operation_info.unreserve.resources.append(resource("mem", 0.016, "sensing"))
        master.send(agent.pid, undo)
        while agent.operations.reserved:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert "mem(*):0.064" in shown(agent.operations.total)


async def test_a_volume_fails_as_an_operation_and_the_master_is_told_what_there_is(
    master: MasterDouble,
) -> None:
    async with Gateway(master.address, [TargetDouble()], QUICK) as gateway:
        await master.take(internal.UpdateSlaveMessage)
        create = reserve()
        create.operation_info.type = Operation.CREATE
        master.send(gateway.agents["board"].pid, create)
        told = await status(master)
        assert told.status.state == mesos.OPERATION_FAILED
        assert "volumes" in told.status.message
        await master.take(internal.ReregisterSlaveMessage)


async def test_more_than_there_is_cannot_be_reserved(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble()], QUICK) as gateway:
        await master.take(internal.UpdateSlaveMessage)
        master.send(gateway.agents["board"].pid, reserve(resource("mem", 1, "sensing")))
        told = await status(master)
        assert told.status.message == "The agent has not as much as mem(*):1."
        assert not gateway.agents["board"].operations.reserved


async def test_operations_are_reconciled(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble()], QUICK) as gateway:
        await master.take(internal.UpdateSlaveMessage)
        pid = gateway.agents["board"].pid
        master.send(pid, reserve(resource("mem", 0.016, "sensing"), name="mine"))
        told = await status(master)
        acknowledge_later = told
        ask = internal.ReconcileOperationsMessage()
        ask.framework_id.value = "F0"
        ask.operations.add().operation_id.value = "mine"
        ask.operations.add().operation_id.value = "never"
        master.got.clear()
        master.send(pid, ask)

        def answers() -> dict[str, internal.UpdateOperationStatusMessage]:
            found = master.all(internal.UpdateOperationStatusMessage)
            return {one.status.operation_id.value: one for one in found if not one.status.HasField("uuid")}

        known = await master.until(lambda: len(answers()) == 2 and answers())
        assert known["mine"].status.state == mesos.OPERATION_FINISHED
        assert known["never"].status.state == mesos.OPERATION_UNKNOWN
        lost = internal.ReconcileOperationsMessage()
        lost.operations.add().operation_uuid.value = bytes(16)
        lost.operations.add().operation_uuid.CopyFrom(acknowledge_later.operation_uuid)
        master.got.clear()
        master.send(pid, lost)
        dropped = await master.until(
            lambda: [
                one
                for one in master.all(internal.UpdateOperationStatusMessage)
                if one.status.state == mesos.OPERATION_DROPPED
            ]
        )
        assert [one.operation_uuid.value for one in dropped] == [bytes(16)]


async def _comes_back(master: MasterDouble, folder: Path, target: TargetDouble, policy: str = "equal") -> str:
    """Why the agent ended; "" when it re-registered."""
    config = AgentConfig(registration_backoff=0.02, work_dir=folder, reconfiguration_policy=policy)
    async with Gateway(master.address, [], config) as gateway:
        events = gateway.events()
        await gateway.add(target)
        async with asyncio.timeout(60):
            async for event in events:
                return event.reason if isinstance(event, Stopped) else ""
    return ""


async def test_what_may_change_over_a_restart(master: MasterDouble, tmp_path: Path) -> None:
    small, large = (Scalar("cpus", 1.0), Scalar("mem", 0.064)), (Scalar("cpus", 1.0), Scalar("mem", 0.128))
    more = (*large, Ranges("gpio", ((0, 3),)), Items("sensors", frozenset({"temp0"})))
    assert await _comes_back(master, tmp_path, TargetDouble(resources=small)) == ""
    assert await _comes_back(master, tmp_path, TargetDouble(resources=small)) == ""
    why = await _comes_back(master, tmp_path, TargetDouble(resources=more))
    assert "it has more than before" in why
    assert "--reconfiguration_policy=additive" in why
    assert await _comes_back(master, tmp_path, TargetDouble(resources=more), "additive") == ""
    why = await _comes_back(master, tmp_path, TargetDouble(resources=small), "additive")
    assert "it had mem(*):0.128 and has mem(*):0.064" in why
    assert "cleanup" in why


async def test_cleanup_ends_everything_and_forgets_the_agent(master: MasterDouble, tmp_path: Path) -> None:
    target = TargetDouble()
    assert await _comes_back(master, tmp_path, target) == ""
    await target.spawn_alone("F0/T0")
    config = AgentConfig(work_dir=tmp_path, recover="cleanup")
    async with Gateway(master.address, [], config) as gateway:
        events = gateway.events()
        await gateway.add(target)
        assert await anext(aiter(events)) == Stopped("board", "cleaned up")
    assert not target.living
    master.got.clear()
    assert await _comes_back(master, tmp_path, target) == ""
    assert master.all(internal.RegisterSlaveMessage)
