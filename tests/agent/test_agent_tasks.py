"""A task's way through the agent, message by message, against a master and a target that obey the test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import aiohttp
import pytest_asyncio
from doubles import MODULE, MasterDouble, TargetDouble, framework_info, kill_task, run_task

from agent.config import AgentConfig
from agent.core import Agent
from agent.events import TaskChanged
from agent.gateway import Gateway
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from hal.target import Cause, Output, Started, Usage

QUICK = AgentConfig(registration_backoff=0.02, update_retry_min=0.2, update_retry_max=0.4)
Capability = mesos.FrameworkInfo.Capability
STARTING, RUNNING, KILLING = mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING
KEY = "F0/T0"


@dataclass
class Bench:
    """An agent between its master and its target."""

    master: MasterDouble
    target: TargetDouble
    gateway: Gateway

    @property
    def agent(self) -> Agent:
        return self.gateway.agents["board"]

    def send(self, message: object) -> None:
        self.master.send(self.agent.pid, message)  # type: ignore[arg-type]

    async def running(self, run: internal.RunTaskMessage | None = None) -> None:
        """Launch a task and acknowledge it up to RUNNING."""
        run = run or run_task()
        self.send(run)
        await self.master.acknowledged(self.agent.pid, run.task.task_id.value, STARTING, RUNNING)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what no message tells."""
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def settled(self) -> None:
        """Until the agent has nothing of any framework."""
        await self.until(lambda: not self.agent.tasks.book.frameworks)


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    target = TargetDouble()
    async with MasterDouble() as master, Gateway(master.address, [target], QUICK) as gateway:
        await master.take(internal.UpdateSlaveMessage)
        yield Bench(master, target, gateway)


# -- the plain way ------------------------------------------------------------------------------------


async def test_a_task_runs_and_its_result_comes_back(bench: Bench) -> None:
    run = run_task()
    run.task.command.arguments.extend(["20", "x"])
    run.task.labels.labels.add(key="mma.stack", value="1024")
    bench.send(run)
    starting, running = await bench.master.acknowledged(bench.agent.pid, "T0", STARTING, RUNNING)
    assert bench.target.launched[KEY].module == MODULE
    assert bench.target.launched[KEY].arguments == ("20", "x")
    assert bench.target.launched[KEY].budget.stack == 1024
    usage = Usage(cpu_seconds=0.25, memory_peak=4096)
    bench.target.end(KEY, Cause.EXITED, output=b"6765", message="Returned 0.", usage=usage)
    (finished,) = await bench.master.acknowledged(bench.agent.pid, "T0", mesos.TASK_FINISHED)
    assert finished.data == b"6765"
    assert finished.source == mesos.TaskStatus.SOURCE_EXECUTOR
    labels = {label.key: label.value for label in finished.labels.labels}
    assert labels == {"mma.cpu_seconds": "0.25", "mma.memory_peak": "4096"}
    containers = {status.container_status.container_id.value for status in (starting, running, finished)}
    assert len(containers) == 1
    assert "" not in containers
    await bench.settled()
    update = bench.master.all(internal.StatusUpdateMessage)[-1]
    assert update.pid == bench.agent.pid
    assert update.update.latest_state == mesos.TASK_FINISHED
    assert update.update.uuid == update.update.status.uuid
    assert update.update.executor_id.value == "T0"


async def test_watchers_are_told_each_state(bench: Bench) -> None:
    events = bench.gateway.events()
    await bench.running()
    bench.target.end(KEY, Cause.EXITED, 3)
    await bench.master.acknowledged(bench.agent.pid, "T0", mesos.TASK_FAILED)
    seen: list[TaskChanged] = []
    async for event in events:
        assert isinstance(event, TaskChanged)
        seen.append(event)
        if len(seen) == 3:
            break
    assert [event.state for event in seen] == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]
    assert seen[-1].reason == "REASON_COMMAND_EXECUTOR_FAILED"
    assert (seen[-1].target, seen[-1].framework_id, seen[-1].task_id) == ("board", "F0", "T0")


