"""Kills the gateway with -9 at random instants, under load, and looks whether anything was lost or doubled.

A genuine master, a framework that launches and kills all the time, a real kernel in QEMU and the host as
targets. The board and the master live through it; the gateway is a process that is killed and started again.

    python tests/campaigns/gateway.py --kills 100 --seed 1
    python tests/campaigns/gateway.py --kills 40 --troubles    # leaders die, disks fill, clocks jump
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parent.parent / "end_to_end"))

import aiohttp
from served_uart import ServedUart
from troubles import Clock, Disk, Masters
from v1_scheduler import Scheduler, scalar
from wasmtime import wat2wasm

from emulation.master import Master
from emulation.process import Child
from emulation.targets import open_machine
from hal import firmware
from hal.boards import load_board
from hal.guest import build_module

ROOT = Path(__file__).parents[2]
TARGETS = ("stm32f4", "stm32f4", "stm32f4", "host")
"""Where tasks go, and how often."""
IN_FLIGHT = 4
FLAGS = {"allocation_interval": "200ms", "max_agent_ping_timeouts": "40"}
"""A gateway that is killed every few seconds misses many pings in a row; that is not the question here."""
MOST = 4.0
"""Seconds from a gateway's first byte to the board to its end: some do not even reach the master."""
REGISTERED = 0.7
"""The part of the gateways that do, however busy the computer is: their time begins then."""
JUMPS = (3600.0, -3600.0, 30 * 86_400.0, -30 * 86_400.0, 10 * 365 * 86_400.0, -10 * 365 * 86_400.0)
"""Seconds that the wall clock may be off."""
SETTLE = 240.0
"""Seconds after the last start in which everything must be told."""

NAP = wat2wasm("""
(module (import "mma" "sleep_us" (func $sleep (param i64)))
  (import "mma" "result" (func $result (param i32 i32) (result i32)))
  (memory 1) (data (i32.const 0) "rested")
  (func (export "main") (result i32)
    (call $sleep (i64.const 1500000))
    (drop (call $result (i32.const 0) (i32.const 6)))
    (i32.const 0)))""")
LONG = wat2wasm("""
(module (import "mma" "sleep_us" (func $sleep (param i64)))
  (func (export "main") (call $sleep (i64.const 3600000000))))""")
TRAP = wat2wasm('(module (func (export "main") unreachable))')

EXCUSES = {
    ("TASK_FAILED", "REASON_EXECUTOR_REREGISTRATION_TIMEOUT"),
    ("TASK_DROPPED", "REASON_RECONCILIATION"),
    ("TASK_DROPPED", "REASON_AGENT_DISCONNECTED"),
    ("TASK_DROPPED", "REASON_INVALID_OFFERS"),
    ("TASK_LOST", "REASON_INVALID_OFFERS"),
    ("TASK_UNKNOWN", "REASON_RECONCILIATION"),
}
"""How tasks may end whose executor had not begun when the gateway died, or that went down with a master
before any agent heard of them; those on the host die along."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a task does, and how it must end."""

    name: str
    module: bytes
    state: str
    data: bytes = b""
    arguments: tuple[str, ...] = ()
    killed: bool = False
    seconds: int = 0
    """max_completion_time."""


@dataclass(slots=True)
class Launched:
    """One task of the campaign."""

    kind: Kind
    target: str
    mercy: float
    """Seconds after which it is killed, if it is of that kind."""


@dataclass(slots=True)
class Outcome:
    """What a campaign found."""

    kills: int = 0
    tasks: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0
    leaders: int = 0
    """Masters that died and were followed by another."""
    full_disks: int = 0
    jumps: int = 0
    """Of the gateway's wall clock."""


def kinds() -> tuple[Kind, ...]:
    fib = build_module(ROOT / "firmware" / "sdk" / "examples" / "fib.c")
    return (
        Kind("fib", fib, "TASK_FINISHED", b"6765", ("20",)),
        Kind("nap", bytes(NAP), "TASK_FINISHED", b"rested"),
        Kind("trap", bytes(TRAP), "TASK_FAILED"),
        Kind("long", bytes(LONG), "TASK_KILLED", killed=True),
        Kind("timed", bytes(LONG), "TASK_FAILED", seconds=2),
    )


