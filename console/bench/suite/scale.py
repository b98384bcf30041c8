"""Where one master ends: what an agent costs it, measured, and larger fleets simulated from that.

A thousand light targets (as in `fleet`) are put behind a genuine master with a framework that wants no
offers. `master.register`, `.rest` and `.task` are the master's processor time for one agent's
registration, for a second of one agent at rest (pings, and the allocator's rounds), and for one task;
`gateway.` likewise the gateway's. `busy` is how many agents keep one core of the master half busy when
each runs a task every ten minutes, and how many a gateway. `storm` is the simulated time after a
failover until N agents are registered again (console/bench/storm.py), with the back-off that our
gateways take, N / 1,500 s; `hasty` is with the native agent's second, whatever N. `ends` is the largest
fleet whose storm stays within the 75 s after which a master gives up an agent that does not answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp

from agent.registration import CROWD_RATE
from console.bench.load import ROLE, load, subscription_of
from console.bench.processes import own_bytes, processor_seconds
from console.bench.report import Report
from console.bench.storm import simulate
from console.bench.suite.fleet import EACH, MODULE, Worker, gateway
from console.cluster.scheduler import master_url, subscribe
from emulation.master import Master

AGENTS, SMALL = 1_000, 20
REST = 60.0
TASK_EACH = 600.0
"""Seconds between two tasks of an agent."""
STORMS = (10_000, 50_000, 100_000)
GIVEN_UP = 75.0
"""Seconds: Mesos's agent_ping_timeout times max_agent_ping_timeouts."""


async def run(report: Report) -> None:
    """Measure, then simulate."""
    agents = SMALL if report.small else AGENTS
    async with Master() as master, aiohttp.ClientSession() as http:
        assert master.pid is not None
        empty = own_bytes(master.pid)
        call = subscription_of("idle", f"not-{ROLE}", suppressed=True)
        async with subscribe(http, master_url(master.address), call), gateway(master, agents) as worker:
            costs = await _costs(report, master, worker, agents)
            report.figure("master.bytes", (own_bytes(master.pid) - empty) / agents, "bytes")
    for side in ("master", "gateway"):
        each = costs[f"{side}.rest"] + costs[f"{side}.task"] / TASK_EACH
        report.figure(f"{side}.busy", 500.0 / each, "agents", better="higher")
    _storms(report, costs["master.register"] / 1000, STORMS[:1] if report.small else STORMS)


async def _costs(report: Report, master: Master, worker: Worker, agents: int) -> dict[str, float]:
    """Milliseconds of processor time, by figure."""
    costs: dict[str, float] = {}

    async def used() -> tuple[float, float]:
        assert master.pid is not None
        return processor_seconds(master.pid), (await worker.ask())["cpu"]

    def tell(
        name: str, before: tuple[float, float], after: tuple[float, float], count: float, unit: str
    ) -> None:
        for side, begun, ended in zip(("master", "gateway"), before, after, strict=True):
            costs[f"{side}.{name}"] = (ended - begun) / count * 1000
            report.figure(f"{side}.{name}", costs[f"{side}.{name}"], unit)

    report.step(f"{agents} agents register")
    begun = await used()
    await worker.until_registered(1)
    registered = await used()
    tell("register", begun, registered, agents, "ms")
    rest = 2.0 if report.small else REST
    report.step(f"{agents} agents at rest")
    await asyncio.sleep(rest)
    rested = await used()
    tell("rest", registered, rested, agents * rest, "ms/s")
    tasks = 2 if report.small else agents
    report.step(f"{tasks} tasks")
    await load(master.address, tasks, EACH, MODULE)
    tell("task", rested, await used(), tasks, "ms")
    return costs


def _storms(report: Report, cost: float, sizes: Sequence[int]) -> None:
    for agents in sizes:
        report.step(f"{agents} agents after a failover, simulated")
        report.figure(f"n{agents}.storm", simulate(agents, cost, agents / CROWD_RATE).seconds, "s")
        hasty = simulate(agents, cost, 1.0)
        report.figure(f"n{agents}.hasty", hasty.seconds, "s")
        report.figure(f"n{agents}.hasty.attempts", hasty.attempts, "per agent")
    low, high = 1, int(2 * GIVEN_UP / cost) + 2
    while high - low > max(1, low // 20):
        middle = (low + high) // 2
        if simulate(middle, cost, middle / CROWD_RATE).seconds <= GIVEN_UP:
            low = middle
        else:
            high = middle
    report.figure("ends", low, "agents", better="higher")