async def test_updates_come_again_until_acknowledged(bench: Bench) -> None:
    bench.send(run_task())
    first = await bench.master.status("T0", STARTING)
    again = await bench.master.status("T0", STARTING, 3)
    assert first.uuid == again.uuid
    latest = bench.master.all(internal.StatusUpdateMessage)[-1].update.latest_state
    assert latest == RUNNING
    bench.master.acknowledge(bench.agent.pid, first)
    running = await bench.master.status("T0", RUNNING)
    bench.master.acknowledge(bench.agent.pid, first)  # a late copy must not acknowledge RUNNING
    await bench.master.status("T0", RUNNING, 2)
    bench.master.acknowledge(bench.agent.pid, running)
    count = len(bench.master.all(internal.StatusUpdateMessage))
    await asyncio.sleep(0.5)
    assert len(bench.master.all(internal.StatusUpdateMessage)) == count


async def test_a_failed_over_framework_is_told_at_once(bench: Bench) -> None:
    bench.send(run_task())
    await bench.master.status("T0", STARTING)
    update = internal.UpdateFrameworkMessage(framework_info=framework_info(Capability.TASK_KILLING_STATE))
    update.framework_id.value = "F0"
    start = asyncio.get_running_loop().time()
    bench.send(update)
    await bench.master.status("T0", STARTING, 2)
    assert asyncio.get_running_loop().time() - start < 0.15
    assert bench.agent.tasks.book.frameworks["F0"].can(Capability.TASK_KILLING_STATE)


# -- refusals -----------------------------------------------------------------------------------------


async def test_what_is_no_wasm_fails_in_words(bench: Bench) -> None:
    bench.send(run_task(data=b"#!/bin/sh"))
    (failed,) = await bench.master.acknowledged(bench.agent.pid, "T0", mesos.TASK_FAILED)
    assert failed.reason == mesos.TaskStatus.REASON_CONTAINER_LAUNCH_FAILED
    assert failed.source == mesos.TaskStatus.SOURCE_SLAVE
    assert "This agent runs WebAssembly modules only" in failed.message
    await bench.settled()
    assert not bench.target.launched


async def test_health_checks_are_refused_in_words(bench: Bench) -> None:
    run = run_task()
    run.task.health_check.SetInParent()
    bench.send(run)
    failed = await bench.master.status("T0", mesos.TASK_FAILED)
    assert "health check" in failed.message


def task_group(*task_ids: str) -> internal.RunTaskGroupMessage:
    group = internal.RunTaskGroupMessage(framework=framework_info(), launch_executor=True)
    group.executor.executor_id.value = "E0"
    group.executor.type = mesos.ExecutorInfo.DEFAULT
    for task_id in task_ids:
        group.task_group.tasks.add().CopyFrom(run_task(task_id).task)
    return group


async def test_a_group_runs_under_one_executor(bench: Bench) -> None:
    bench.send(task_group("T0", "T1"))
    containers = []
    for task_id in ("T0", "T1"):
        _, running = await bench.master.acknowledged(bench.agent.pid, task_id, STARTING, RUNNING)
        assert running.executor_id.value == "E0"
        containers.append(running.container_status.container_id)
    assert containers[0].value != containers[1].value
    assert containers[0].parent.value == containers[1].parent.value != ""
    bench.target.end("F0/T0", Cause.EXITED)
    await bench.master.acknowledged(bench.agent.pid, "T0", mesos.TASK_FINISHED)
    assert not bench.master.all(internal.ExitedExecutorMessage)
    bench.target.end("F0/T1", Cause.EXITED)
    await bench.master.acknowledged(bench.agent.pid, "T1", mesos.TASK_FINISHED)
    exited = await bench.master.take(internal.ExitedExecutorMessage)
    assert (exited.executor_id.value, exited.status) == ("E0", 0)
    await bench.settled()


