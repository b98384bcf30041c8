"""Nothing leaves that would abort a master (mesos-protocol, section 5) or that it drops in silence."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import UnsafeMessageError
from agent.guard import seal
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal

UUID = bytes(range(16))
PID = "slave(1)@127.0.0.1:5051"


def cpus(value: float = 1.0, role: str = "") -> mesos.Resource:
    resource = mesos.Resource(name="cpus", type=mesos.Value.SCALAR, scalar=mesos.Value.Scalar(value=value))
    if role:
        resource.allocation_info.role = role
    return resource


def register() -> internal.RegisterSlaveMessage:
    message = internal.RegisterSlaveMessage(version="1.11.0")
    message.slave.hostname = "gateway"
    message.slave.checkpoint = True
    message.slave.resources.append(cpus())
    message.agent_capabilities.add(type=mesos.SlaveInfo.Capability.MULTI_ROLE)
    return message


def reregister() -> internal.ReregisterSlaveMessage:
    message = internal.ReregisterSlaveMessage(version="1.11.0", slave=register().slave)
    message.slave.id.value = "S0"
    message.frameworks.add(name="f", user="u").id.value = "F0"
    executor = message.executor_infos.add()
    executor.executor_id.value, executor.framework_id.value = "E0", "F0"
    executor.resources.append(cpus(role="*"))
    task = message.tasks.add(name="t", state=mesos.TASK_RUNNING)
    task.task_id.value, task.framework_id.value, task.slave_id.value = "T0", "F0", "S0"
    task.executor_id.value = "E0"
    task.resources.append(cpus(role="*"))
    task.status_update_state, task.status_update_uuid = mesos.TASK_RUNNING, UUID
    return message


def update() -> internal.StatusUpdateMessage:
    message = internal.StatusUpdateMessage(pid=PID)
    message.update.framework_id.value = "F0"
    message.update.slave_id.value = message.update.status.slave_id.value = "S0"
    message.update.timestamp = 1.0
    message.update.uuid = message.update.status.uuid = UUID
    message.update.status.task_id.value = "a task"
    message.update.status.state = mesos.TASK_RUNNING
    return message


def update_slave() -> internal.UpdateSlaveMessage:
    message = internal.UpdateSlaveMessage()
    message.slave_id.value = "S0"
    provider = message.resource_providers.providers.add()
    provider.info.id.value = "P0"
    provider.operations.SetInParent()
    provider.resource_version_uuid.value = UUID
    return message


def operation() -> internal.UpdateOperationStatusMessage:
    message = internal.UpdateOperationStatusMessage()
    message.slave_id.value = "S0"
    message.operation_uuid.value = UUID
    message.status.state = mesos.OPERATION_FINISHED
    message.status.uuid.value = UUID
    return message


def exited() -> internal.ExitedExecutorMessage:
    message = internal.ExitedExecutorMessage(status=0)
    message.slave_id.value, message.framework_id.value, message.executor_id.value = "S0", "F0", "E0"
    return message


GOOD: list[Callable[[], Message]] = [
    register,
    reregister,
    update,
    update_slave,
    operation,
    exited,
    internal.PongSlaveMessage,
    lambda: internal.UnregisterSlaveMessage(slave_id=mesos.SlaveID(value="S0")),
]


@pytest.mark.parametrize("make", GOOD)
def test_good_messages_pass_unchanged(make: Callable[[], Message]) -> None:
    message = make()
    sealed = seal(message)
    assert sealed.name == message.DESCRIPTOR.full_name
    assert type(message).FromString(sealed.body) == message


def _duplicate_task(message: internal.ReregisterSlaveMessage) -> None:
    message.tasks.add().CopyFrom(message.tasks[0])


def _duplicate_framework(message: internal.ReregisterSlaveMessage) -> None:
    message.frameworks.add().CopyFrom(message.frameworks[0])


def _duplicate_executor(message: internal.ReregisterSlaveMessage) -> None:
    message.executor_infos.add().CopyFrom(message.executor_infos[0])


def _capability(message: internal.RegisterSlaveMessage | internal.ReregisterSlaveMessage) -> None:
    message.agent_capabilities.add(type=mesos.SlaveInfo.Capability.RESOURCE_PROVIDER)


def _inverted(message: internal.RegisterSlaveMessage) -> None:
    pins = message.slave.resources.add(name="gpio", type=mesos.Value.RANGES)
    pins.ranges.range.add(begin=3, end=2)


def _overlap(message: internal.RegisterSlaveMessage) -> None:
    pins = message.slave.resources.add(name="gpio", type=mesos.Value.RANGES)
    pins.ranges.range.add(begin=0, end=3)
    pins.ranges.range.add(begin=3, end=5)


def _twice(message: internal.RegisterSlaveMessage) -> None:
    sensors = message.slave.resources.add(name="sensors", type=mesos.Value.SET)
    sensors.set.item.extend(["temp0", "temp0"])


def _set(path: str, value: object) -> Callable[[Message], None]:
    """Assign to a.b[0].c."""

    def change(message: Message) -> None:
        *holders, last = path.split(".")
        holder: object = message
        for name in holders:
            name, bracket, _ = name.partition("[")
            holder = getattr(holder, name)
            if bracket:
                holder = holder[0]  # type: ignore[index]
        setattr(holder, last, value)

    return change


def _clear(path: str) -> Callable[[Message], None]:
    def change(message: Message) -> None:
        *holders, last = path.split(".")
        holder: object = message
        for name in holders:
            name, bracket, _ = name.partition("[")
            holder = getattr(holder, name)
            if bracket:
                holder = holder[0]  # type: ignore[index]
        holder.ClearField(last)  # type: ignore[attr-defined]

    return change


BAD: list[tuple[str, Callable[[], Message], Callable[..., None], str]] = [
    # section 5, in its order
    ("1: no pid", update, _clear("pid"), "pid"),
    ("1: empty pid", update, _set("pid", ""), "pid"),
    ("1: pid is none", update, _set("pid", "@0.0.0.0"), "pid"),
    ("2: no status.uuid", update, _clear("update.status.uuid"), "status.uuid"),
    ("2: no update.uuid", update, _clear("update.uuid"), "uuid has 0 bytes"),
    ("2: two uuids", update, _set("update.status.uuid", UUID[::-1]), "status.uuid"),
    ("2: short uuid", update, _set("update.uuid", b"123"), "3 bytes"),
    ("3: state without uuid", reregister, _clear("tasks[0].status_update_uuid"), "only one of"),
    ("3: uuid without state", reregister, _clear("tasks[0].status_update_state"), "only one of"),
    ("3: short uuid", reregister, _set("tasks[0].status_update_uuid", b"1"), "1 bytes"),
    ("4: no slave_id", operation, _clear("slave_id"), "slave id"),
    ("4: nothing to find it by", operation, _clear("operation_uuid"), "neither"),
    ("5: no resource version", register, _capability, "RESOURCE_PROVIDER"),
    ("5: no resource version", reregister, _capability, "RESOURCE_PROVIDER"),
    ("6: no info.id", update_slave, _clear("resource_providers.providers[0].info.id"), "info.id"),
    ("6: no info", update_slave, _clear("resource_providers.providers[0].info"), "info.id"),
    # more failed CHECKs of src/master
    ("task twice", reregister, _duplicate_task, "task T0 comes twice"),
    ("no allocation role", reregister, _clear("tasks[0].resources[0].allocation_info"), "allocation_info"),
    ("no executor role", reregister, _clear("executor_infos[0].resources[0].allocation_info"), "allocation"),
    ("unreachable task", reregister, _set("tasks[0].state", mesos.TASK_UNREACHABLE), "UNREACHABLE"),
    ("unreachable update", update, _set("update.status.state", mesos.TASK_UNREACHABLE), "UNREACHABLE"),
    ("executor of nobody", reregister, _clear("executor_infos[0].framework_id"), "framework ''"),
    # dropped in silence
    ("framework twice", reregister, _duplicate_framework, "framework F0 comes twice"),
    ("executor twice", reregister, _duplicate_executor, "executor E0 comes twice"),
    ("strange framework", reregister, _set("tasks[0].framework_id.value", "F9"), "'F9'"),
    ("strange executor", reregister, _set("tasks[0].executor_id.value", "E9"), "'E9'"),
    ("strange agent", reregister, _set("tasks[0].slave_id.value", "S9"), "S9"),
    ("no id", reregister, _clear("slave.id"), "slave.id"),
    ("an id at first", register, _set("slave.id.value", "S0"), "re-register"),
    ("no version", register, _clear("version"), "version"),
    ("old version", register, _set("version", "0.28.0"), "0.28.0"),
    ("no hostname", register, _set("slave.hostname", ""), "hostname"),
    ("rounds to nothing", register, _set("slave.resources[0].scalar.value", 0.0004), "rounds"),
    ("negative", register, _set("slave.resources[0].scalar.value", -1.0), "-1.0"),
    ("not a number", register, _set("slave.resources[0].scalar.value", math.nan), "nan"),
    ("wrong type", register, _set("slave.resources[0].type", mesos.Value.SET), "not of its type"),
    ("no name", register, _set("slave.resources[0].name", ""), "no name"),
    ("inverted", register, _inverted, "inverted"),
    ("overlapping", register, _overlap, "overlapping"),
    ("item twice", register, _twice, "twice"),
    ("slash in an id", update, _set("update.status.task_id.value", "a/b"), "task id"),
    ("dots for an id", update, _set("update.status.task_id.value", ".."), "task id"),
    ("required field", exited, _clear("status"), "required"),
]


@pytest.mark.parametrize(
    ("make", "spoil", "words"), [item[1:] for item in BAD], ids=[item[0] for item in BAD]
)
def test_bad_messages_are_stopped(
    make: Callable[[], Message], spoil: Callable[[Message], None], words: str
) -> None:
    message = make()
    spoil(message)
    with pytest.raises(UnsafeMessageError) as caught:
        seal(message)
    assert words in str(caught.value)
    assert message.DESCRIPTOR.full_name in str(caught.value)


def test_checkpointed_resources_need_a_checkpointing_agent() -> None:
    message = register()
    message.checkpointed_resources.append(cpus())
    seal(message)
    message.slave.checkpoint = False
    with pytest.raises(UnsafeMessageError, match="checkpoint"):
        seal(message)


def test_what_agents_do_not_send_is_stopped() -> None:
    with pytest.raises(UnsafeMessageError, match="not a message that agents send"):
        seal(internal.ShutdownMessage())


@given(st.floats(0.0005000001, 1e6))
def test_what_mesos_counts_as_something_passes(value: float) -> None:
    message = register()
    message.slave.resources[0].scalar.value = value
    seal(message)
