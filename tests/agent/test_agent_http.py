"""What an agent answers over plain HTTP, beside its state: files, containers, metrics, logging, help."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from doubles import MODULE, MasterDouble, TargetDouble, run_task
from hypothesis import given
from hypothesis import strategies as st

from agent.config import AgentConfig
from agent.gateway import Gateway
from agent.http.duration import DurationError, seconds_of
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from hal.target import Cause, Heard, Output, Trace, Usage


class Client:
    """Asks one gateway's first port."""

    def __init__(self, gateway: Gateway, session: aiohttp.ClientSession) -> None:
        ip, port = gateway.addresses[0]
        self.base = f"http://{ip}:{port}"
        self.session = session

    async def ask(self, path: str, method: str = "GET", **more: Any) -> tuple[int, str]:
        async with self.session.request(method, self.base + path, **more) as response:
            return response.status, await response.text()

    async def json(self, endpoint: str, **params: str) -> Any:
        async with self.session.get(self.base + endpoint, params=params) as response:
            assert response.status == 200, await response.text()
            return await response.json()


class Bench:
    """Two boards, one of which runs a task that has logged and one that has trapped."""

    def __init__(self, master: MasterDouble, gateway: Gateway, target: TargetDouble, client: Client) -> None:
        self.master, self.gateway, self.target, self.client = master, gateway, target, client

    async def executor(self, name: str = "runs") -> dict[str, Any]:
        state = await self.client.json("/slave(1)/state")
        (framework,) = state["frameworks"]
        every = framework["executors"] + framework["completed_executors"]
        (found,) = (item for item in every if item["id"] == name)
        assert isinstance(found, dict)
        return found


@asynccontextmanager
async def benched() -> AsyncIterator[Bench]:
    target = TargetDouble("a")
    config = AgentConfig(registration_backoff=0.02)
    async with MasterDouble() as master:
        master.acknowledging = True
        async with Gateway(master.address, [target, TargetDouble("b")], config) as gateway:
            await master.take(internal.UpdateSlaveMessage, 2)
            pid = gateway.agents["a"].pid
            for task in ("runs", "trapped"):
                master.send(pid, run_task(task, gateway.agents["a"].agent_id))
                await master.status(task, mesos.TASK_RUNNING)
                target.post(Output(f"F0/{task}", b"hello from \xe2\x82\xac\n"))
            target.living["F0/runs"] = Usage(1.5, 7, 1000, 2048, 512, 4096, 4000)
            target.end("F0/trapped", Cause.TRAPPED, message="Trap: unreachable in function main.")
            await master.status("trapped", mesos.TASK_FAILED)
            async with aiohttp.ClientSession() as session:
                yield Bench(master, gateway, target, Client(gateway, session))


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    async with benched() as made:
        yield made


# -- files ----------------------------------------------------------------------------------------------


async def test_a_sandbox_is_browsed_and_read_as_the_web_ui_does(bench: Bench) -> None:
    client, directory = bench.client, (await bench.executor())["directory"]
    listing = await client.json("/files/browse", path=directory)
    assert [item["path"] for item in listing] == [
        f"{directory}/{name}" for name in ("module.wasm", "stderr", "stdout")
    ]
    assert set(listing[0]) == {"path", "nlink", "size", "mtime", "mode", "uid", "gid"}
    assert listing[0]["mode"].startswith("-rw")
    assert listing[0]["size"] == len(MODULE)
    # the pager asks for the size, then for pieces
    path = f"{directory}/stdout"
    size = len("hello from €\n".encode())
    assert await client.json("/files/read", path=path, offset="-1") == {"offset": size, "data": ""}
    assert await client.json("/files/read", path=path) == {"offset": size, "data": ""}
    whole = await client.json("/files/read", path=path, offset="0", length="50000")
    assert whole == {"offset": 0, "data": "hello from €\n"}
    assert await client.json("/files/read", path=path, offset="6", length="4") == {
        "offset": 6,
        "data": "from",
    }
    assert await client.json("/files/read", path=path, offset="99") == {"offset": 99, "data": ""}
    status, text = await client.ask("/files/read", params={"path": path, "offset": "0", "jsonp": "cb"})
    assert (status, text) == (200, 'cb({"offset":0,"data":"hello from \\u20ac\\n"})')
    latest = "/frameworks/F0/executors/runs/runs/latest/stdout"
    assert (await client.json("/files/read", path=latest, offset="0"))["data"] == "hello from €\n"


