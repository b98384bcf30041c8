"""The operator API: every call, both encodings, streams, and refusals in a native agent's words."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from doubles import MasterDouble, TargetDouble, run_task
from hypothesis import given
from hypothesis import strategies as st

from agent.config import AgentConfig
from agent.gateway import Gateway
from agent.http.media import Media, accepts
from agent.http.protojson import JsonError, from_json, to_json
from agent.proto import agent_pb2 as api
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from hal.target import Cause, Output, Usage

JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}
RECORDS = {"Content-Type": "application/recordio", "Message-Content-Type": "application/json"}
STREAM = {**JSON, "Accept": "application/recordio", "Message-Accept": "application/json"}


class Bench:
    """Two boards behind one port; the first runs the task `runs`."""

    def __init__(self, master: MasterDouble, gateway: Gateway, target: TargetDouble) -> None:
        self.master, self.gateway, self.target = master, gateway, target
        ip, port = gateway.addresses[0]
        self.base = f"http://{ip}:{port}"
        self.session = aiohttp.ClientSession()

    async def post(
        self, body: str | bytes, headers: dict[str, str] = JSON, path: str = "/slave(1)/api/v1"
    ) -> tuple[int, bytes]:
        async with self.session.post(self.base + path, data=body, headers=headers) as response:
            return response.status, await response.read()

    async def call(self, kind: str, path: str = "/slave(1)/api/v1", **more: Any) -> Any:
        status, body = await self.post(json.dumps({"type": kind, **more}), path=path)
        assert status == 200, body
        return json.loads(body) if body else None

    async def forgotten(self, task_id: str) -> None:
        """The task's last acknowledgement is there."""
        async with asyncio.timeout(60):
            while self.gateway.agents["a"].tasks.book.task(("F0", task_id)) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def container(self) -> str:
        (found,) = (await self.call("GET_CONTAINERS"))["get_containers"]["containers"]
        return str(found["container_id"]["value"])


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    target = TargetDouble("a")
    async with MasterDouble() as master:
        config = AgentConfig(registration_backoff=0.02)
        async with Gateway(master.address, [target, TargetDouble("b")], config) as gateway:
            await master.take(internal.UpdateSlaveMessage, 2)
            master.acknowledging = True
            agent = gateway.agents["a"]
            master.send(agent.pid, run_task("runs", agent.agent_id))
            await master.status("runs", mesos.TASK_RUNNING)
            target.living["F0/runs"] = Usage(1.5, 7, 1000, 2048, 512, 4096, 4000)
            target.post(Output("F0/runs", b"hello\n"))
            made = Bench(master, gateway, target)
            try:
                yield made
            finally:
                await made.session.close()


# -- what is told ------------------------------------------------------------------------------------------


async def test_calls_that_look(bench: Bench) -> None:
    assert await bench.call("GET_HEALTH") == {"type": "GET_HEALTH", "get_health": {"healthy": True}}
    assert (await bench.call("GET_LOGGING_LEVEL"))["get_logging_level"] == {"level": 0}
    version = (await bench.call("GET_VERSION"))["get_version"]["version_info"]
    assert version["version"] == "1.11.0"
    assert isinstance(version["build_time"], float)
    flags = (await bench.call("GET_FLAGS"))["get_flags"]["flags"]
    assert all(set(flag) == {"name", "value"} for flag in flags)
    metrics = (await bench.call("GET_METRICS", get_metrics={}))["get_metrics"]["metrics"]
    assert {"name": "slave/tasks_running", "value": 1.0} in metrics
    assert (await bench.call("GET_OPERATIONS"))["get_operations"] == {}
    assert (await bench.call("GET_RESOURCE_PROVIDERS"))["get_resource_providers"] == {}
    info = (await bench.call("GET_AGENT"))["get_agent"]["agent_info"]
    assert set(info) == {"attributes", "hostname", "id", "port", "resources"}
    assert {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}} in info["resources"]
    assert await bench.call("PRUNE_IMAGES") is None


