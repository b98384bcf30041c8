"""A gateway that lives long: does it stay as small as it was, and do its numbers stay true?

A genuine master, a framework that launches, kills and talks all the time, two emulated boards and the host.
The boards' lines break, fall silent and are noisy now and then, and the boards restart. Sampled meanwhile:
the gateway's memory, files, threads and asyncio tasks, its records and sandboxes, and what the kernels count.
In the end nobody may have more than in the middle, and master, agents and framework must have counted alike.

    python tests/campaigns/soak.py --minutes 30 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parent.parent / "end_to_end"))

import aiohttp
from gateway import free_port
from served_uart import ServedUart
from soak_load import Load
from v1_scheduler import Scheduler

from agent.gateway import STORE_NAME
from emulation.faults import LinkFaults
from emulation.machine import Machine
from emulation.master import Master
from emulation.process import Child
from emulation.targets import open_machine
from hal import firmware
from hal.boards import load_board

ROOT = Path(__file__).parents[2]
BOARDS = ("stm32f4", "microbit")
PAUSE = 2.0
"""Seconds between samples."""
SETTLE = 120.0
"""Seconds in which what was begun must come to its end."""
ROOM = {
    "rss": 6 << 20,
    "files": 8,
    "threads": 4,
    "asyncio_tasks": 12,
    "records": 5 << 20,  # SQLite's log of writes is folded in at some 4 MiB, and before that only grows
    "sandboxes": 4 << 20,
}
"""How much higher the last quarter's median may be than the second's: noise, not growth."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The gateway at one moment; bytes and counts."""

    rss: int
    files: int
    threads: int
    asyncio_tasks: int
    records: int
    sandboxes: int


