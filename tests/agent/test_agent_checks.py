"""Checks and health checks: when they come, what is told of them, and when they end a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from doubles import MasterDouble, TargetDouble, run_task

from agent.config import AgentConfig
from agent.errors import TaskError
from agent.gateway import Gateway
from agent.launch import exports_of
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from hal.target import Connection

QUICK = AgentConfig(registration_backoff=0.02)
RUNNING, KILLED = mesos.TASK_RUNNING, mesos.TASK_KILLED
CHECKED = mesos.TaskStatus.REASON_TASK_CHECK_STATUS_UPDATED
HEALTH_CHECKED = mesos.TaskStatus.REASON_TASK_HEALTH_CHECK_STATUS_UPDATED


def health_checked(*, grace: float = 0.0, failures: int = 3, timeout: float = 5.0) -> internal.RunTaskMessage:
    run = run_task()
    wanted = run.task.health_check
    wanted.type, wanted.command.shell, wanted.command.value = mesos.HealthCheck.COMMAND, False, "healthy"
    wanted.delay_seconds, wanted.interval_seconds, wanted.timeout_seconds = 0.0, 0.02, timeout
    wanted.grace_period_seconds, wanted.consecutive_failures = grace, failures
    return run


def checked(run: internal.RunTaskMessage | None = None, timeout: float = 5.0) -> internal.RunTaskMessage:
    run = run or run_task()
    wanted = run.task.check
    command = wanted.command.command
    wanted.type, command.shell, command.value = mesos.CheckInfo.COMMAND, False, "depth"
    wanted.delay_seconds, wanted.interval_seconds, wanted.timeout_seconds = 0.0, 0.02, timeout
    return run


class Bench:
    """An agent of a target, and a master that acknowledges all."""

    def __init__(self, master: MasterDouble, target: TargetDouble, gateway: Gateway) -> None:
        self.master, self.target, self.gateway = master, target, gateway

    def send(self, message: internal.RunTaskMessage) -> None:
        self.master.send(self.gateway.agents["board"].pid, message)

    @property
    def told(self) -> list[mesos.TaskStatus]:
        """Every status, without those that came again."""
        found = [update.update.status for update in self.master.all(internal.StatusUpdateMessage)]
        return list({status.uuid: status for status in found}.values())

    async def until_told(self, count: int) -> list[mesos.TaskStatus]:
        await self.master.until(lambda: len(self.told) >= count, 20)
        return self.told

    async def called(self, more: int) -> None:
        """Until so many more calls were made."""
        wanted = len(self.target.calls) + more
        async with asyncio.timeout(60):
            while len(self.target.calls) < wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    target = TargetDouble()
    async with MasterDouble() as master, Gateway(master.address, [target], QUICK) as gateway:
        master.acknowledging = True
        await master.take(internal.UpdateSlaveMessage)
        yield Bench(master, target, gateway)


async def test_a_task_is_told_healthy_once_and_killed_after_too_many_failures(bench: Bench) -> None:
    bench.send(health_checked())
    _, running, healthy = (await bench.until_told(3))[:3]
    assert not running.HasField("healthy")
    assert (healthy.state, healthy.reason, healthy.healthy) == (RUNNING, HEALTH_CHECKED, True)
    assert healthy.source == mesos.TaskStatus.SOURCE_EXECUTOR
    assert healthy.HasField("container_status")
    await bench.called(3)
    assert len(bench.told) == 3
    bench.target.health = 7
    *failed, killed = (await bench.until_told(7))[3:]
    assert [(one.state, one.reason, one.healthy) for one in failed] == [(RUNNING, HEALTH_CHECKED, False)] * 3
    assert "returned 7, 3 times in a row" in failed[-1].message
    assert (killed.state, killed.healthy, killed.HasField("reason")) == (KILLED, False, False)
    assert "its health check failed" in killed.message
    assert bench.target.launched["F0/T0"].checked == ("healthy",)
    assert bench.target.kills == [("F0/T0", 0.0)]


async def test_a_success_in_between_forgives_and_is_told(bench: Bench) -> None:
    bench.target.health = 1
    bench.send(health_checked(failures=1000))
    await bench.until_told(5)
    bench.target.health = 0
    await bench.master.until(lambda: bench.told[-1].healthy, 20)
    assert not bench.target.kills
    count = len(bench.told)
    await bench.called(3)
    assert len(bench.told) == count


async def test_failures_before_the_first_success_are_passed_over_within_the_grace_period(
    bench: Bench,
) -> None:
    bench.target.health = 1
    bench.send(health_checked(grace=1000.0, failures=1))
    await bench.called(5)
    assert len(bench.told) == 2
    bench.target.health = 0
    assert (await bench.until_told(3))[2].healthy
    bench.target.health = 1  # the grace is over with the first success
    assert (await bench.until_told(5))[4].state == KILLED


async def test_what_is_not_answered_in_time_is_a_failure(bench: Bench) -> None:
    bench.target.health = None
    bench.send(health_checked(failures=1, timeout=0.05))
    told = await bench.until_told(4)
    assert "was not answered in time" in told[2].message
    assert told[3].state == KILLED


async def test_nothing_is_concluded_while_the_link_is_down(bench: Bench) -> None:
    bench.send(health_checked(failures=1, timeout=1.0))
    await bench.until_told(3)
    bench.target.health = None
    bench.target.post(Connection(False))
    await asyncio.sleep(1.5)
    count = len(bench.target.calls)
    await asyncio.sleep(0.2)
    assert len(bench.target.calls) == count  # nobody is asked
    assert len(bench.told) == 3
    bench.target.health = 0
    bench.target.post(Connection(True))
    await bench.called(3)
    assert len(bench.told) == 3
    assert not bench.target.kills


async def test_a_check_tells_whatever_comes_back_when_it_is_another(bench: Bench) -> None:
    bench.send(checked(timeout=0.5))
    starting, running, first = (await bench.until_told(3))[:3]
    for status in (starting, running):
        assert status.check_status.type == mesos.CheckInfo.COMMAND
        assert status.check_status.HasField("command")
        assert not status.check_status.command.HasField("exit_code")
    assert (first.state, first.reason, first.check_status.command.exit_code) == (RUNNING, CHECKED, 0)
    bench.target.health = -4
    assert (await bench.until_told(4))[3].check_status.command.exit_code == -4
    await bench.called(3)
    assert len(bench.told) == 4
    bench.target.health = None
    silent = (await bench.until_told(5))[4]
    assert not silent.check_status.command.HasField("exit_code")
    assert not silent.HasField("healthy")


async def test_both_at_once_take_turns(bench: Bench) -> None:
    bench.send(checked(health_checked()))
    await bench.until_told(4)
    assert bench.target.launched["F0/T0"].checked == ("depth", "healthy")
    assert {which for _, which in bench.target.calls} == {0, 1}
    last = bench.told[3]
    assert last.healthy or last.check_status.command.exit_code == 0
    assert len(bench.gateway.agents["board"].tasks.book.frameworks["F0"].tasks["T0"].statuses) == 2


async def test_a_restarted_gateway_goes_on_checking(tmp_path: Path) -> None:
    config = AgentConfig(registration_backoff=0.02, work_dir=tmp_path)
    target = TargetDouble()
    async with MasterDouble() as master:
        master.acknowledging = True
        async with Gateway(master.address, [target], config) as gateway:
            await master.take(internal.UpdateSlaveMessage)
            bench = Bench(master, target, gateway)
            bench.send(health_checked())
            await bench.until_told(3)
        async with Gateway(master.address, [target], config) as gateway:
            bench = Bench(master, target, gateway)
            await bench.called(3)
            assert len(bench.told) == 3  # healthy it was
            target.health = 1
            assert (await bench.until_told(7))[6].state == KILLED


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda task: setattr(task.health_check, "type", mesos.HealthCheck.HTTP), "of type HTTP"),
        (lambda task: setattr(task.check, "type", mesos.CheckInfo.TCP), "of type TCP"),
        (lambda task: task.health_check.ClearField("type"), "of type UNKNOWN"),
        (lambda task: setattr(task.health_check.command, "shell", True), "for a shell"),
        (lambda task: task.check.command.command.ClearField("shell"), "for a shell"),
        (lambda task: task.health_check.command.ClearField("value"), "for a shell"),
        (lambda task: task.health_check.command.arguments.append("-v"), "takes none"),
    ],
)
def test_forms_that_a_device_cannot_serve_are_refused_in_words(change: object, said: str) -> None:
    task = checked(health_checked()).task
    assert exports_of(task) == ("depth", "healthy")
    change(task)  # type: ignore[operator]
    with pytest.raises(TaskError, match=said) as caught:
        exports_of(task)
    assert caught.value.remedy


async def test_such_a_task_is_told_failed(bench: Bench) -> None:
    run = health_checked()
    run.task.health_check.type = mesos.HealthCheck.TCP
    bench.send(run)
    (failed,) = await bench.until_told(1)
    assert failed.state == mesos.TASK_FAILED
    assert failed.reason == mesos.TaskStatus.REASON_CONTAINER_LAUNCH_FAILED
    assert "nothing on the device would answer" in failed.message
