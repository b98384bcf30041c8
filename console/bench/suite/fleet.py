"""Many agents in one gateway before the genuine master: time, memory, processor, storms.

N targets that are whole but do nothing are put behind one gateway, a process of its own, with the default
flags, its records and sandboxes on disk. `register` is from the first to the last of them registered; `bytes`
what the gateway's own memory grew by, for each; `cpu` the processor time of the gateway for each second of
answering pings; `flaps` the agents that lost their master meanwhile; `tasks` how many tasks come to their end
in a second when a framework launches all at once, and `task.cpu` the gateway's processor time for each;
`storm` the time from a restarted master that leads to all agents registered again. Beside it the memory of a
native agent, in the master's process, where one shares the most.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from console.bench.fleet_worker import WEIGH
from console.bench.load import load
from console.bench.processes import own_bytes
from console.bench.report import Report
from console.cluster.mesos import Resources
from console.errors import ConsoleError
from emulation.master import Master

SIZES = (1, 100, 1_000, 10_000)
SMALL = (1, 20)
PATIENCE = 600.0
"""Seconds for all agents to register."""
REST = 60.0
"""Seconds of pings: four rounds of Mesos's default."""
NATIVE = 20
BYTES_GOAL = 12 * 1024
STORM_GOAL = 15.0
TASKS, FITTING, TASKS_GOAL = 5_000, 10, 1_000.0
"""Most tasks that are launched at once, how many fit on an agent, and how many must end in a second."""
EACH = Resources({"cpus": 0.1, "mem": 0.012})
MODULE = bytes.fromhex("0061736d01000000")
"""The smallest module (WebAssembly core, 5.5.16): the targets run nothing."""


class Worker:
    """The gateway's process."""

    def __init__(self, process: asyncio.subprocess.Process, number: int) -> None:
        self._process = process
        self.number = number

    async def ask(self, *, weigh: bool = False) -> dict[str, Any]:
        """How it stands. `bytes` mean something when it is weighed, for which it stops for a moment."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(WEIGH if weigh else b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise ConsoleError("The gateway of the benchmark ended.", remedy="Run it alone to see why.")
        found: dict[str, Any] = json.loads(line)
        return found

    async def until_registered(self, times: int) -> dict[str, Any]:
        """Until every agent is registered, and all together that often."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    found = await self.ask()
                    if found["registered"] == self.number and found["registrations"] >= times * self.number:
                        return found
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise ConsoleError(
                f"{found['registered']} of {self.number} agents registered within {PATIENCE:g} s.",
                remedy="Is the computer busy with other work?",
            ) from None


@asynccontextmanager
async def gateway(master: Master, number: int) -> AsyncIterator[Worker]:
    """`number` agents behind `master`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console.bench.fleet_worker", master.address, str(number)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Worker(process, number)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(30):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def run(report: Report) -> None:
    """Each size; in small mode two small ones, without the native agents."""
    for number in SMALL if report.small else SIZES:
        await _measure(report, number)
    if not report.small:
        report.step("native agents")
        report.figure("native.bytes", await _native(), "bytes")


async def _measure(report: Report, number: int) -> None:
    name = f"n{number}"
    report.step(f"{number} agents register")
    async with Master() as master, gateway(master, number) as worker:
        found = await worker.until_registered(1)
        report.figure(f"{name}.register", found["seconds"], "s")
        report.step(f"{number} agents answer pings")
        begun = await worker.ask()
        start = time.monotonic()
        await asyncio.sleep(1.0 if report.small else REST)
        found = await worker.ask()
        seconds = time.monotonic() - start
        if number >= 100:
            weight = (await worker.ask(weigh=True))["bytes"]
            report.figure(f"{name}.bytes", weight / number, "bytes", at_most=BYTES_GOAL)
        report.figure(f"{name}.cpu", (found["cpu"] - begun["cpu"]) / seconds * 1000, "ms/s")
        report.figure(f"{name}.flaps", found["disconnections"], "agents", at_most=0)
        await _load(report, name, master, worker)
        report.step(f"{number} agents register again")
        await master.restart()
        up = time.monotonic()
        found = await worker.until_registered(2)
        report.figure(f"{name}.storm", max(0.0, found["since"] - up), "s", at_most=STORM_GOAL)
        if found["refused"]:
            report.note(f"The guard refused {found['refused']} messages: a bug of the agent.")


async def _load(report: Report, name: str, master: Master, worker: Worker) -> None:
    """As many tasks as fit on some of the agents, launched at once."""
    tasks = 2 if report.small else min(worker.number * FITTING, TASKS)
    report.step(f"{tasks} tasks at once on {worker.number} agents")
    begun = await worker.ask()
    done = await load(master.address, tasks, EACH, MODULE)
    found = await worker.ask()
    goal = None if report.small or tasks < TASKS else TASKS_GOAL
    report.figure(f"{name}.tasks", done.tasks / done.seconds, "tasks/s", at_least=goal, better="higher")
    report.figure(f"{name}.task.cpu", (found["cpu"] - begun["cpu"]) / tasks * 1000, "ms")
    if done.doubled:
        report.note(f"{done.doubled} tasks ended twice: a bug of the agent.")


async def _native() -> float:
    """Bytes for each native agent: how much more a master's process holds with some."""
    sizes = []
    for number in (0, NATIVE):
        async with Master(native_agents=number) as master:
            await asyncio.sleep(2.0)
            assert master.pid is not None
            sizes.append(own_bytes(master.pid))
    return (sizes[1] - sizes[0]) / NATIVE