@dataclass(slots=True)
class Outcome:
    """What was done, seen, and found wrong."""

    seconds: float = 0.0
    tasks: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    samples: list[Sample] = field(default_factory=list)
    kernels: dict[str, dict[str, Any]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def quarter(self, number: int, name: str) -> float:
        """The median of one of the samples' values in a quarter of the run, 0 to 3."""
        size = max(1, len(self.samples) // 4)
        return statistics.median(
            getattr(sample, name) for sample in self.samples[number * size : (number + 1) * size]
        )

    def report(self) -> str:
        lines = [
            f"ran        {self.seconds:.0f} s, {self.tasks} tasks, {self.messages} messages answered",
            f"troubles   {', '.join(f'{name} {count}' for name, count in self.troubles.items()) or 'none'}",
            f"ends       {', '.join(f'{end} {count}' for end, count in self.ends.most_common())}",
            "by quarter",
        ]
        for name in Sample.__dataclass_fields__ if len(self.samples) >= 4 else ():
            row = "".join(f"{self.quarter(number, name):14,.0f}" for number in range(4))
            lines.append(f"  {name:14}{row}")
        lines += [f"kernel of {name}: {found}" for name, found in self.kernels.items()]
        return "\n".join([*lines, f"complaints {len(self.complaints)}", *(f"  {x}" for x in self.complaints)])


class Soak:
    """One run of so many minutes."""

    def __init__(self, minutes: float, seed: int, folder: Path, *, pace: float) -> None:
        self._minutes = minutes
        self._random = random.Random(seed)
        self._folder = folder
        self._pace = pace
        self._machines: dict[str, Machine] = {}
        self._uarts: dict[str, ServedUart] = {}
        self._faults: dict[str, LinkFaults] = {}
        self.outcome = Outcome()

    async def run(self) -> Outcome:
        """Play it; what went wrong is in the outcome's complaints."""
        begin = time.monotonic()
        async with contextlib.AsyncExitStack() as stack:
            for name in BOARDS:
                faults = self._faults[name] = LinkFaults(seed=self._random.randrange(1 << 30))
                machine = await stack.enter_async_context(open_machine(f"{name}@qemu", faults=faults))
                await machine.start(firmware.build(load_board(name)).elf)
                uart = ServedUart(machine, self._folder / f"{name}.uart")
                self._machines[name], self._uarts[name] = machine, await stack.enter_async_context(uart)
            master = await stack.enter_async_context(Master(flags={"allocation_interval": "200ms"}))
            scheduler = await stack.enter_async_context(Scheduler(master.address))
            port = free_port()
            words = [sys.executable, str(Path(__file__).with_name("gateway_process.py"))]
            words += [master.address, str(self._folder / "state"), str(port)]
            words += [f"{name}={uart.path}" for name, uart in self._uarts.items()]
            words += ["--gc-delay", "20", "--tell", str(self._folder / "tell")]
            gateway = await Child.start(words, log=self._folder / "gateway.log", cwd=ROOT)
            stack.push_async_callback(gateway.stop)
            load = Load(scheduler, self._random, self._pace)
            await self._soak(gateway, load)
            await load.settle(SETTLE)
            await asyncio.sleep(3)  # what tells the kernels' counters is asked once a second
            self.outcome.ends, self.outcome.tasks = load.ends, load.count
            self.outcome.messages, self.outcome.troubles["tasks excused"] = load.answered, load.excused
            self.outcome.complaints += load.complaints
            if not gateway.alive:
                self.outcome.complaints.append("the gateway died")
                return self.outcome
            await self._compare(master, port, load)
        self._judge()
        self.outcome.seconds = time.monotonic() - begin
        return self.outcome

    async def _soak(self, gateway: Child, load: Load) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._minutes * 60), asyncio.TaskGroup() as group:
                group.create_task(load.run())
                group.create_task(self._sample(gateway.pid))
                group.create_task(self._trouble(load))

    # -- what is seen -------------------------------------------------------------------------------------

    async def _sample(self, pid: int) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            if (self._folder / "tell").exists():
                self.outcome.samples.append(sample(pid, self._folder))

    def _judge(self) -> None:
        outcome = self.outcome
        if len(outcome.samples) < 4:
            outcome.complaints.append("too short to tell anything")
            return
        for name, room in ROOM.items():
            early, late = outcome.quarter(1, name), outcome.quarter(3, name)
            if late > early + room:
                outcome.complaints.append(f"{name} grew from {early:,.0f} to {late:,.0f}")

    async def _compare(self, master: Master, port: int, load: Load) -> None:
        """What master, agents and kernels count, against what the framework was told."""
        complain = self.outcome.complaints.append
        async with aiohttp.ClientSession() as session:

            async def get(url: str) -> Any:
                async with session.get(f"http://{url}") as reply:
                    return await reply.json(content_type=None)

            theirs, ours = await get(f"{master.address}/metrics/snapshot"), {}
            state = await get(f"{master.address}/master/state")
            host = master.address.rpartition(":")[0]
            ours = await get(f"{host}:{port}/metrics/snapshot")
            agents = [await get(f"{host}:{port}/slave({number})/state") for number in (1, 2, 3)]
        for name in ("finished", "failed", "killed"):
            told = load.by_state[f"TASK_{name.upper()}"]
            if ours[f"slave/tasks_{name}"] != told:
                complain(f"the agents counted {ours[f'slave/tasks_{name}']} {name}, the framework {told}")
            # Those of which it heard first by a STARTING with a later "latest_state" it counts nowhere.
            if theirs[f"master/tasks_{name}"] > told:
                complain(f"the master counted {theirs[f'master/tasks_{name}']} {name}, the framework {told}")
        completed = [one for work in state["frameworks"] for one in work["completed_tasks"]]
        for task in completed:
            if load.ended.get(task["id"], task["state"]) != task["state"]:
                complain(f"{task['id']} was {load.ended[task['id']]}, to the master {task['state']}")
        if len(completed) < min(load.count, 500):
            complain(f"the master has {len(completed)} completed tasks of {load.count}")
        for name in ("cpus_used", "mem_used", "tasks_running", "executors_running", "updates_unacknowledged"):
            if ours[f"slave/{name}"]:
                complain(f"after all has ended the agents have {name} {ours[f'slave/{name}']}")
        for agent in state["slaves"]:
            if agent["used_resources"]["cpus"] or not agent["active"]:
                complain(f"the master has for {agent['id']}: {agent['used_resources']}, {agent['active']}")
        for agent in agents:
            left = [one for work in agent["frameworks"] for one in work["executors"]]
            if left:
                complain(f"{agent['id']} still has {left}")
        self.outcome.kernels = json.loads((self._folder / "tell").read_text())["boards"]
        for name, found in self.outcome.kernels.items():
            if found["free"] != found["arena"] or found["slots"]:
                complain(f"{name} has {found['free']} of {found['arena']} bytes free, slots {found['slots']}")

    # -- what goes wrong meanwhile -----------------------------------------------------------------------

    async def _trouble(self, load: Load) -> None:
        """Each some seconds one of them, on one of the boards."""
        kinds = ("unplugged", "unplugged", "silent", "noise", "noise", "restart")
        while True:
            await asyncio.sleep(self._random.uniform(4, 16))
            name, kind = self._random.choice(BOARDS), self._random.choice(kinds)
            faults, length = self._faults[name], self._random.uniform(0.5, 6)
            self.outcome.troubles[kind] += 1
            match kind:
                case "unplugged":
                    self._uarts[name].cut()
                case "silent":
                    faults.cut = True
                    await asyncio.sleep(length)
                    faults.cut = False
                case "noise":
                    faults.flip = faults.drop = 2e-4
                    await asyncio.sleep(length)
                    faults.flip = faults.drop = 0.0
                case _:
                    load.excuse(name)
                    await self._machines[name].reset()


def sample(pid: int, folder: Path) -> Sample:
    """The gateway as /proc (proc(5)), its files and it itself tell."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    return Sample(
        rss=int(status["VmRSS"].split()[0]) << 10,
        files=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        threads=int(status["Threads"]),
        asyncio_tasks=json.loads((folder / "tell").read_text())["tasks"],
        records=sum(path.stat().st_size for path in (folder / "state").glob(f"{STORE_NAME}*")),
        sandboxes=_bytes_in(folder / "state" / "slaves"),
    )


def _bytes_in(top: Path) -> int:
    """The files below a folder from which others are taken away meanwhile."""
    found = 0
    for folder, _, names in os.walk(top):
        for name in names:
            with contextlib.suppress(OSError):
                found += os.lstat(os.path.join(folder, name)).st_size
    return found


async def play(minutes: float, seed: int, *, pace: float = 3.0) -> Outcome:
    """A run in a folder that is kept when something went wrong. `pace`: tasks a second, at most."""
    folder = Path(tempfile.mkdtemp(prefix="mma-soak-"))
    outcome = await Soak(minutes, seed, folder, pace=pace).run()
    (folder / "samples.json").write_text(json.dumps([asdict(one) for one in outcome.samples]))
    if outcome.complaints:
        outcome.complaints.append(f"see {folder}")
    else:
        shutil.rmtree(folder)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=3.0, help="tasks a second, at most")
    words = parser.parse_args()
    outcome = asyncio.run(play(words.minutes, words.seed, pace=words.pace))
    sys.stdout.write(f"seed       {words.seed}\n{outcome.report()}\n")
    return 1 if outcome.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