async def test_a_task_that_fails_takes_its_group_along(bench: Bench) -> None:
    bench.send(task_group("T0", "T1"))
    for task_id in ("T0", "T1"):
        await bench.master.acknowledged(bench.agent.pid, task_id, STARTING, RUNNING)
    bench.target.end("F0/T0", Cause.TRAPPED, 1)
    await bench.master.acknowledged(bench.agent.pid, "T0", mesos.TASK_FAILED)
    (killed,) = await bench.master.acknowledged(bench.agent.pid, "T1", mesos.TASK_KILLED)
    assert "group" in killed.message
    assert (await bench.master.take(internal.ExitedExecutorMessage)).executor_id.value == "E0"
    await bench.settled()


async def test_a_group_with_a_task_that_is_no_module_does_not_run(bench: Bench) -> None:
    group = task_group("T0", "T1")
    group.task_group.tasks[1].data = b"no module"
    bench.target.autostart = False
    bench.send(group)
    await bench.master.acknowledged(bench.agent.pid, "T1", mesos.TASK_FAILED)
    await bench.master.acknowledged(bench.agent.pid, "T0", STARTING, mesos.TASK_KILLED)
    await bench.settled()
    assert not bench.target.living


async def test_messages_go_both_ways(bench: Bench) -> None:
    await bench.running()
    message = internal.FrameworkToExecutorMessage(data=b"hello")
    message.slave_id.value, message.framework_id.value, message.executor_id.value = "S0", "F0", "T0"
    bench.send(message)
    await bench.until(lambda: bench.target.sent == [(KEY, b"hello")])
    bench.target.post(Output(KEY, b"a line\n\x02first\n\x02sec"))
    bench.target.post(Output(KEY, b"ond\n\x02lost"))
    bench.target.post(Output(KEY, b"in part\n\x02third\n", dropped=9))
    await bench.master.take(internal.ExecutorToFrameworkMessage, 3)
    found = bench.master.all(internal.ExecutorToFrameworkMessage)
    assert [one.data for one in found] == [b"first", b"second", b"third"]
    assert {(one.framework_id.value, one.executor_id.value) for one in found} == {("F0", "T0")}
    message.executor_id.value = "nobody"
    bench.send(message)


async def test_a_message_straight_from_a_driver_is_taken_from_none_but_its_own(bench: Bench) -> None:
    await bench.running()
    update = internal.UpdateFrameworkMessage(pid=f"scheduler-1@{bench.master.address}")
    update.framework_id.value = "F0"
    bench.send(update)
    message = internal.FrameworkToExecutorMessage()
    message.slave_id.value, message.framework_id.value, message.executor_id.value = "S0", "F0", "T0"
    for sender in ("scheduler-2", "scheduler-1"):
        message.data = sender.encode()
        bench.master.send(bench.agent.pid, message, sender=sender)
    await bench.until(lambda: bench.target.sent)
    assert bench.target.sent == [(KEY, b"scheduler-1")]


async def test_a_draining_agent_takes_no_task(bench: Bench) -> None:
    bench.target.autokill = False
    await bench.running()
    bench.send(internal.DrainSlaveMessage(config=mesos.DrainConfig()))
    bench.send(run_task("T1"))
    dropped = await bench.master.status("T1", mesos.TASK_DROPPED)
    assert dropped.reason == mesos.TaskStatus.REASON_SLAVE_DRAINING


async def test_a_target_that_does_not_answer_fails_the_task(bench: Bench) -> None:
    bench.target.reachable = False
    bench.send(run_task())
    await bench.master.acknowledged(bench.agent.pid, "T0", STARTING)
    failed = await bench.master.status("T0", mesos.TASK_FAILED)
    assert failed.message == "The double does not answer. Make it reachable."
    assert failed.reason == mesos.TaskStatus.REASON_CONTAINER_LAUNCH_FAILED


