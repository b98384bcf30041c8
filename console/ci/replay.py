"""A recorded run as a backend of the console: what happened up to an instant, and nothing can be changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from console.app import ConsoleApp
from console.ci.recording import Recording, read_events
from console.cluster.mesos import TaskSpec
from console.errors import UsageError
from console.live.seam import Backend, BackendFactory, Debugging, Editing, Post, Remembering
from console.state.events import Event, FromTarget, TargetUp, TaskChanged
from hal.budget import Parts
from hal.target import Budget


class Replay:
    """The events of a recording up to an instant. Times are seconds since its first event."""

    def __init__(self, folder: Path, at: float | None = None) -> None:
        """`at` None is the failing instant: the task's end, else the last event. UsageError for none."""
        events = read_events(folder)
        if not events:
            raise UsageError(f"The recording in {folder} is empty.")
        self.began = events[0][0]
        self.at = _end_of_task(events) - self.began if at is None else at
        self._events = [(moment, event) for moment, event in events if moment - self.began <= self.at]
        self.targets = [event.target for _, event in events if isinstance(event, TargetUp)]
        self._now = self.began

    @property
    def now(self) -> float:
        """The recording's clock."""
        return self._now

    def app(self) -> ConsoleApp:
        """The console on it."""
        return ConsoleApp(self._backend(), targets=self.targets, clock=lambda: self._now)

    def log(self) -> list[str]:
        """What was said and done until then, a line each."""
        return Recording(events=self._events, began=self.began).log()

    def _backend(self) -> BackendFactory:
        def open_backend(post: Post) -> AbstractAsyncContextManager[Backend]:
            return self._open(post)

        return open_backend

    @asynccontextmanager
    async def _open(self, post: Post) -> AsyncIterator[Backend]:
        for moment, event in self._events:
            self._now = moment
            post(event)
        self._now = self.began + self.at
        yield _Past()

    async def picture(self, size: tuple[int, int] = (120, 40), view: str = "tasks") -> str:
        """The console at the instant, as SVG."""
        app = self.app()
        async with app.run_test(size=size) as pilot:
            for _ in range(200):
                await pilot.pause()
                if app.settled:
                    break
                await asyncio.sleep(0.01)
            await app.switch_mode(view)
            await pilot.pause()
            return app.export_screenshot()


def _end_of_task(events: Sequence[tuple[float, Event]]) -> float:
    """When the last task that a case launched ended."""
    for moment, event in reversed(events):
        if isinstance(event, TaskChanged) and event.task.state.terminal:
            return moment
        if isinstance(event, FromTarget):
            continue
    return events[-1][0]


class _Past:
    """A backend that refuses."""

    @property
    def debugger(self) -> Debugging:
        raise _over()

    @property
    def memory(self) -> Remembering:
        raise _over()

    @property
    def editor(self) -> Editing:
        raise _over()

    async def inflict(self, target: str, fault: str) -> str:
        raise _over()

    async def submit(self, spec: TaskSpec) -> str:
        raise _over()

    async def kill(self, task_id: str, grace: float = 0.0) -> None:
        raise _over()

    async def decline(self, offer_id: str) -> None:
        raise _over()

    async def revive(self) -> None:
        raise _over()

    async def load(self, path: Path) -> bytes:
        raise _over()

    async def size(self, module: bytes, target: str, arguments: Sequence[str], budget: Budget) -> Parts:
        raise _over()

    async def size_by(
        self, attributes: Mapping[str, str], module: bytes, arguments: Sequence[str], budget: Budget
    ) -> Parts:
        raise _over()


def _over() -> UsageError:
    return UsageError("This is a recording: nothing can be changed.", remedy="`mma ci` runs it anew.")