async def test_a_fault_is_in_stderr(bench: Bench) -> None:
    directory = (await bench.executor("trapped"))["directory"]
    said = await bench.client.json("/files/read", path=f"{directory}/stderr", offset="0")
    assert "Ended: trapped, status 0. Trap: unreachable in function main." in said["data"]


async def test_files_are_downloaded_as_they_are(bench: Bench) -> None:
    directory = (await bench.executor())["directory"]
    url = f"{bench.client.base}/files/download"
    async with bench.client.session.get(url, params={"path": f"{directory}/module.wasm"}) as response:
        assert await response.read() == MODULE
        assert response.headers["Content-Disposition"] == "attachment; filename=module.wasm"
    assert (await bench.client.ask("/files/download", params={"path": directory}))[0] == 400
    assert directory in await bench.client.json("/files/debug")


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/files/browse", 400, "Expecting 'path=value' in query.\n"),
        ("/files/browse?path=/x", 404, ""),
        ("/files/read", 400, "Expecting 'path=value' in query.\n"),
        ("/files/read?path=/etc/passwd&offset=0", 404, ""),
        ("/files/read?path=/x&offset=-2", 400, "Negative offset provided: -2.\n"),
        ("/files/read?path=/x&offset=q", 400, "Failed to parse offset: Failed to convert 'q' to number.\n"),
        ("/files/read?path=/x&length=-3", 400, "Negative length provided: -3.\n"),
        ("/files/download?path=/x", 404, "404 Not Found."),
        ("/logging/toggle", 200, "0\n"),
        ("/logging/toggle?level=1", 400, "Expecting 'duration=value' in query.\n"),
        ("/logging/toggle?level=x&duration=1mins", 400, "Failed to convert 'x' to number.\n"),
        ("/logging/toggle?level=1&duration=x", 400, "Failed to convert '' to number.\n"),
        ("/logging/toggle?level=-1&duration=1mins", 400, "Invalid level '-1'.\n"),
        ("/metrics/snapshot?timeout=x", 400, "Invalid timeout 'x': Failed to convert '' to number.\n"),
        ("/slave(1)/nonsense", 404, "404 Not Found."),
        ("/slave(9)/state", 404, "404 Not Found."),
        ("/slave(1)/", 404, "404 Not Found."),
        ("/", 404, "404 Not Found."),
        ("/slave(1)/health", 200, ""),
    ],
)
async def test_refusals_read_as_a_native_agents(path: str, status: int, text: str) -> None:
    """Status and words as recorded from a native 1.11.0 agent."""
    async with MasterDouble() as master, Gateway(master.address, [TargetDouble()]) as gateway:
        async with aiohttp.ClientSession() as session:
            assert await Client(gateway, session).ask(path) == (status, text)


# -- containers and metrics -------------------------------------------------------------------------------


async def test_statistics_tell_what_executors_use(bench: Bench) -> None:
    (entry,) = await bench.client.json("/slave(1)/monitor/statistics")
    assert set(entry) == {"executor_id", "executor_name", "framework_id", "source", "statistics"}
    stats = entry["statistics"]
    assert (stats["cpus_user_time_secs"], stats["cpus_system_time_secs"]) == (1.5, 0.0)
    assert stats["mem_rss_bytes"] == 1000 + 512 + 4000
    assert stats["cpus_limit"] == 0.1
    assert await bench.client.json("/slave(2)/monitor/statistics") == []
    bench.target.reachable = False
    assert len(await bench.client.json("/monitor/statistics")) == 1


