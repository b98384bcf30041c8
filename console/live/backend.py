"""The real backend: a session with its master, its targets and our framework, behind the app's seam.

The master and the framework come first, so that the console is alive within a second; the targets then come
up side by side. What they used is read once a second.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.cluster.mesos import TaskSpec
from console.live.link import LinkWatch
from console.live.seam import Backend, BackendFactory, Post
from console.ran import listening
from console.state.events import (
    Connected,
    FrameworksRead,
    OfferChanged,
    TargetElsewhere,
    TaskChanged,
    UsageRead,
)

if TYPE_CHECKING:
    from console.fleet.opening import Member, TargetName
    from console.fleet.session import Session
    from emulation.wires import Harness
    from hal.budget import Parts
    from hal.target import Budget

log = logging.getLogger(__name__)

USAGE_EVERY = 1.0
FRAMEWORKS_EVERY = 2.0
"""Seconds between readings."""


def live(
    targets: Sequence[TargetName],
    *,
    master: str | None = None,
    name: str = "mma-console",
    harness: Harness | None = None,
) -> BackendFactory:
    """A session with these targets behind `master`, or behind a master of its own. `harness` has the wires
    between those of its boards, by the targets' names."""

    def open_backend(post: Post) -> AbstractAsyncContextManager[Backend]:
        return _open(post, targets, master, name, harness)

    return open_backend


@asynccontextmanager
async def _open(
    post: Post, targets: Sequence[TargetName], master: str | None, name: str, harness: Harness | None
) -> AsyncIterator[LiveBackend]:
    with listening(post):
        async with _opened(post, targets, master, name, harness) as backend:
            yield backend


@asynccontextmanager
async def _opened(
    post: Post, targets: Sequence[TargetName], master: str | None, name: str, harness: Harness | None
) -> AsyncIterator[LiveBackend]:
    # Imported where the console can draw meanwhile: it takes some tenths of a second.
    parts = await asyncio.to_thread(importlib.import_module, "console.fleet.session")
    await asyncio.to_thread(importlib.import_module, "agent.gateway")
    present: frozenset[str] = await parts.active_targets(master) if master else frozenset()
    async with parts.open_session(
        (), master=master, plan=parts.Plan(framework=name), on_event=post
    ) as session:
        watch = LinkWatch(session, post)
        works = (_forward(session, post), _read_usage(session, post, watch), _read_frameworks(session, post))
        async with _running(*works):
            for target in targets:
                if target.text in present:
                    post(TargetElsewhere(target.text))
            async with _running(
                *(_bring_up(session, watch, one, harness) for one in targets if one.text not in present)
            ):
                backend = LiveBackend(session, post)
                try:
                    yield backend
                finally:
                    await backend.debugger.detach()


@asynccontextmanager
async def _running(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run beside the body, and not longer."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _bring_up(session: Session, watch: LinkWatch, target: TargetName, harness: Harness | None) -> None:
    setup = watch.setup(target.text)
    if harness is not None and target.text in harness.boards:
        setup = replace(setup, harness=(harness, target.text))
    try:
        await session.add(target, setup)
    except Exception as error:  # the session told it, as a step that failed
        log.info("%s did not come up: %s", target.text, error)


async def _forward(session: Session, post: Post) -> None:
    """What the framework knows already, and everything that it posts."""
    framework = session.framework
    async with framework.listen() as queue:
        if framework.connected:
            post(Connected(framework.id, framework.url))
        for offer in (*framework.closed_offers, *framework.offers.values()):
            post(OfferChanged(offer))
        for task in framework.tasks.values():
            post(TaskChanged(task))
        while True:
            post(await queue.get())


async def _read_usage(session: Session, post: Post, watch: LinkWatch) -> None:
    async def read(member: Member) -> None:
        await watch.read(member)
        try:
            post(UsageRead(member.name.text, await member.target.usage()))
        except Exception as error:  # what was read before still stands
            log.info("usage of %s: %s", member.name.text, error)

    while True:
        await asyncio.gather(*(read(member) for member in list(session.members.values())))
        await asyncio.sleep(USAGE_EVERY)


async def _read_frameworks(session: Session, post: Post) -> None:
    """What the master says of all frameworks, whenever it is something else."""
    from console.cluster.tasks import frameworks

    told = None
    while True:
        try:
            found = await frameworks(session.address)
        except Exception as error:  # it may not tell us, or is away: what was read before still stands
            log.info("frameworks of %s: %s", session.address, error)
        else:
            if found != told:
                post(FrameworksRead(found))
            told = found
        await asyncio.sleep(FRAMEWORKS_EVERY)


class LiveBackend:
    """The app's calls, handed to a session."""

    def __init__(self, session: Session, post: Post) -> None:
        from console.live.debug import LiveDebugger
        from console.live.edit import LiveEdit
        from console.live.memory import LiveMemory

        self._session = session
        self.debugger = LiveDebugger(session, post)
        self.memory = LiveMemory(session, post)
        self.editor = LiveEdit(session, post, self.debugger)

    async def inflict(self, target: str, fault: str) -> str:
        from console.ci.inflict import clock_of, inflict, parse_words, wait_until
        from console.errors import UsageError

        member = self._session.members.get(target)
        if member is None:
            raise UsageError(f"{target} is not up.", remedy="Its line in the fleet says why.")
        step = parse_words(fault)
        if step.at:
            await wait_until(await clock_of(member.machine) + step.at, member.machine)
        await inflict(step.action, member.machine, member.faults)
        done = f"done to it: {fault}"
        self._session.tell(target, done)
        return f"{target}: {done}"

    async def submit(self, spec: TaskSpec) -> str:
        return await self._session.framework.submit(spec)

    async def kill(self, task_id: str, grace: float = 0.0) -> None:
        await self._session.framework.kill(task_id, grace)

    async def decline(self, offer_id: str) -> None:
        await self._session.framework.decline(offer_id)

    async def revive(self) -> None:
        await self._session.framework.revive()

    async def load(self, path: Path) -> bytes:
        from console.runs.runner import prepare

        return await prepare(path)

    async def size(self, module: bytes, target: str, arguments: Sequence[str], budget: Budget) -> Parts:
        from console.errors import UsageError
        from console.fit.sizing import size_on

        member = self._session.members.get(target)
        if member is None:
            raise UsageError(f"{target} is not up.", remedy="Its line in the fleet says why.")
        return await size_on(member.target, module, arguments, budget)

    async def size_by(
        self, attributes: Mapping[str, str], module: bytes, arguments: Sequence[str], budget: Budget
    ) -> Parts:
        from console.fit.sizing import size_by

        return await size_by(attributes, module, arguments, budget)