async def test_tasks_executors_and_frameworks(bench: Bench) -> None:
    state = (await bench.call("GET_STATE"))["get_state"]
    (task,) = state["get_tasks"].pop("launched_tasks")
    others = ("pending_tasks", "queued_tasks", "terminated_tasks", "completed_tasks")
    assert state["get_tasks"] == {name: [] for name in others}
    assert (task["task_id"], task["agent_id"]) == ({"value": "runs"}, {"value": "S0"})
    assert "slave_id" not in task
    (executor,) = state["get_executors"]["executors"]
    assert executor["executor_info"]["executor_id"] == {"value": "runs"}
    (framework,) = state["get_frameworks"]["frameworks"]
    assert framework["framework_info"]["id"] == {"value": "F0"}
    for kind in ("TASKS", "EXECUTORS", "FRAMEWORKS"):
        name = f"get_{kind.lower()}"
        told = (await bench.call(f"GET_{kind}"))[name]
        assert told == {**state[name], **({"launched_tasks": [task]} if kind == "TASKS" else {})}
    bench.target.end("F0/runs", Cause.EXITED)
    await bench.master.status("runs", mesos.TASK_FINISHED)
    await bench.forgotten("runs")
    tasks = (await bench.call("GET_TASKS"))["get_tasks"]
    assert tasks["completed_tasks"][0]["state"] == "TASK_FINISHED"
    assert (await bench.call("GET_EXECUTORS"))["get_executors"]["completed_executors"]
    assert (await bench.call("GET_FRAMEWORKS"))["get_frameworks"]["completed_frameworks"]
    assert await bench.call("GET_CONTAINERS") == {"type": "GET_CONTAINERS"}


async def test_operations_are_told_until_they_are_acknowledged(bench: Bench) -> None:
    message = internal.ApplyOperationMessage()
    message.operation_uuid.value = message.resource_version_uuid.uuid.value = bytes(16)
    message.operation_info.type = mesos.Offer.Operation.RESERVE
    cpus = message.operation_info.reserve.resources.add(name="cpus", type=mesos.Value.SCALAR)
    cpus.scalar.value = 0.5
    cpus.reservations.add(type=mesos.Resource.ReservationInfo.DYNAMIC, role="lab", principal="me")
    bench.master.send(bench.gateway.agents["a"].pid, message)
    await bench.master.take(internal.UpdateOperationStatusMessage)
    (operation,) = (await bench.call("GET_OPERATIONS"))["get_operations"]["operations"]
    assert operation["latest_status"]["state"] == "OPERATION_FINISHED"
    assert operation["agent_id"] == {"value": "S0"}
    async with bench.session.get(f"{bench.base}/slave(1)/state") as response:
        state = await response.json()
    assert state["reserved_resources"]["lab"]["cpus"] == 0.5
    (full,) = state["reserved_resources_full"]["lab"]
    assert (full["role"], full["reservation"]) == ("lab", {"principal": "me"})


async def test_containers_and_files(bench: Bench) -> None:
    (found,) = (await bench.call("GET_CONTAINERS"))["get_containers"]["containers"]
    assert found["resource_statistics"]["mem_rss_bytes"] == 5512
    assert found["container_status"]["container_id"] == found["container_id"]
    async with bench.session.get(f"{bench.base}/slave(1)/state") as response:
        directory = (await response.json())["frameworks"][0]["executors"][0]["directory"]
    listed = (await bench.call("LIST_FILES", list_files={"path": directory}))["list_files"]["file_infos"]
    assert [item["path"].rpartition("/")[2] for item in listed] == ["module.wasm", "stderr", "stdout"]
    assert isinstance(listed[0]["mtime"]["nanoseconds"], int)
    wish = {"path": f"{directory}/stdout", "offset": 1, "length": 3}
    read = (await bench.call("READ_FILE", read_file=wish, path="/api/v1"))["read_file"]
    assert read == {"size": 6, "data": base64.b64encode(b"ell").decode()}


