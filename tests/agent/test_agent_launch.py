"""From TaskInfo to Launch, facts to resources, and ends to verdicts."""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import TaskError
from agent.facts import attributes_of, mem_bytes, resources_of, round_scalar
from agent.launch import Source, budget_of, burst_of, check_module, launch_of, source_of
from agent.proto import mesos_pb2 as mesos
from agent.verdict import TERMINAL, Kill, judge
from hal.target import MEBIBYTE, Budget, Cause, Description, Ended, Grants, Items, Ranges, Scalar

MODULE = b"\0asm\1\0\0\0"


def task(**labels: str) -> mesos.TaskInfo:
    info = mesos.TaskInfo(name="t")
    info.task_id.value = "T0"
    for key, value in labels.items():
        info.labels.labels.add(key=f"mma.{key}", value=value)
    return info


def scalar(info: mesos.TaskInfo, name: str, value: float) -> None:
    info.resources.add(name=name, type=mesos.Value.SCALAR, scalar=mesos.Value.Scalar(value=value))


# -- sources ------------------------------------------------------------------------------------------


def test_the_module_is_the_task_data() -> None:
    info = task()
    info.data = MODULE
    info.command.value = "fib.wasm"
    assert source_of(info) == Source(data=MODULE)


def test_the_module_is_the_first_uri_and_data_is_then_the_frameworks_own() -> None:
    info = task(sha256="AB" * 32)
    info.data = b"whatever"
    info.command.uris.add(value="http://x/a.wasm", cache=True)
    info.command.uris.add(value="http://x/b.wasm")
    assert source_of(info) == Source(uri="http://x/a.wasm", cache=True, sha256="ab" * 32)


def test_a_custom_executors_command_names_the_module() -> None:
    info = task()
    info.executor.executor_id.value = "E0"
    info.executor.command.uris.add(value="/x.wasm")
    info.executor.command.arguments.extend(["1", "2"])
    assert source_of(info).uri == "/x.wasm"
    assert launch_of(info, "k", MODULE, None).arguments == ("1", "2")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda info: setattr(info, "data", b"#!/bin/sh\n"), "begins with b'#!/bin/sh"),
        (lambda info: setattr(info.command, "value", "sleep 1"), "the command 'sleep 1'"),
        (lambda info: info.container.SetInParent(), "container image"),
        (lambda info: None, "no module"),
    ],
)
def test_other_tasks_are_refused_in_words(change: object, words: str) -> None:
    info = task()
    change(info)  # type: ignore[operator]
    with pytest.raises(TaskError) as caught:
        source_of(info)
    assert words in str(caught.value)
    assert "WebAssembly modules only" in str(caught.value)


def test_a_digest_that_is_none_is_refused() -> None:
    info = task(sha256="12")
    info.data = MODULE
    with pytest.raises(TaskError, match="64 hex digits"):
        source_of(info)


def test_modules_are_checked() -> None:
    good = Source(uri="u", sha256=hashlib.sha256(MODULE).hexdigest())
    assert check_module(MODULE, good, 8) == MODULE
    with pytest.raises(TaskError, match="up to 7"):
        check_module(MODULE, good, 7)
    with pytest.raises(TaskError, match="SHA-256"):
        check_module(MODULE + b"x", good, 100)
    with pytest.raises(TaskError, match="is empty"):
        check_module(b"", Source(uri="u"), 100)
    with pytest.raises(TaskError, match="u is no WASM module: it begins with b'hello'"):
        check_module(b"hello", Source(uri="u"), 100)


# -- budgets and grants ---------------------------------------------------------------------------------


@given(st.integers(1, 10**7))
def test_mem_is_the_nearest_byte(thousandths: int) -> None:
    exact = Fraction(thousandths, 1000) * MEBIBYTE
    assert abs(mem_bytes(thousandths / 1000) - exact) <= Fraction(1, 2)


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=5))
def test_mem_of_several_reservations_is_added_up(parts: list[int]) -> None:
    info = task()
    for part in parts:
        scalar(info, "mem", part / 1000)
    assert budget_of(info, None).total == mem_bytes(sum(parts) / 1000)


def test_budgets_take_labels_and_end_at_the_device() -> None:
    info = task(stack="2048", memory="0", log="512")
    scalar(info, "mem", 0.063)
    scalar(info, "cpus", 0.25)
    assert budget_of(info, 65536) == Budget(total=65536, cpus=0.25, stack=2048, memory=0, log=512)
    assert budget_of(info, None).total == 66060
    assert budget_of(task(), 65536) == Budget()


def test_limits_are_kept_or_refused() -> None:
    info = task()
    scalar(info, "mem", 1.0)
    scalar(info, "cpus", 0.1)
    assert burst_of(info, bursts=False) == 0
    info.limits["mem"].value, info.limits["cpus"].value = 1.0, math.inf
    assert burst_of(info, bursts=False) == 0
    info.limits["mem"].value = 1.5
    assert burst_of(info, bursts=True) == MEBIBYTE // 2
    assert launch_of(info, "k", MODULE, None, bursts=True).budget.burst == MEBIBYTE // 2
    with pytest.raises(TaskError, match=r"limit of 1\.5 MB is above its mem of 1;"):
        burst_of(info, bursts=False)
    info.limits["mem"].value = math.inf
    assert burst_of(info, bursts=True) == 4095 * MEBIBYTE
    info.limits["cpus"].value = 0.5
    with pytest.raises(TaskError, match=r"limit of 0\.5 cpus would not be kept"):
        burst_of(info, bursts=True)


@pytest.mark.parametrize("text", ["", "-1", "2k", "1.5", "9" * 13])
def test_labels_that_are_no_bytes_are_refused(text: str) -> None:
    with pytest.raises(TaskError, match=r"mma\.stack.*number of bytes"):
        budget_of(task(stack=text), None)