class Campaign:
    """One run: `kills` instants, chosen by `seed`."""

    def __init__(self, kills: int, seed: int, folder: Path, *, troubles: bool = False) -> None:
        self._kills = kills
        self._troubles = troubles
        self._random = random.Random(seed)
        self._folder = folder
        self._tasks: dict[str, Launched] = {}
        self._kinds = kinds()
        self._ids: set[str] = set()
        self.outcome = Outcome()

    async def run(self) -> Outcome:
        """Play it; what went wrong is in the outcome's complaints."""
        begin = time.monotonic()
        async with contextlib.AsyncExitStack() as stack:
            machine = await stack.enter_async_context(open_machine("stm32f4@qemu"))
            await machine.start(firmware.build(load_board("stm32f4")).elf)
            uart = await stack.enter_async_context(ServedUart(machine, self._folder / "uart"))
            disk = stack.enter_context(Disk(self._folder / "state")) if self._troubles else None
            masters = await stack.enter_async_context(Masters(FLAGS)) if self._troubles else None
            master = masters.leader if masters else await stack.enter_async_context(Master(flags=FLAGS))
            scheduler = await stack.enter_async_context(Scheduler(master.address))
            load = asyncio.create_task(self._load(scheduler))
            where = masters.url if masters else master.address
            words = [sys.executable, str(Path(__file__).with_name("gateway_process.py"))]
            words += [where, str(self._folder / "state"), str(free_port()), f"stm32f4={uart.path}"]
            clock = Clock(self._folder) if self._troubles else None
            environment = clock.environment if clock else None
            log = self._folder / "gateway.log"
            for number in range(self._kills):
                gateway = await Child.start(words, log=log, cwd=ROOT, env=environment)
                await uart.taken.wait()
                uart.taken.clear()
                if self._random.random() < REGISTERED:
                    await self._all_there(masters.leader if masters else master)
                await asyncio.sleep(self._random.uniform(0.0, MOST))
                if disk is not None and number % 4 == 1:
                    async with disk.full():
                        await asyncio.sleep(self._random.uniform(0.0, MOST))
                if clock is not None and number % 4 == 2:
                    clock.jump(self._random.choice(JUMPS))
                    await asyncio.sleep(self._random.uniform(0.0, MOST))
                if masters is not None and number % 4 == 3:
                    load = await self._change(masters, scheduler, load)
                    await asyncio.sleep(self._random.uniform(0.0, MOST))
                if gateway.alive:
                    os.kill(gateway.pid, signal.SIGKILL)
                elif disk is None or number % 4 != 1:  # a full disk may keep it from beginning
                    self.outcome.complaints.append(f"the gateway died by itself, before kill {number}")
                await gateway.wait()
                self.outcome.kills += 1
                await self._note_agents(masters.leader if masters else master)
            gateway = await Child.start(words, log=log, cwd=ROOT, env=environment)
            try:
                load.cancel()
                await asyncio.wait([load])
                await self._all_there(masters.leader if masters else master)
                await self._settle(scheduler)
                await self._note_agents(masters.leader if masters else master)
            finally:
                await gateway.stop()
            self._judge(scheduler)
            if not masters.alive if masters else master.pid is None:
                self.outcome.complaints.append("the master died")
            self.outcome.leaders = masters.changes if masters else 0
            self.outcome.full_disks = disk.times if disk else 0
            self.outcome.jumps = clock.jumps if clock else 0
        self.outcome.seconds = time.monotonic() - begin
        return self.outcome

    async def _change(
        self, masters: Masters, scheduler: Scheduler, load: asyncio.Task[None]
    ) -> asyncio.Task[None]:
        """Another master leads, and the framework goes there."""
        load.cancel()
        await asyncio.wait([load])
        await masters.change()
        await scheduler.resubscribe(masters.leader.address)
        return asyncio.create_task(self._load(scheduler))

    async def _all_there(self, master: Master) -> None:
        """Until the master has all agents: before that it takes for unknown what they run."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE):
                while sum(one["active"] for one in await _agents(master)) < len(set(TARGETS)):  # noqa: ASYNC110
                    await asyncio.sleep(0.5)

    # -- the framework ------------------------------------------------------------------------------------

    async def _load(self, scheduler: Scheduler) -> None:
        """Keep some tasks going; kill those that are meant to be killed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._launch(scheduler))
            group.create_task(self._kill(scheduler))

    async def _launch(self, scheduler: Scheduler) -> None:
        while True:
            offer = await scheduler.offer(timeout=3600)
            target = next(item["text"]["value"] for item in offer["attributes"] if item["name"] == "target")
            self._ids.add(offer["agent_id"]["value"])
            living = sum(
                1
                for name, one in self._tasks.items()
                if one.target == target and not terminal(scheduler, name)
            )
            if living >= IN_FLIGHT:
                decline = {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.3}}
                await scheduler.call("DECLINE", decline=decline)
                continue
            kind = self._random.choice(self._kinds)
            name = f"{len(self._tasks):04}-{kind.name}"
            self._tasks[name] = Launched(kind, target, self._random.uniform(0.1, 3.0))
            mem = 0.016 if target == "stm32f4" else 1
            task = {
                "task_id": name,
                "data": kind.module,
                "command": {"shell": False, "value": kind.name, "arguments": list(kind.arguments)},
                "resources": [scalar("cpus", 0.05), scalar("mem", mem)],
            }
            if kind.seconds:
                task["max_completion_time"] = {"nanoseconds": kind.seconds * 10**9}
            await scheduler.launch(offer, task)

    async def _kill(self, scheduler: Scheduler) -> None:
        asked: dict[str, float] = {}
        while True:
            await asyncio.sleep(0.1)
            now = time.monotonic()
            for name, one in self._tasks.items():
                if not one.kind.killed or terminal(scheduler, name):
                    continue
                due = asked.setdefault(name, now + one.mercy)
                if now >= due:  # again and again: a kill may meet no agent
                    asked[name] = now + 2.0
                    await scheduler.kill(name)

    async def _settle(self, scheduler: Scheduler) -> None:
        """Until every task has come to its end; those that are to be killed are."""
        killing = asyncio.create_task(self._kill(scheduler))
        reconciled = {"tasks": [{"task_id": {"value": name}} for name in self._tasks]}
        try:
            async with asyncio.timeout(SETTLE):
                while not all(terminal(scheduler, name) for name in self._tasks):
                    await scheduler.call("RECONCILE", reconcile=reconciled)
                    with contextlib.suppress(TimeoutError):
                        await scheduler.until(
                            lambda: all(terminal(scheduler, name) for name in self._tasks), timeout=5
                        )
        except TimeoutError:
            self.outcome.complaints.append("not everything was told in time")
        finally:
            killing.cancel()
            await asyncio.wait([killing])

    async def _note_agents(self, master: Master) -> None:
        """The ids that the master knows."""
        self._ids |= {agent["id"] for agent in await _agents(master)}

    # -- the judgement --------------------------------------------------------------------------------------

    def _judge(self, scheduler: Scheduler) -> None:
        complain = self.outcome.complaints.append
        if len(self._ids) != len(set(TARGETS)):
            complain(f"the agents had the ids {sorted(self._ids)}")
        self.outcome.tasks = len(self._tasks)
        for name, one in self._tasks.items():
            updates = told(scheduler, name)
            states = [update["state"] for update in updates]
            ends = [update for update in updates if update["state"] not in LIVING]
            if len(ends) != 1:
                complain(f"{name} came to {len(ends)} ends: {states}")
                continue
            end = ends[0]
            self.outcome.ends[f"{end['state']} {end.get('reason', '')}".strip()] += 1
            if set(states) - set(ORDER) or states != sorted(set(states), key=ORDER.index):
                complain(f"{name} was told in the order {states}")
            ran = "TASK_RUNNING" in states and one.target == "stm32f4"
            if (end["state"], end.get("reason")) in EXCUSES and not ran:
                continue
            data = base64.b64decode(end.get("data", ""))
            killed = one.kind.killed and end["state"] == "TASK_KILLED"
            if not killed and (end["state"], data) != (one.kind.state, one.kind.data):
                complain(f"{name} ended as {end['state']} with {data!r}: {end.get('message')}")