async def test_protobuf_in_and_out(bench: Bench) -> None:
    call = api.Call(type=api.Call.GET_TASKS).SerializeToString()
    status, body = await bench.post(call, {**PROTOBUF, "Accept": "application/x-protobuf"})
    assert status == 200
    response = api.Response.FromString(body)
    assert response.type == api.Response.GET_TASKS
    assert response.get_tasks.launched_tasks[0].task_id.value == "runs"
    status, body = await bench.post(b"\x08\x01", PROTOBUF)
    assert json.loads(body) == {"type": "GET_HEALTH", "get_health": {"healthy": True}}
    status, body = await bench.post('{"type":"GET_HEALTH"}', {**JSON, "Accept": "application/x-protobuf"})
    assert body == b"\x08\x01\x12\x02\x08\x01"  # byte for byte what a native agent answers


# -- containers ----------------------------------------------------------------------------------------------


async def test_an_executors_log_is_followed_to_its_end(bench: Bench) -> None:
    container = {"container_id": {"value": await bench.container()}}
    body = json.dumps({"type": "ATTACH_CONTAINER_OUTPUT", "attach_container_output": container})
    out = {"STDOUT": b"", "STDERR": b""}
    # without an id in the path, as the `mesos` command asks
    async with bench.session.post(f"{bench.base}/api/v1", data=body, headers=STREAM) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/recordio"
        assert response.headers["Message-Content-Type"] == "application/json"
        told = False
        while size := await response.content.readline():
            record = json.loads(await response.content.readexactly(int(size)))
            assert record["type"] == "DATA"
            out[record["data"]["type"]] += base64.b64decode(record["data"]["data"])
            if out["STDOUT"] == b"hello\n" and not told:
                told = True
                bench.target.post(Output("F0/runs", b"world\n"))
                bench.target.end("F0/runs", Cause.TRAPPED, message="Trap: unreachable.")
    assert out["STDOUT"] == b"hello\nworld\n"
    assert b"Trap: unreachable." in out["STDERR"]
    assert bench.gateway.agents["a"].attached == 0


async def test_a_containers_end_is_waited_for(bench: Bench) -> None:
    container = {"container_id": {"value": await bench.container()}}
    waiting = asyncio.create_task(bench.call("WAIT_CONTAINER", path="/api/v1", wait_container=container))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    bench.target.end("F0/runs", Cause.TRAPPED, message="Trap: unreachable.")
    ended = (await waiting)["wait_container"]
    assert ended == {
        "exit_status": 256,
        "state": "TASK_FAILED",
        "reason": "REASON_COMMAND_EXECUTOR_FAILED",
        "message": "Trap: unreachable.",
    }


async def test_a_container_is_killed_and_removed(bench: Bench) -> None:
    container = {"container_id": {"value": await bench.container()}}
    call = json.dumps({"type": "REMOVE_CONTAINER", "remove_container": container})
    assert await bench.post(call) == (500, b"The container has not terminated yet")
    wish = {"type": "KILL_CONTAINER", "kill_container": {**container, "signal": 1}}
    assert (await bench.post(json.dumps(wish)))[0] == 400
    await bench.call("KILL_CONTAINER", kill_container=container)
    status = await bench.master.status("runs", mesos.TASK_FAILED)
    assert status.reason == mesos.TaskStatus.REASON_EXECUTOR_TERMINATED
    assert "operator" in status.message
    assert (await bench.post(json.dumps({**wish, "kill_container": container})))[0] == 404
    folder = next(bench.gateway._files.glob("slaves/*/frameworks/*/executors/runs/runs/*-*"))
    assert await bench.post(call) == (200, b"")
    assert not folder.exists()


async def test_what_a_device_cannot_do_is_refused(bench: Bench) -> None:
    name = await bench.container()
    nested = {"container_id": {"value": "x", "parent": {"value": name}}, "command": {"value": "sh"}}
    for kind in ("LAUNCH_NESTED_CONTAINER", "LAUNCH_NESTED_CONTAINER_SESSION", "LAUNCH_CONTAINER"):
        status, text = await bench.post(json.dumps({"type": kind, kind.lower(): nested}))
        assert (status, b"WebAssembly" in text) == (400, True)
    own = {"type": "LAUNCH_CONTAINER", "launch_container": {"container_id": {"value": name}}}
    assert (await bench.post(json.dumps(own)))[0] == 202
    attach = {"type": "CONTAINER_ID", "container_id": {"value": name}}
    body = json.dumps({"type": "ATTACH_CONTAINER_INPUT", "attach_container_input": attach})
    status, text = await bench.post(f"{len(body)}\n{body}", RECORDS)
    assert (status, text) == (500, b"I/O switchboard server was disabled for this container")


