"""From the ACCEPT of an offer to TASK_RUNNING and to the result, through a genuine master.

The example fib is launched as one does by hand, again and again. `cold`: the module was never seen, so it is
compiled; the runtime and the kernel are there. `warm`: it was launched before. `running` and `result` count
from the ACCEPT, as the framework sees it. The stages are what the target tells of, each from the end of the
one before: `message` is until the target begins, `link` has the device's giving of a slot with it, `start` is
from the last stage to TASK_RUNNING. Medians.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from console.bench.report import BenchError, Report
from console.cluster.mesos import TaskSpec, TaskState
from console.fit.budgets import Ask
from console.fleet.opening import parse_name
from console.fleet.session import Plan, Session, SessionEvent, open_session
from console.guests.modules import find, load
from console.runs.runner import complete
from console.state.events import FromTarget, TaskChanged
from hal.target import Progress, Stage

TARGETS = ("host", "stm32f4@qemu")
ARGUMENT, RESULT = "15", b"610"
COLD, WARM = 10, 20
LIMIT = 60.0
"""Seconds for one launch."""
GOAL_WARM = 0.5
"""Seconds to TASK_RUNNING of a module that was launched before."""


@dataclass(frozen=True, slots=True)
class Times:
    """One launch: seconds from the ACCEPT to TASK_RUNNING and TASK_FINISHED, and of each stage."""

    running: float
    result: float
    stages: Mapping[str, float]


class _Watch:
    """Notes when a target's launch begins, and when its stages end (their events may come as one)."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.begin: float | None = None
        self.ends: dict[Stage, float] = {}

    def clear(self) -> None:
        self.begin, self.ends = None, {}

    def __call__(self, event: SessionEvent) -> None:
        if not isinstance(event, FromTarget) or event.target != self._target:
            return
        if isinstance(event.event, Progress):
            now = time.perf_counter()
            self.begin = now if self.begin is None else self.begin
            self.ends[event.event.stage] = now

    def stages(self, accepted: float, running: float) -> dict[str, float]:
        """Seconds of each part of the way; their sum is that from the ACCEPT to TASK_RUNNING."""
        marks = {"message": self.begin or accepted}
        marks |= {stage.value: self.ends[stage] for stage in Stage if stage in self.ends}
        marks["start"] = running
        before, out = accepted, {}
        for name, moment in marks.items():
            out[name], before = max(0.0, moment - before), max(before, moment)
        return out


async def run(report: Report) -> None:
    """Both targets, one after the other; in small mode twice each."""
    cold, warm = (2, 2) if report.small else (COLD, WARM)
    for target in TARGETS:
        watch = _Watch(target)
        report.step(f"starting a master and {target}")
        plan = Plan(framework="mma bench")
        async with open_session([parse_name(target)], plan=plan, on_event=watch) as session:
            module = await asyncio.to_thread(load, find("fib"))
            ask = await complete(session, target, module, (ARGUMENT,), Ask())
            await _launch(session, target, module, ask, watch)  # what is needed once is there
            report.step(f"launching modules that {target} never saw")
            fresh = [await _launch(session, target, _another(module), ask, watch) for _ in range(cold)]
            report.step(f"launching a module that {target} knows")
            again = [await _launch(session, target, module, ask, watch) for _ in range(warm)]
        name = target.partition("@")[0]
        _tell(report, f"{name}.cold", fresh, None)
        _tell(report, f"{name}.warm", again, GOAL_WARM)


def _another(module: bytes) -> bytes:
    """The same module with a custom section that no other has (core specification 5.5.3)."""
    return module + b"\0\x15\x04test" + os.urandom(16)


async def _launch(session: Session, target: str, module: bytes, ask: Ask, watch: _Watch) -> Times:
    """One task from its ACCEPT to its end."""
    spec = TaskSpec("fib", module, target, ask.resources(), (ARGUMENT,), ask.labels())
    framework = session.framework
    watch.clear()
    await framework.wait_for_offer(target)
    async with asyncio.timeout(LIMIT), framework.listen() as queue:
        moments: dict[TaskState, float] = {}
        task_id = await framework.submit(spec)
        while TaskState.FINISHED not in moments:
            event = await queue.get()
            if not isinstance(event, TaskChanged) or event.task.id != task_id:
                continue
            moments.setdefault(event.task.state, time.perf_counter())
            if event.task.state.terminal and event.task.state is not TaskState.FINISHED:
                raise BenchError(f"fib ended as {event.task.state.value}: {event.task.status.message}")
    if framework.tasks[task_id].status.data.strip() != RESULT:
        raise BenchError(f"fib({ARGUMENT}) gave {framework.tasks[task_id].status.data!r}.")
    accepted, running = moments[TaskState.STAGING], moments[TaskState.RUNNING]
    return Times(running - accepted, moments[TaskState.FINISHED] - accepted, watch.stages(accepted, running))


def _tell(report: Report, name: str, launches: list[Times], goal: float | None) -> None:
    report.figure(f"{name}.running", median(one.running for one in launches), "s", at_most=goal)
    report.figure(f"{name}.result", median(one.result for one in launches), "s")
    for stage in launches[-1].stages:
        report.figure(f"{name}.{stage}", median(one.stages.get(stage, 0.0) for one in launches), "s")