def test_grants_are_what_the_task_holds() -> None:
    info = task()
    pins = info.resources.add(name="gpio", type=mesos.Value.RANGES)
    pins.ranges.range.add(begin=4, end=5)
    pins.ranges.range.add(begin=13, end=13)
    info.resources.add(name="sensors", type=mesos.Value.SET).set.item.append("temp0")
    launch = launch_of(info, "F0/T0", MODULE, None)
    assert launch.grants == Grants(frozenset({4, 5, 13}), frozenset({"temp0"}))
    assert (launch.key, launch.module) == ("F0/T0", MODULE)
    pins.ranges.range.add(begin=100, end=1 << 40)
    with pytest.raises(TaskError, match="pins"):
        launch_of(info, "F0/T0", MODULE, None)


# -- facts --------------------------------------------------------------------------------------------


@given(st.floats(0, 1e6))
def test_scalars_have_three_decimals(value: float) -> None:
    rounded = round_scalar(value)
    assert abs(rounded - value) <= 0.0005000001
    assert f"{rounded:.3f}" == f"{rounded:.9f}"[: len(f"{rounded:.3f}")]


def test_resources_are_rounded_and_nothing_is_left_out_but_nothing() -> None:
    description = Description(
        name="b",
        resources=(
            Scalar("cpus", 0.0126),
            Scalar("disk", 0.0004),
            Ranges("gpio", ((0, 15), (33, 39))),
            Ranges("empty", ()),
            Items("sensors", frozenset({"temp0", "accel"})),
            Items("none", frozenset()),
        ),
        attributes={"board": "x"},
        mem_bytes=0,
    )
    cpus, gpio, sensors = resources_of(description)
    assert cpus.scalar.value == 0.013
    assert [(span.begin, span.end) for span in gpio.ranges.range] == [(0, 15), (33, 39)]
    assert list(sensors.set.item) == ["accel", "temp0"]
    attributes = {item.name: item.text.value for item in attributes_of(description, {"rack": "r7"})}
    assert attributes == {"board": "x", "rack": "r7", "target": "b"}


# -- verdicts -----------------------------------------------------------------------------------------

R = mesos.TaskStatus
TABLE = [
    (Cause.EXITED, 0, None, mesos.TASK_FINISHED, None, R.SOURCE_EXECUTOR),
    (Cause.EXITED, 3, None, mesos.TASK_FAILED, R.REASON_COMMAND_EXECUTOR_FAILED, R.SOURCE_EXECUTOR),
    (Cause.EXITED, 0, Kill.FRAMEWORK, mesos.TASK_KILLED, None, R.SOURCE_EXECUTOR),
    (Cause.TRAPPED, 1, Kill.DRAINING, mesos.TASK_KILLED, None, R.SOURCE_EXECUTOR),
    (Cause.TRAPPED, 0, None, mesos.TASK_FAILED, R.REASON_COMMAND_EXECUTOR_FAILED, R.SOURCE_EXECUTOR),
    (Cause.FAULTED, 0, None, mesos.TASK_FAILED, R.REASON_COMMAND_EXECUTOR_FAILED, R.SOURCE_EXECUTOR),
    (Cause.MEMORY_LIMIT, 0, None, mesos.TASK_FAILED, R.REASON_CONTAINER_LIMITATION_MEMORY, R.SOURCE_SLAVE),
    (Cause.KILLED, 0, Kill.FRAMEWORK, mesos.TASK_KILLED, None, R.SOURCE_EXECUTOR),
    (Cause.KILLED, 0, Kill.DRAINING, mesos.TASK_KILLED, None, R.SOURCE_EXECUTOR),
    (
        *(Cause.KILLED, 0, Kill.COMPLETION_TIME, mesos.TASK_FAILED),
        *(R.REASON_MAX_COMPLETION_TIME_REACHED, R.SOURCE_EXECUTOR),
    ),
    (Cause.KILLED, 0, None, mesos.TASK_FAILED, R.REASON_EXECUTOR_TERMINATED, R.SOURCE_SLAVE),
    (Cause.MODULE_REJECTED, 0, None, mesos.TASK_FAILED, R.REASON_CONTAINER_LAUNCH_FAILED, R.SOURCE_SLAVE),
    (Cause.NO_ROOM, 0, None, mesos.TASK_FAILED, R.REASON_CONTAINER_LAUNCH_FAILED, R.SOURCE_SLAVE),
    (Cause.LAUNCH_FAILED, 0, None, mesos.TASK_FAILED, R.REASON_CONTAINER_LAUNCH_FAILED, R.SOURCE_SLAVE),
    (Cause.DEVICE_RESET, 0, None, mesos.TASK_GONE, R.REASON_SLAVE_RESTARTED, R.SOURCE_SLAVE),
    (Cause.DEVICE_GONE, 0, None, mesos.TASK_GONE, R.REASON_SLAVE_REMOVED, R.SOURCE_SLAVE),
]


@pytest.mark.parametrize(("cause", "status", "kill", "state", "reason", "source"), TABLE)
def test_every_end_has_its_verdict(
    cause: Cause, status: int, kill: Kill | None, state: int, reason: int | None, source: int
) -> None:
    verdict = judge(Ended("k", cause, status, "words"), kill, partition_aware=True)
    assert (verdict.state, verdict.reason, verdict.source) == (state, reason, source)
    assert verdict.state in TERMINAL
    old = judge(Ended("k", cause, status), kill, partition_aware=False)
    assert old.state == (mesos.TASK_LOST if state == mesos.TASK_GONE else state)
    assert old.message.endswith(".")


def test_the_table_is_complete() -> None:
    assert {row[0] for row in TABLE} == set(Cause)