# -- refusals ------------------------------------------------------------------------------------------------

RECORDED = json.loads((Path(__file__).parent / "native" / "refusals.json").read_text())
"""What a native 1.11.0 agent was asked and how it refused: headers, body (latin-1), status, text."""
NAMES = '"framework_id":{"value":"F0"},"executor_id":{"value":"runs"}'


async def test_refusals_read_as_a_native_agents(bench: Bench) -> None:
    for case in RECORDED:
        got = await bench.post(case["body"].encode("latin-1"), case["headers"], f"/slave(1){case['path']}")
        assert got == (case["status"], case["text"].encode()), case
    for path in ("/slave(1)/api/v1", "/api/v1", "/slave(1)/api/v1/executor"):
        async with bench.session.get(bench.base + path) as response:
            words = "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'."
            assert (response.status, await response.text()) == (405, words)
            assert response.headers["Allow"] == "POST"


async def test_the_executor_api_knows_who_is_here(bench: Bench) -> None:
    async def executor(kind: str, names: str = NAMES, more: str = "") -> tuple[int, bytes]:
        return await bench.post(f'{{"type":"{kind}",{names}{more}}}', path="/slave(1)/api/v1/executor")

    assert await executor("HEARTBEAT") == (202, b"")
    missing = b"Failed to validate Executor::Call: Expecting 'subscribe' to be present"
    assert await executor("SUBSCRIBE") == (400, missing)
    status, text = await executor("SUBSCRIBE", more=',"subscribe":{}')
    assert (status, text.startswith(b"Executor is not subscribed")) == (403, True)
    other = NAMES.replace("runs", "x")
    assert await executor("MESSAGE", other, ',"message":{"data":"eA=="}') == (
        400,
        b"Executor cannot be found",
    )
    other = NAMES.replace("F0", "F1")
    assert await executor("SUBSCRIBE", other, ',"subscribe":{}') == (400, b"Framework cannot be found")


async def test_a_body_has_bounds(bench: Bench) -> None:
    status, _ = await bench.post(b" " * (2 << 20))
    assert status == 413
    status, _ = await bench.post(f"{1 << 30}\n", RECORDS)
    assert status == 413


# -- JSON ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "media", "accepted"),
    [
        (None, Media.JSON, True),
        ("*/*", Media.RECORDIO, True),
        ("application/*", Media.PROTOBUF, True),
        ("text/html, application/json;q=0.5", Media.JSON, True),
        ("application/json;q=0", Media.JSON, False),
        ("text/*", Media.JSON, False),
        ("application/jsonx", Media.JSON, False),
    ],
)
def test_accept(header: str | None, media: Media, accepted: bool) -> None:
    assert accepts(header, media) is accepted


FIELDS = sorted(
    {field.name for message in (api.Call, mesos.ContainerID) for field in message.DESCRIPTOR.fields}
)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=8)
"""Lone surrogates are among them: `"\\ud800"` is JSON."""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_any_json_makes_a_call_or_a_sentence(value: Any) -> None:
    made = api.Call()
    try:
        from_json(json.dumps(value).encode(), made, v1=True)
    except JsonError:
        pass
    else:
        again = api.Call()
        from_json(json.dumps(to_json(made, v1=True)).encode(), again, v1=True)
        assert again == made


def test_half_a_character_is_an_unknown_one() -> None:
    """As the name of a value, and in a sentence about it."""
    call = api.Call()
    from_json(b'{"type": "\\ud800"}', call, v1=True)
    assert not call.HasField("type")
    with pytest.raises(JsonError) as refused:
        from_json(b'{"get_metrics": {"timeout": {"nanoseconds": "\\ud800"}}}', api.Call(), v1=True)
    assert "'\ufffd'" in str(refused.value)


@given(st.binary(max_size=200))
def test_any_bytes_make_a_call_or_a_sentence(body: bytes) -> None:
    with pytest.raises(JsonError):
        from_json(b"\xff" + body, api.Call())