LIVING = ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")
ORDER = [
    *LIVING,
    *("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_DROPPED", "TASK_GONE"),
    "TASK_UNKNOWN",
]


def told(scheduler: Scheduler, name: str) -> list[dict[str, Any]]:
    """The updates of a task as they came first: those of a uuid once, and what the master says without one
    (reconciliation) only where it says more than was known."""
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    for update in scheduler.updates:
        if update["task_id"]["value"] != name or foretold(update):
            continue
        if "uuid" in update:
            if update["uuid"] not in seen:
                seen.add(update["uuid"])
                found.append(update)
        elif update["state"] not in LIVING and not any(one["state"] not in LIVING for one in found):
            later = [
                one
                for one in scheduler.updates
                if one["task_id"]["value"] == name and "uuid" in one and one["state"] not in LIVING
            ]
            if not later:
                found.append(update)
    return found


def terminal(scheduler: Scheduler, name: str) -> bool:
    """The framework was told the end of a task."""
    return any(
        update["task_id"]["value"] == name and update["state"] not in LIVING and not foretold(update)
        for update in scheduler.updates
    )


def foretold(update: dict[str, Any]) -> bool:
    """A new master's word, as an agent comes back to it, of an end whose update is still to come."""
    return update.get("reason") == "REASON_AGENT_REREGISTERED"


async def _agents(master: Master) -> list[dict[str, Any]]:
    """As the master lists them."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{master.address}/master/state") as reply:
            found: list[dict[str, Any]] = (await reply.json())["slaves"]
            return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def play(kills: int, seed: int, *, troubles: bool = False) -> Outcome:
    """A campaign in a folder that is kept when something went wrong."""
    folder = Path(tempfile.mkdtemp(prefix="mma-campaign-"))
    outcome = await Campaign(kills, seed, folder, troubles=troubles).run()
    if outcome.complaints:
        outcome.complaints.append(f"see {folder}")
    else:
        shutil.rmtree(folder)
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--troubles", action="store_true", help="leaders die, disks are full, clocks jump in between"
    )
    words = parser.parse_args()
    outcome = asyncio.run(play(words.kills, words.seed, troubles=words.troubles))
    sys.stdout.write(
        f"{outcome.kills} kills, {outcome.leaders} new leaders, {outcome.full_disks} full disks, "
        f"{outcome.jumps} jumps of the clock, "
        f"{outcome.tasks} tasks in {outcome.seconds:.0f} s, seed {words.seed}\n"
    )
    for end, count in outcome.ends.most_common():
        sys.stdout.write(f"{count:6} {end}\n")
    for complaint in outcome.complaints:
        sys.stdout.write(f"WRONG: {complaint}\n")
    sys.exit(bool(outcome.complaints))


if __name__ == "__main__":
    main()