async def test_tasks_for_another_agent_and_repeated_ones_are_ignored(bench: Bench) -> None:
    bench.send(run_task(agent_id="S9"))
    await bench.running()
    bench.send(run_task())
    await bench.running(run_task("T1"))
    assert len(bench.master.all(internal.StatusUpdateMessage)) == 4


# -- ends -----------------------------------------------------------------------------------------------


async def test_memory_limits_name_the_resource(bench: Bench) -> None:
    run = run_task()
    mem = run.task.resources.add(name="mem", type=mesos.Value.SCALAR)
    mem.scalar.value, mem.allocation_info.role = 0.016, "*"
    await bench.running(run)
    bench.target.end(KEY, Cause.MEMORY_LIMIT, message="Touched 0x5000.")
    failed = await bench.master.status("T0", mesos.TASK_FAILED)
    assert failed.reason == mesos.TaskStatus.REASON_CONTAINER_LIMITATION_MEMORY
    assert [item.name for item in failed.limitation.resources] == ["mem"]


async def test_a_reset_device_is_gone_or_lost_by_the_frameworks_abilities(bench: Bench) -> None:
    await bench.running()
    plain = framework_info(framework="F1")
    del plain.capabilities[:]
    bench.master.acknowledging = True
    bench.send(run_task("T1", framework=plain))
    await bench.master.status("T1", RUNNING)
    for key in (KEY, "F1/T1"):
        bench.target.end(key, Cause.DEVICE_RESET)
    await bench.master.status("T0", mesos.TASK_GONE)
    await bench.master.status("T1", mesos.TASK_LOST)


async def test_max_completion_time_is_kept(bench: Bench) -> None:
    run = run_task()
    run.task.max_completion_time.nanoseconds = 50_000_000
    await bench.running(run)
    failed = await bench.master.status("T0", mesos.TASK_FAILED)
    assert failed.reason == mesos.TaskStatus.REASON_MAX_COMPLETION_TIME_REACHED


# -- kills ----------------------------------------------------------------------------------------------


async def test_killing_is_told_to_those_who_know_the_state(bench: Bench) -> None:
    bench.target.autokill = False
    await bench.running(run_task(framework=framework_info(Capability.TASK_KILLING_STATE)))
    bench.send(kill_task(grace=1.5))
    await bench.master.acknowledged(bench.agent.pid, "T0", KILLING)
    bench.send(kill_task(grace=0.25))
    await bench.until(lambda: len(bench.target.kills) == 2)
    bench.target.end(KEY, Cause.KILLED)
    killed = await bench.master.status("T0", mesos.TASK_KILLED)
    assert bench.target.kills == [(KEY, 1.5), (KEY, 0.25)]
    assert not killed.HasField("reason")


async def test_the_tasks_own_kill_policy_counts_when_the_kill_has_none(bench: Bench) -> None:
    run = run_task()
    run.task.kill_policy.grace_period.nanoseconds = 2_000_000_000
    await bench.running(run)
    bench.send(kill_task())
    await bench.master.status("T0", mesos.TASK_KILLED)
    assert bench.target.kills == [(KEY, 2.0)]


async def test_a_task_that_ends_while_it_is_killed_tells_its_own_end(bench: Bench) -> None:
    bench.target.autokill = False
    await bench.running()
    bench.send(kill_task(grace=10))
    bench.target.end(KEY, Cause.EXITED)
    await bench.master.status("T0", mesos.TASK_FINISHED)


async def test_unknown_tasks_of_known_frameworks_are_dropped(bench: Bench) -> None:
    bench.send(kill_task("T7"))
    await bench.running()
    bench.send(kill_task("T8"))
    dropped = await bench.master.status("T8", mesos.TASK_DROPPED)
    assert dropped.reason == mesos.TaskStatus.REASON_EXECUTOR_TERMINATED
    bench.master.acknowledge(bench.agent.pid, dropped)
    await asyncio.sleep(0.3)
    told = [message.update.status for message in bench.master.all(internal.StatusUpdateMessage)]
    assert "T7" not in {status.task_id.value for status in told}
    assert len([status for status in told if status.task_id.value == "T8"]) == 1