async def test_a_link_is_traced_where_there_is_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a number on; a target without one says so, as nonsense is answered."""
    assert (await bench.client.ask("/slave(1)/trace"))[0] == 404
    asked: list[int] = []

    def trace(after: int) -> Trace:
        asked.append(after)
        return Trace(7, (Heard(1.5, "framework/task", "> CON 0001 GET /s"),))

    monkeypatch.setattr(bench.target, "trace", trace, raising=False)
    found = await bench.client.json("/slave(1)/trace", after="6")
    line = {"time": 1.5, "key": "framework/task", "text": "> CON 0001 GET /s"}
    assert (found, asked) == ({"next": 7, "lines": [line]}, [6])
    status, text = await bench.client.ask("/slave(1)/trace?after=-1")
    assert (status, text) == (400, "Failed to convert '-1' to number.\n")


async def test_containers_are_told_and_chosen(bench: Bench) -> None:
    client = bench.client
    (entry,) = await client.json("/slave(1)/containers")
    container = entry["container_id"]
    assert entry["status"]["container_id"] == {"value": container}
    assert (await bench.executor())["container"] == container
    assert len(await client.json("/containers", container_id=container)) == 1
    assert len(await client.json("/containers", framework_id="F0", executor_id="runs")) == 1
    assert await client.json("/containers", framework_id="F1") == []
    assert await client.json("/containers", container_id="x") == []
    assert await client.json("/containers", executor_id="other") == []


async def test_metrics_for_prometheus(bench: Bench) -> None:
    status, text = await bench.client.ask("/metrics")
    assert status == 200
    lines = text.splitlines()
    assert "# TYPE mesos_slave_tasks_running gauge" in lines
    assert "# TYPE mesos_slave_tasks_failed counter" in lines
    assert 'mesos_slave_tasks_failed{target="a",id="slave(1)"} 1.0' in lines
    assert 'mesos_slave_tasks_failed{target="b",id="slave(2)"} 0.0' in lines
    assert sum(line.startswith("mesos_system_cpus_total ") for line in lines) == 1
    assert all(line.startswith(("#", "mesos_")) for line in lines)
    snapshot = await bench.client.json("/metrics/snapshot")
    assert snapshot["slave/executors_terminated"] == snapshot["slave/tasks_failed"] == 1.0
    assert snapshot["slave/valid_status_updates"] == 5.0
    assert snapshot["containerizer/fetcher/task_fetches_succeeded"] == 2.0
    assert snapshot["slave/invalid_framework_messages"] == 0.0
    message = internal.FrameworkToExecutorMessage(data=b"x")
    message.slave_id.value, message.framework_id.value, message.executor_id.value = "S0", "F0", "nobody"
    bench.master.send(bench.gateway.agents["a"].pid, message)
    lost = 0.0
    async with asyncio.timeout(60):
        while not lost:
            lost = (await bench.client.json("/metrics/snapshot"))["slave/invalid_framework_messages"]
    assert lost == 1.0


async def test_logging_is_raised_for_a_while(bench: Bench) -> None:
    usual = logging.getLogger("agent").level
    assert (await bench.client.ask("/logging/toggle?level=2&duration=10mins", "POST"))[0] == 200
    assert await bench.client.ask("/logging/toggle") == (200, "2\n")
    assert logging.getLogger("agent").level == logging.DEBUG
    assert (await bench.client.ask("/logging/toggle?level=1&duration=1ms"))[0] == 200
    while await bench.client.ask("/logging/toggle") != (200, "0\n"):
        pass
    assert logging.getLogger("agent").level == usual


async def test_help_names_every_endpoint(bench: Bench) -> None:
    found = await bench.client.json("/help", format="json")
    processes = {item["id"]: {end["name"] for end in item["endpoints"]} for item in found["processes"]}
    assert processes["files"] == {"/browse", "/debug", "/download", "/read"}
    assert {"/state", "/containers", "/monitor/statistics"} <= processes["slave(1)"]
    assert processes["slave(1)"] == processes["slave(2)"]
    assert "/files/read" in (await bench.client.ask("/help"))[1]


@pytest.mark.parametrize(
    ("text", "seconds"), [("10secs", 10), ("1.5mins", 90), ("250ms", 0.25), ("2weeks", 1209600)]
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@given(st.text(max_size=60))
def test_what_is_no_duration_is_refused(text: str) -> None:
    with suppress(DurationError):
        assert abs(seconds_of(text)) < 1e10


async def test_a_log_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    """The target is told how much of the log is on disk, and tells the rest."""
    target = TargetDouble("a")
    config = AgentConfig(registration_backoff=0.02, work_dir=tmp_path)
    async with MasterDouble() as master:
        async with Gateway(master.address, [target], config) as gateway:
            await master.take(internal.UpdateSlaveMessage)
            master.acknowledging = True
            master.send(gateway.agents["a"].pid, run_task("T"))
            await master.status("T", mesos.TASK_RUNNING)
            target.post(Output("F0/T", b"before\n", dropped=3))
            task = gateway.agents["a"].tasks.at_target("F0/T")
            assert task is not None
            async with asyncio.timeout(60):
                while gateway.agents["a"].sandboxes.seen(task) < 10:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        async with Gateway(master.address, [target], config) as gateway:
            await master.take(internal.ReregisterSlaveMessage)
            assert target.offsets == {"F0/T": 10}
            target.post(Output("F0/T", b"after\n"))
            async with aiohttp.ClientSession() as session:
                client = Client(gateway, session)
                path = "/frameworks/F0/executors/T/runs/latest/stdout"
                text = ""
                while "after" not in text:
                    text = (await client.json("/files/read", path=path, offset="0"))["data"]
                assert text == "before\nafter\n"
