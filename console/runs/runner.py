"""One module, one target, one verdict: what `mma run` does between its options and its exit code."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from console.ci.inflict import inflict_all
from console.ci.timeline import Step
from console.cluster.mesos import OfferState, Resources, Status, Task, TaskSpec, TaskState
from console.commands.shared.output import Reporter
from console.errors import NoOffer
from console.fit.budgets import Ask
from console.fit.grants import ungranted
from console.fit.sizing import size_on
from console.fleet.opening import Setup, TargetName
from console.fleet.session import Plan, Session, SessionEvent, open_session
from console.guests import modules
from console.state.events import FrameworkEvent, FromTarget, OfferChanged, Progressed, Refused
from console.state.loglines import LogLines
from emulation.faults import LinkFaults
from emulation.pins import PinTrace
from hal.errors import ModuleError


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run and how it must end."""

    module: Path
    target: TargetName
    arguments: tuple[str, ...]
    ask: Ask
    expect: TaskState
    timeout: float
    """Seconds from the launch to the end of the task."""
    master: str | None = None
    check: bool = True
    """Validate the module here before anything starts."""
    faults: tuple[Step, ...] = ()
    """What is done to the board, at seconds of its clock since the task began to run."""
    seed: int = 0
    """Of the link's faults and the flash's wear."""
    pins: PinTrace | None = None
    """Hears of the pins of an emulated board."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it went: `failure` is empty when it ended as expected. `task` is None when it never was one."""

    task: Task | None
    seconds: float
    failure: str

    @property
    def status(self) -> Status | None:
        """The last state."""
        return self.task.status if self.task else None


async def run_order(order: Order, reporter: Reporter) -> Verdict:
    """Start what is needed, run the task, stop it all again. Errors of set-up are raised."""
    begin = time.monotonic()
    module = await prepare(order.module, check=order.check)
    tell = session_reporter(reporter)
    plan = Plan(framework="mma run")
    targets = () if order.faults or order.pins else (order.target,)
    async with (
        open_session(targets, master=order.master, plan=plan, on_event=tell) as session,
        _faults(session, order, reporter),
    ):
        for one in await asyncio.to_thread(ungranted, module, order.ask):
            reporter.step(order.module.stem, f"{one.text}. {one.remedy}")
        ask = await complete(session, order.target.text, module, order.arguments, order.ask)
        spec = task_spec(order.module, module, order.target.text, order.arguments, ask)
        task = await follow(session, spec, reporter, order.timeout)
    return Verdict(task, time.monotonic() - begin, judge(task, order.expect, order.timeout))


@asynccontextmanager
async def _faults(session: Session, order: Order, reporter: Reporter) -> AsyncIterator[None]:
    """Bring the target up with a link that can be spoilt and pins that are heard of, and inflict the order's
    faults during the body. What could not be inflicted is raised when the body is done."""
    if not order.faults and order.pins is None:
        yield
        return
    link = LinkFaults(seed=order.seed)
    member = await session.add(order.target, Setup(faults=link, pins=order.pins))

    async def inflict() -> None:
        async with session.framework.listen() as queue:
            while not any(task.state is TaskState.RUNNING for task in session.framework.tasks.values()):
                await queue.get()
        tell = partial(reporter.step, order.target.text)
        await inflict_all(order.faults, member.machine, link, tell)

    work = asyncio.create_task(inflict(), name="faults")
    try:
        yield
    finally:
        work.cancel()
        await asyncio.wait([work])
    if not work.cancelled():
        work.result()


async def prepare(path: Path, *, check: bool = True) -> bytes:
    """The module's bytes, compiled and validated. ModuleError says what is wrong with it."""
    module = await asyncio.to_thread(modules.load, path)
    if check:
        await asyncio.to_thread(modules.check, module)
    return module


async def complete(session: Session, target: str, module: bytes, arguments: tuple[str, ...], ask: Ask) -> Ask:
    """The ask with its memory said, so that the master accounts for it: what the target says the module
    takes. Left as it is for a target of another process.

    NoOffer for what the target can never offer, BudgetError for a module that can't fit.
    """
    member = session.members.get(target)
    if member is None:
        return ask
    offered = Resources.of_target(member.target.describe())
    if ask.mem is None:
        try:
            parts = await size_on(member.target, module, arguments, ask.budget())
            ask = replace(ask, mem=parts.total)
        except ModuleError:
            pass  # not checked here by wish: the agent says it, as the task's end
    short = ask.resources().shortfalls(offered)
    if short:
        lacks = "; ".join(lack.text for lack in short)
        raise NoOffer(f"{target} can never run this: {lacks}.")
    return ask


def task_spec(path: Path, module: bytes, target: str, arguments: tuple[str, ...], ask: Ask) -> TaskSpec:
    """The task of a module file."""
    return TaskSpec(path.stem, module, target, ask.resources(), arguments, ask.labels(), path.resolve())


async def follow(session: Session, spec: TaskSpec, reporter: Reporter, timeout: float) -> Task:
    """Submit a task and report its states until it ends; after `timeout` seconds it is killed.

    NoOffer when its target was not offered with enough room in that time.
    """
    framework = session.framework
    async with framework.listen() as queue:
        task_id = await framework.submit(spec)
        reported = 0
        try:
            async with asyncio.timeout(timeout):
                while True:
                    task = framework.tasks[task_id]
                    for status in task.history[reported:]:
                        reporter.status(task, status)
                    reported = len(task.history)
                    if task.state.terminal:
                        return task
                    _report(await queue.get(), spec, reporter)
        except TimeoutError:
            task = framework.tasks[task_id]
            if task.state is TaskState.WAITING:
                raise NoOffer(_why_no_offer(session, spec, timeout)) from None
        await framework.kill(task_id)
        try:
            async with asyncio.timeout(5):
                await framework.wait(task_id)
        except TimeoutError:
            reporter.step(spec.target, "the task did not end within 5 s of being killed")
    for status in framework.tasks[task_id].history[reported:]:
        reporter.status(framework.tasks[task_id], status)
    return framework.tasks[task_id]


def judge(task: Task, expect: TaskState, timeout: float) -> str:
    """Why the task's end is not what was expected; empty when it is."""
    if task.state is expect:
        return ""
    why = task.status.message.rstrip(".")
    if task.state is TaskState.KILLED and task.status.time - task.started >= timeout:
        why = f"it had not ended after {timeout:g} s"
    return f"The task ended as {task.state.value}, not as {expect.value}{': ' if why else ''}{why}."


def session_reporter(reporter: Reporter) -> Callable[[SessionEvent], None]:
    """What a session tells, as report lines."""
    lines = LogLines()

    def tell(event: SessionEvent) -> None:
        if isinstance(event, Progressed):
            reporter.step(event.subject, event.text)
        elif isinstance(event, FromTarget):
            for line in lines.of(event.target, event.event):
                reporter.log(line.subject, line.text)

    return tell


def _report(event: FrameworkEvent, spec: TaskSpec, reporter: Reporter) -> None:
    if isinstance(event, OfferChanged) and event.offer.target == spec.target:
        if event.offer.state is OfferState.OPEN:
            reporter.offer(event.offer)
    elif isinstance(event, Refused):
        reporter.step("master", event.message)


def _why_no_offer(session: Session, spec: TaskSpec, timeout: float) -> str:
    offers = [offer for offer in session.framework.offers.values() if offer.target == spec.target]
    if not offers:
        return f"The master did not offer {spec.target} within {timeout:g} s."
    short = "; ".join(lack.text for lack in spec.resources.shortfalls(offers[-1].resources))
    return f"{spec.name} does not fit on {spec.target}: {short}."