async def test_a_kill_right_behind_the_launch_reaches_the_target(bench: Bench) -> None:
    bench.master.acknowledging = True
    bench.send(run_task())
    bench.send(kill_task())
    killed = await bench.master.status("T0", mesos.TASK_KILLED)
    early = mesos.TaskStatus.REASON_TASK_KILLED_DURING_LAUNCH
    assert killed.reason == early or bench.target.kills == [(KEY, 0.0)]


# -- executors and frameworks -----------------------------------------------------------------------------


def custom(task_id: str, launch: bool | None = None) -> internal.RunTaskMessage:
    run = run_task(task_id)
    run.task.ClearField("command")
    run.task.executor.executor_id.value = "E0"
    run.task.executor.command.value = "module.wasm"
    if launch is not None:
        run.launch_executor = launch
    return run


async def test_tasks_share_a_custom_executor_that_exits_with_the_last(bench: Bench) -> None:
    await bench.running(custom("T0", True))
    await bench.running(custom("T1", False))
    statuses = [await bench.master.status(task, RUNNING) for task in ("T0", "T1")]
    assert {status.executor_id.value for status in statuses} == {"E0"}
    assert len({status.container_status.container_id.value for status in statuses}) == 1
    bench.target.end(KEY, Cause.EXITED)
    await bench.master.acknowledged(bench.agent.pid, "T0", mesos.TASK_FINISHED)
    assert not bench.master.all(internal.ExitedExecutorMessage)
    bench.target.end("F0/T1", Cause.TRAPPED)
    exited = await bench.master.take(internal.ExitedExecutorMessage)
    assert (exited.executor_id.value, exited.framework_id.value, exited.status) == ("E0", "F0", 256)
    await bench.master.acknowledged(bench.agent.pid, "T1", mesos.TASK_FAILED)
    await bench.settled()


async def test_a_task_for_an_executor_that_has_gone_is_dropped(bench: Bench) -> None:
    bench.send(custom("T0", False))
    dropped = await bench.master.status("T0", mesos.TASK_DROPPED)
    assert dropped.executor_id.value == "E0"
    assert not bench.target.launched


async def test_shutting_down_an_executor_kills_its_tasks(bench: Bench) -> None:
    await bench.running(custom("T0", True))
    await bench.running(run_task("T1"))
    message = internal.ShutdownExecutorMessage()
    message.executor_id.value, message.framework_id.value = "E0", "F0"
    bench.send(message)
    await bench.master.status("T0", mesos.TASK_KILLED)
    await bench.master.take(internal.ExitedExecutorMessage)
    assert bench.target.kills == [(KEY, 0.0)]


async def test_shutting_down_a_framework_is_silent(bench: Bench) -> None:
    await bench.running()
    other = framework_info(framework="F1")
    bench.send(run_task("T1", framework=other))
    await bench.master.status("T1", STARTING)
    count = len(bench.master.all(internal.StatusUpdateMessage))
    message = internal.ShutdownFrameworkMessage()
    message.framework_id.value = "F0"
    bench.send(message)
    await bench.until(lambda: "F0" not in bench.agent.tasks.book.frameworks)
    assert bench.target.kills == [(KEY, 0.0)]
    told = bench.master.all(internal.StatusUpdateMessage)[count:]
    assert not [item for item in told if item.update.framework_id.value == "F0"]
    bench.send(message)  # a repeated one is ignored


async def test_framework_messages_and_strange_requests_do_no_harm(bench: Bench) -> None:
    await bench.running()
    message = internal.FrameworkToExecutorMessage(data=b"hello")
    message.slave_id.value, message.framework_id.value, message.executor_id.value = "S0", "F0", "T0"
    bench.send(message)
    bench.send(internal.CheckpointResourcesMessage())
    bench.target.end(KEY, Cause.EXITED)
    await bench.master.status("T0", mesos.TASK_FINISHED)
    assert bench.agent.refused == 0


