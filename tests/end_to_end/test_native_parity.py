"""Field by field: what a native 1.11.0 agent in the genuine master's process answers, and what ours does.

A difference that is not listed here with its reason fails; so does a reason for which there is none left.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from v1_scheduler import Scheduler, scalar

from agent.config import AgentConfig
from agent.gateway import Gateway
from emulation.master import Master
from hal.host import HostTarget

pytestmark = pytest.mark.end_to_end

ENDPOINTS = ("/state", "/flags", "/containers", "/monitor/statistics")
PROCESS = ("/version", "/system/stats.json", "/metrics/snapshot", "/files/debug")
CALLS = (
    *("GET_HEALTH", "GET_FLAGS", "GET_VERSION", "GET_LOGGING_LEVEL", "GET_STATE", "GET_CONTAINERS"),
    *("GET_FRAMEWORKS", "GET_EXECUTORS", "GET_OPERATIONS", "GET_TASKS", "GET_AGENT"),
    "GET_RESOURCE_PROVIDERS",
)
REASONS = {
    r"git_(sha|tag) is missing": "of Mesos's own build; native leaves them out in builds without git",
    r"attributes(\.\w+)? is ours": "the native one was given none; ours tell what the board is",
    r"resources\.ports is missing": "a device has no ports to give to tasks",
    r"flags\.(appc|docker)_?\w* is missing": "there are no container images",
    r"flags\.(cgroups|perf|network_cni|systemd)_\w+ is missing": "guests are no Linux processes",
    r"flags\.disallow_sharing_agent_(ipc|pid)_namespace is missing": "guests are no Linux processes",
    r"flags\.(switch_user|isolation|launcher|launcher_dir|containerizers) is missing": "likewise",
    r"flags\.(runtime_dir|sandbox_directory|memory_profiling|frameworks_home) is missing": "likewise",
    r"flags\.(\w*disk_\w+|gc_non_executor_container_sandboxes) is missing": "sandboxes have a limit of ours",
    r"flags\.(oversubscribed|qos|revocable)_\w+ is missing": "nothing is oversubscribed",
    r"flags\.http_(command_executor|executor_domain_sockets) is missing": "executors do not connect to us",
    r"flags\.executor_(re)?registration_timeout is missing": "executors do not register",
    r"flags\.fetcher_(cache_dir|stall_timeout) is missing": "modules are fetched within fetch_timeout",
    r"flags\.(authenticatee|authorizer) is missing": "no loadable modules",
    r"flags\.(initialize_driver_logging|logbufsecs|quiet) is missing": "glog's",
    r"flags\.(help|version|hostname_lookup|strict|recovery_timeout) is missing": "has no meaning here",
    r"flags\.(authentication_backoff_factor|http_heartbeat_interval) is missing": "fixed",
    r"flags\.max_completed_executors_per_framework is missing": "completed tasks are bounded over all",
    r"flags\.work_dir is missing": "none was given: ours can live without one",
    r"flags\.(agents_per_port|sandbox_limit|log_limit|device_timeout) is ours": "settings of a gateway",
    r"flags\.(require_peer_address_ip_match|ssl_\w+) is ours": "environment variables of libprocess",
    r"flags\.(attributes|hostname|ip) is ours": "native tells them only where they were given",
    r"slave/(messages_refused|sandbox_write_errors|updates_unacknowledged) is ours": "counters of ours",
}
"""Why an answer may differ."""
AFTERWARDS = {
    r"executor_info.resources is missing": "a native command executor is a process with a share of its own",
    r"executor_info.command.value is missing": "and has a path",
    r"/files/debug\..*/(native|ours)/runs/": "each has the sandbox of its own task",
}
"""Likewise, once there was a task."""
DISCOVERY = {
    "visibility": "CLUSTER",
    "name": "service",
    "environment": "e",
    "location": "l",
    "version": "v",
    "ports": {"ports": [{"number": 1, "name": "p", "protocol": "tcp", "visibility": "FRAMEWORK"}]},
    "labels": {"labels": [{"key": "c", "value": "d"}]},
}


def differences(native: Any, ours: Any, path: str) -> Iterator[str]:
    """Names of what one has and the other has not, and of what differs in type. Lists compare by their
    first elements; figures and texts may differ."""
    if isinstance(native, dict) and isinstance(ours, dict):
        yield from (f"{path}.{key} is missing" for key in sorted(native.keys() - ours.keys()))
        yield from (f"{path}.{key} is ours" for key in sorted(ours.keys() - native.keys()))
        for key in sorted(native.keys() & ours.keys()):
            yield from differences(native[key], ours[key], f"{path}.{key}")
    elif isinstance(native, list) and isinstance(ours, list):
        if native and ours:
            yield from differences(native[0], ours[0], f"{path}[]")
    elif type(native) is not type(ours):
        yield f"{path} is {type(ours).__name__}, not {type(native).__name__}"


class Pair:
    """A native agent and one of ours, both registered with the same master."""

    def __init__(self, native: str, ours: str, session: aiohttp.ClientSession) -> None:
        self.bases = (native, ours)
        self.session = session

    async def has_id(self, base: str) -> bool:
        """Whether that agent is there (a native one is not at once) and knows its id."""
        async with self.session.get(f"{base}/slave(1)/state") as response:
            return response.status == 200 and bool((await response.json())["id"])

    async def get(self, path: str) -> list[Any]:
        found = []
        for base in self.bases:
            async with self.session.get(base + path) as response:
                assert response.status == 200, path
                found.append(await response.json())
        return found

    async def call(self, kind: str) -> list[Any]:
        found = []
        for base in self.bases:
            async with self.session.post(f"{base}/slave(1)/api/v1", json={"type": kind}) as response:
                assert response.status == 200, await response.text()
                found.append(await response.json())
        return found

    async def exchange(self, method: str, path: str, **more: Any) -> list[tuple[int, str, str]]:
        """Status, type and text of both answers."""
        found = []
        for base in self.bases:
            async with self.session.request(method, base + path, **more) as response:
                kind = response.headers.get("Content-Type", "")
                found.append((response.status, kind, await response.text()))
        return found


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[Pair]:
    target = HostTarget(cpus=2.0, mem_bytes=64 << 20)
    await target.open()
    try:
        async with (
            Master(native_agents=1, flags={"allocation_interval": "100ms"}) as master,
            Gateway(master.address, [target], AgentConfig()) as gateway,
            aiohttp.ClientSession() as session,
        ):
            ip, port = gateway.addresses[0]
            made = Pair(f"http://{master.address}", f"http://{ip}:{port}", session)
            async with asyncio.timeout(60):
                for base in made.bases:
                    while not await made.has_id(base):  # noqa: ASYNC110
                        await asyncio.sleep(0.1)
            yield made
    finally:
        await target.close()


async def compare(pair: Pair) -> list[str]:
    """All differences of all answers."""
    found: list[str] = []
    for path in ENDPOINTS:
        found += differences(*await pair.get(f"/slave(1){path}"), path)
    for path in PROCESS:
        answers = await pair.get(path)
        if path == "/metrics/snapshot":
            answers = [_of_agents(metrics) for metrics in answers]
        found += differences(*answers, path)
    for kind in CALLS:
        found += differences(*await pair.call(kind), kind)
    return found


async def test_idle_answers_have_the_same_shape(pair: Pair) -> None:
    found = await compare(pair)
    unexplained = [item for item in found if not any(re.search(reason, item) for reason in REASONS)]
    assert unexplained == []
    stale = [reason for reason in REASONS if not any(re.search(reason, item) for item in found)]
    assert stale == []


async def test_answers_have_the_same_shape_after_a_task(pair: Pair) -> None:
    """One that fails at its launch, for here is no launcher for native executors. So does what the master
    says of it."""
    ids = [state["id"] for state in await pair.get("/slave(1)/state")]
    async with Scheduler(pair.bases[0].removeprefix("http://")) as framework:
        for name, agent_id in zip(("native", "ours"), ids, strict=True):
            task = {
                "task_id": name,
                "resources": [scalar("cpus", 0.1), scalar("mem", 16)],
                "command": {"shell": False, "value": "/nowhere"},
                "labels": {"labels": [{"key": "a", "value": "b"}]},
                "discovery": DISCOVERY,
            }
            await framework.launch(await framework.offer(agent_id), task)
            await framework.status(name, "TASK_FAILED")
        async with asyncio.timeout(60):  # until both agents know that it is known
            while any([_tasks_left(state) for state in await pair.get("/slave(1)/state")]):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        found = await compare(pair)
        excuses = {**REASONS, **AFTERWARDS}
        assert [item for item in found if not any(re.search(reason, item) for reason in excuses)] == []
        assert all(any(re.search(reason, item) for item in found) for reason in AFTERWARDS)
        async with pair.session.get(f"{pair.bases[0]}/master/state") as response:
            (told,) = (await response.json())["frameworks"]
        tasks = {task["id"]: task for task in told["completed_tasks"]}
        assert list(differences(tasks["native"], tasks["ours"], "task")) == []


def _tasks_left(state: dict[str, Any]) -> list[Any]:
    executors = [executor for framework in state["frameworks"] for executor in framework["executors"]]
    return [task for executor in executors for task in executor["tasks"]]


async def test_answers_have_the_same_headers(pair: Pair) -> None:
    """Names and, but for what must differ, values: also of errors, of gzip, and without it."""
    paths = ("state", "health", "flags", "api/v1", "api/v1/executor", "nonsense", "containers")
    asked = [f"/slave(1)/{path}" for path in paths] + ["/version", "/files/browse?path=/x", "/nonsense"]
    for encoding in ("gzip", "identity"):
        for path in asked:
            found = []
            for base in pair.bases:
                headers = {"Accept-Encoding": encoding}
                async with pair.session.get(base + path, headers=headers) as response:
                    await response.read()
                    told = dict(response.headers)
                    told["Date"] = told["Date"][-3:]
                    told.pop("Content-Length")
                    if not path.endswith("state"):  # others are of 1024 bytes and more on one side only
                        told.pop("Content-Encoding", None)
                    found.append(told)
            assert found[1] == found[0], path


def _of_agents(metrics: dict[str, float]) -> dict[str, float]:
    """The native agent shares its process, and so its metrics, with the master."""
    return {k: v for k, v in metrics.items() if not k.startswith(("master/", "allocator/", "registrar/"))}


async def test_both_say_the_same_of_what_is_wrong(pair: Pair) -> None:
    """Status, type and words, asked of both at the same time."""
    json_ = {"Content-Type": "application/json"}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/slave(1)/api/v1", {}),
        ("GET", "/slave(1)/nonsense", {}),
        ("GET", "/nonsense", {}),
        ("GET", "/files/browse", {}),
        ("GET", "/files/browse?path=/x", {}),
        ("GET", "/files/read?path=/x&offset=q", {}),
        ("GET", "/files/download?path=/x", {}),
        ("GET", "/logging/toggle?level=1", {}),
        ("GET", "/logging/toggle?level=1&duration=x", {}),
        ("GET", "/metrics/snapshot?timeout=x", {}),
        ("GET", "/slave(1)/containers?container_id=x&framework_id=y", {}),
        ("POST", "/slave(1)/api/v1", {"data": "{}", "headers": json_}),
        ("POST", "/slave(1)/api/v1", {"data": "x", "headers": json_}),
        ("POST", "/slave(1)/api/v1", {"data": '{"type":"GET_METRICS"}', "headers": json_}),
        ("POST", "/slave(1)/api/v1", {"data": "{}", "headers": {"Content-Type": "text/plain"}}),
        ("POST", "/slave(1)/api/v1/executor", {"data": "{}", "headers": json_}),
    ]
    for method, path, more in asked:
        native, ours = await pair.exchange(method, path, **more)
        assert ours == native, path
    native, ours = await pair.exchange("GET", "/version?jsonp=angular.callbacks._0")
    assert ours[:2] == native[:2]
    assert all(
        text.startswith("angular.callbacks._0({") and text.endswith("})") for *_, text in (native, ours)
    )
