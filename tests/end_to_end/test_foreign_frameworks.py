"""Framework libraries from PyPI that are not ours launch WASM tasks on an emulated board.

They hand an event on only when the next one begins, for they read RecordIO by lines. So the host comes up
behind the framework's back: its offer pushes the board's through, and, declined for a moment again and again,
the statuses.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib
import json
import os
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from v1_scheduler import label_json, scalar
from wasmtime import wat2wasm

from agent.config import AgentConfig
from agent.gateway import Gateway
from emulation.master import Master, install
from emulation.targets import open_machine
from hal import firmware
from hal.boards import load_board
from hal.guest import build_module
from hal.host import HostTarget
from hal.mcu import McuTarget

pytestmark = pytest.mark.end_to_end

FLAGS = {"allocation_interval": "200ms"}
LONG = wat2wasm("""
(module (import "mma" "sleep_us" (func $sleep (param i64)))
  (func (export "main") (call $sleep (i64.const 3600000000))))""")
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "firmware" / "sdk" / "examples"
RAN = ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
PATIENCE = 90.0
"""Seconds: by the heartbeat alone an event may come 15 s late."""


class Framework:
    """One of the libraries in its thread. It launches a module that ends and one that it kills."""

    def __init__(self, library: str, master: str, tasks: list[dict[str, Any]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks = tasks
        self._driver: Any = None
        self._over = asyncio.Event()
        self._names = {task["name"] for task in tasks}
        self.states: dict[str, list[str]] = {}
        self.last: dict[str, dict[str, Any]] = {}
        self.subscribed = asyncio.Event()
        self._client = importlib.import_module(f"{library}.client").MesosClient(
            mesos_urls=[f"http://{master}/master"], frameworkName=library, max_reconnect=0
        )
        self._client.on("SUBSCRIBED", self._on_subscribed)
        self._client.on("OFFERS", self._on_offers)
        self._client.on("UPDATE", self._on_update)
        self._thread = threading.Thread(target=self._client.register, daemon=True)
        self._thread.start()

    async def over(self) -> None:
        """Until both tasks came to their end; then the framework is torn down and its thread ends."""
        try:
            await asyncio.wait_for(self._over.wait(), PATIENCE)
        finally:
            self._client.tearDown()  # does not try again
            if self._driver is not None:
                await asyncio.to_thread(self._driver.tearDown)  # the master closes the stream
            await asyncio.to_thread(self._thread.join, 30.0)
        assert not self._thread.is_alive()

    # -- in the library's thread

    def _on_subscribed(self, driver: Any) -> None:
        self._driver = driver
        self._loop.call_soon_threadsafe(self.subscribed.set)

    def _on_offers(self, found: list[Any]) -> None:
        soon = {"filters": {"refuse_seconds": 0.1}}
        for offer in found:
            facts = offer.get_offer()
            texts = [item["text"]["value"] for item in facts["attributes"]]
            if "stm32f4@qemu" in texts and self._tasks:
                tasks, self._tasks = self._tasks, []
                offer.accept([{**task, "agent_id": facts["agent_id"]} for task in tasks], soon)
            else:
                offer.decline(soon)

    def _on_update(self, event: dict[str, Any]) -> None:
        """The library has acknowledged it."""
        status = event["status"]
        name, state = status["task_id"]["value"], status["state"]
        self.states.setdefault(name, []).append(state)
        self.last[name] = status
        if state == "TASK_RUNNING" and name == "long":
            self._driver.kill(status["agent_id"]["value"], name)
        if all(self.states.get(one, [""])[-1] in ENDS for one in self._names):
            self._loop.call_soon_threadsafe(self._over.set)


ENDS = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST")


def task_of(name: str, module: bytes, *arguments: str) -> dict[str, Any]:
    return {
        "name": name,
        "task_id": {"value": name},
        "command": {"shell": False, "value": "module.wasm", "arguments": list(arguments)},
        "data": base64.b64encode(module).decode(),
        "labels": label_json({"mma.log": "512"}),
        "resources": [scalar("cpus", 0.1), scalar("mem", 0.02)],
    }


@contextlib.asynccontextmanager
async def cluster(master: Master) -> AsyncIterator[Gateway]:
    """One agent: an emulated board."""
    async with open_machine("stm32f4@qemu") as machine:
        await machine.start(firmware.build(load_board("stm32f4")).elf)
        board = McuTarget("stm32f4@qemu", load_board("stm32f4"), machine.connect)
        await board.open()
        try:
            async with Gateway(master.address, [board], AgentConfig()) as gateway:
                yield gateway
        finally:
            await board.close()


@pytest.mark.timeout(300)
async def test_libraries_from_pypi_run_modules_on_a_board() -> None:
    tasks = [task_of("fib", build_module(EXAMPLES / "fib.c"), "20"), task_of("long", bytes(LONG))]
    host = HostTarget(cpus=1.0, mem_bytes=8 << 20)
    await host.open()
    async with Master(flags=FLAGS) as master, cluster(master) as gateway:
        for library in ("mesoshttp", "avmesos"):
            framework = Framework(library, master.address, tasks)
            await asyncio.wait_for(framework.subscribed.wait(), PATIENCE)
            await gateway.add(host)
            await framework.over()
            await gateway.remove("host")
            assert framework.states["fib"] == RAN
            assert base64.b64decode(framework.last["fib"]["data"]) == b"6765"
            assert framework.states["long"] == [*RAN[:2], "TASK_KILLED"]
    await host.close()


@pytest.mark.timeout(120)
async def test_mesos_own_scheduler_driver_runs_modules_on_a_board(tmp_path: Path) -> None:
    installation = await install()
    for name in ("fib", "talk"):
        (tmp_path / name).write_bytes(build_module(EXAMPLES / f"{name}.c"))
    async with Master(flags=FLAGS) as master, cluster(master):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(Path(__file__).with_name("native_driver.py")), master.address),
            *(str(tmp_path / "fib"), str(tmp_path / "talk")),
            *map(str, (installation.libmesos, *installation.stubs)),
            env={**os.environ, "LIBPROCESS_IP": "127.0.0.1", "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, err.decode()
    told = [json.loads(line) for line in out.splitlines()]
    assert [one["state"] for one in told if one.get("task") == "fib"] == RAN
    assert next(one["data"] for one in told if one.get("state") == "TASK_FINISHED") == "6765"
    assert [one["state"] for one in told if one.get("task") == "talk"] == [*RAN[:2], "TASK_KILLED"]
    assert [one["message"] for one in told if "task" not in one] == ["1: hello"]