# -- draining -------------------------------------------------------------------------------------------


def drain(grace: float | None = None, gone: bool = False) -> internal.DrainSlaveMessage:
    message = internal.DrainSlaveMessage(config=mesos.DrainConfig(mark_gone=gone))
    if grace is not None:
        message.config.max_grace_period.nanoseconds = int(grace * 1e9)
    return message


async def test_draining_kills_everything_with_the_smaller_grace(bench: Bench) -> None:
    run = run_task(framework=framework_info(Capability.TASK_KILLING_STATE))
    run.task.kill_policy.grace_period.nanoseconds = 9_000_000_000
    await bench.running(run)
    bench.send(drain(grace=0.5))
    killing, killed = await bench.master.acknowledged(bench.agent.pid, "T0", KILLING, mesos.TASK_KILLED)
    assert killing.reason == killed.reason == mesos.TaskStatus.REASON_SLAVE_DRAINING
    assert bench.target.kills == [(KEY, 0.5)]
    await bench.settled()
    assert bench.agent.tasks.drain is None


async def test_a_drain_tells_since_when(bench: Bench) -> None:
    bench.target.autokill = False
    await bench.running()
    before = int(time.time())
    bench.send(drain(grace=60.0))
    await bench.until(lambda: bench.agent.tasks.drain)
    url = f"http://{bench.agent.ip}:{bench.agent.port}/{bench.agent.id}"
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{url}/state") as reply:
            state = await reply.json(content_type=None)
        async with http.post(f"{url}/api/v1", json={"type": "GET_AGENT"}) as reply:
            told = (await reply.json(content_type=None))["get_agent"]
    began = state["estimated_drain_start_time_seconds"]
    assert before <= began <= time.time()
    assert told["estimated_drain_start_time"] == {"nanoseconds": began * 1_000_000_000}
    bench.target.end(KEY, Cause.KILLED)
    await bench.master.acknowledged(bench.agent.pid, "T0", mesos.TASK_KILLED)
    await bench.settled()
    assert bench.agent.tasks.drain_began is None


async def test_a_drain_that_marks_gone_says_so(bench: Bench) -> None:
    await bench.running()
    bench.send(drain(gone=True))
    gone = await bench.master.status("T0", mesos.TASK_GONE_BY_OPERATOR)
    assert gone.reason == mesos.TaskStatus.REASON_SLAVE_DRAINING


# -- coming back ------------------------------------------------------------------------------------------


async def test_reregistration_tells_all_that_lives_or_waits(bench: Bench) -> None:
    await bench.running()  # a command task that runs
    await bench.running(custom("T1", True))
    bench.send(run_task("T2"))
    waiting = await bench.master.status("T2", STARTING)  # runs, but STARTING is unacknowledged
    await bench.running(run_task("T3"))
    bench.target.end("F0/T3", Cause.EXITED, output=b"x")  # ended, unacknowledged
    ended = await bench.master.status("T3", mesos.TASK_FINISHED)
    await bench.running(run_task("T4"))
    bench.target.end("F0/T4", Cause.EXITED)
    await bench.master.acknowledged(bench.agent.pid, "T4", mesos.TASK_FINISHED)  # over
    await bench.until(lambda: bench.agent.tasks.book.task(("F0", "T4")) is None)
    bench.send(internal.PingSlaveMessage(connected=False))
    message = await bench.master.take(internal.ReregisterSlaveMessage)
    assert [item.id.value for item in message.frameworks] == ["F0"]
    assert [item.executor_id.value for item in message.executor_infos] == ["E0"]
    assert message.executor_infos[0].framework_id.value == "F0"
    tasks = {task.task_id.value: task for task in message.tasks}
    assert set(tasks) == {"T0", "T1", "T2", "T3"}
    assert [task.HasField("executor_id") for task in tasks.values()] == [False, True, False, False]
    assert tasks["T2"].state == RUNNING
    assert (tasks["T2"].status_update_state, tasks["T2"].status_update_uuid) == (STARTING, waiting.uuid)
    assert tasks["T3"].state == mesos.TASK_FINISHED
    assert tasks["T3"].status_update_uuid == ended.uuid
    assert not any(status.data for status in tasks["T3"].statuses)
    # What waits goes out again at once after it.
    await bench.master.status("T2", STARTING, 2)
    await bench.master.status("T3", mesos.TASK_FINISHED, 2)
    assert bench.agent.refused == 0


