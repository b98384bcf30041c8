"""`mma agent --config` before a genuine master: a reload adds, removes and changes targets as it runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from v1_scheduler import Scheduler
from wasmtime import wat2wasm

from emulation.master import Master

pytestmark = pytest.mark.end_to_end

SLEEP = bytes(
    wat2wasm("""
(module (import "mma" "sleep_us" (func $sleep (param i64)))
  (func (export "main") (call $sleep (i64.const 3600000000))))""")
)
BEFORE = '[[target]]\ntarget = "host"\nname = "a"\n[[target]]\ntarget = "host-2"\n'
AFTER = '[[target]]\ntarget = "host"\nname = "a"\nattributes = { rack = 7 }\n[[target]]\ntarget = "host-3"\n'


async def agents(master: Master) -> dict[str, dict[str, Any]]:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{master.address}/master/state") as reply:
            slaves = (await reply.json())["slaves"]
    return {each["attributes"]["target"]: each for each in slaves if each["active"]}


async def until(master: Master, *names: str, **attributes: Any) -> dict[str, dict[str, Any]]:
    async with asyncio.timeout(60):
        while True:
            found = await agents(master)
            changed = all(found.get("a", {}).get("attributes", {}).get(k) == v for k, v in attributes.items())
            if set(found) == set(names) and changed:
                return found
            await asyncio.sleep(0.1)


async def test_a_reload_leaves_what_runs_running(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(BEFORE)
    async with Master(flags={"allocation_interval": "100ms"}) as master:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "console.cli", "agent", "--config", str(file), "--log-format=json"),
            *(f"--work_dir={tmp_path / 'work'}", "--registration_backoff_factor=100ms"),
            "--reconfiguration_policy=additive",  # an attribute more is no other agent
            env={**os.environ, "MESOS_MASTER": master.address},
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            assert process.stderr is not None
            before = await until(master, "a", "host-2")
            async with Scheduler(master.address) as scheduler:
                await scheduler.run(SLEEP, "sleeps", before["a"]["id"])
                await scheduler.status("sleeps", "TASK_RUNNING")
                file.write_text("[[target]]\n")  # damaged: nothing changes
                process.send_signal(signal.SIGHUP)
                while b"nothing is changed" not in await asyncio.wait_for(process.stderr.readline(), 30):
                    pass
                file.write_text(AFTER)
                process.send_signal(signal.SIGHUP)
                after = await until(master, "a", "host-3", rack=7.0)
                assert after["a"]["id"] == before["a"]["id"]
                await scheduler.kill("sleeps")
                await scheduler.status("sleeps", "TASK_KILLED")
                assert scheduler.states("sleeps").count("TASK_RUNNING") == 1
            process.send_signal(signal.SIGTERM)
            rest = await asyncio.wait_for(process.stderr.read(), 30)
            assert await process.wait() == 0
            assert all(json.loads(line)["level"] in ("INFO", "WARNING") for line in rest.splitlines())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
