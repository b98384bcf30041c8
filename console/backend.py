"""What the app needs of the world: the seam between the screens and everything that touches a network.

`console.live` makes the real one of a session; tests script theirs. Errors that a person must read are
console.errors.ConsoleError, hal.errors.HalError, emulation's and agent's: each is a sentence with a remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from console.events import Event
from console.mesos import TaskSpec
from hal.budget import Parts
from hal.target import Budget


class Backend(Protocol):
    """A session that is open. All calls come from one event loop."""

    async def submit(self, spec: TaskSpec) -> str:
        """Run a task as soon as its target is offered with enough room. Returns the task's id."""
        ...

    async def kill(self, task_id: str, grace: float = 0.0) -> None:
        """Kill a task; its states follow as events. Unknown and ended ones are ignored."""
        ...

    async def decline(self, offer_id: str) -> None:
        """Give an offer back. Unknown and closed ones are ignored."""
        ...

    async def revive(self) -> None:
        """Forget all refusals: the master offers again at once."""
        ...

    async def load(self, path: Path) -> bytes:
        """A .wasm, .wat or .c file as a module that a target would run."""
        ...

    async def size(self, module: bytes, target: str, arguments: Sequence[str], budget: Budget) -> Parts:
        """What the module takes on a target, to the byte. BudgetError when `budget` is too small for it."""
        ...


Post = Callable[[Event], None]

BackendFactory = Callable[[Post], AbstractAsyncContextManager[Backend]]
"""Opens a session. All that happens goes to the given function, from the first step of opening on."""