async def test_tasks_that_only_the_master_knows_are_dropped_or_lost(bench: Bench) -> None:
    await bench.running()
    groups = []
    for framework, info in (("F0", framework_info()), ("F9", None)):
        group = internal.ReconcileTasksMessage(framework=info)
        group.framework_id.value = framework
        for task in ("T0", "T5"):
            status = group.statuses.add(state=RUNNING)
            status.task_id.value = task
        groups.append(group)
    bench.master.auto = False
    bench.send(internal.PingSlaveMessage(connected=False))
    await bench.master.take(internal.ReregisterSlaveMessage)
    bench.master.reregistered(bench.master.got[0][0], "S0", *groups)
    dropped = await bench.master.status("T5", mesos.TASK_DROPPED)
    lost = await bench.master.status("T5", mesos.TASK_LOST)
    assert dropped.reason == lost.reason == mesos.TaskStatus.REASON_RECONCILIATION
    assert (await bench.master.status("T0", mesos.TASK_LOST)).reason == lost.reason  # F9's, not ours
    told = [item.update for item in bench.master.all(internal.StatusUpdateMessage)]
    assert not [
        item for item in told if item.framework_id.value == "F0" and item.status.state == mesos.TASK_LOST
    ]


async def test_what_the_master_gave_up_goes_without_a_word(bench: Bench) -> None:
    """Frameworks that do not checkpoint lose their tasks when the master's link to us breaks."""
    careless = framework_info(Capability.TASK_KILLING_STATE, framework="F1")
    careless.checkpoint = False
    bench.master.acknowledging = True
    await bench.running()
    bench.target.autokill = False
    bench.send(run_task("T1", framework=careless))
    await bench.master.status("T1", RUNNING)
    told = len(bench.master.all(internal.StatusUpdateMessage))
    bench.send(internal.PingSlaveMessage(connected=False))
    message = await bench.master.take(internal.ReregisterSlaveMessage)
    assert [task.task_id.value for task in message.tasks] == ["T0"]
    assert [item.id.value for item in message.frameworks] == ["F0"]
    await bench.until(lambda: bench.target.kills == [("F1/T1", 0.0)])
    bench.send(run_task("T2", framework=careless))  # the framework itself lives
    await bench.master.status("T2", RUNNING)
    bench.target.end("F1/T1", Cause.KILLED)
    await bench.until(lambda: bench.agent.tasks.book.task(("F1", "T1")) is None)
    after = bench.master.all(internal.StatusUpdateMessage)[told:]
    assert {item.update.status.task_id.value for item in after} == {"T2"}


async def test_reservations_are_told_at_reregistration(bench: Bench) -> None:
    message = internal.CheckpointResourcesMessage()
    resource = message.resources.add(name="cpus", type=mesos.Value.SCALAR)
    resource.scalar.value = 0.5
    resource.reservations.add(type=mesos.Resource.ReservationInfo.DYNAMIC, role="web")
    bench.send(message)
    bench.send(internal.PingSlaveMessage(connected=False))
    again = await bench.master.take(internal.ReregisterSlaveMessage)
    assert list(again.checkpointed_resources) == [resource]


async def test_started_twice_is_running_once(bench: Bench) -> None:
    await bench.running()
    bench.target.post(Started(KEY))
    bench.target.post(Started("F0/nobody"))
    bench.target.end(KEY, Cause.EXITED)
    await bench.master.status("T0", mesos.TASK_FINISHED)
    assert bench.agent.tasks.ended == {mesos.TASK_FINISHED: 1}
