"""What the app needs of the world: the seam between the screens and everything that touches a network.

`console.live.backend` makes the real one of a session; tests script theirs. Errors that a person must read
are ConsoleError, HalError, and those of emulation and agent: each is a sentence with a remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal, Protocol

from console.cluster.mesos import TaskSpec
from console.state.events import Event
from hal.budget import Parts
from hal.target import Budget

Step = Literal["step", "next", "stepi", "nexti", "finish", "until", "continue"]


class Debugging(Protocol):
    """The debugger, as screens ask it. What it finds comes as DebugChanged events."""

    async def attach(self, target: str) -> None:
        """To an emulated board of the session; it runs on."""
        ...

    async def detach(self) -> None: ...

    async def go(self, how: Step, *, reverse: bool = False) -> None:
        """Continue or step; the stop comes as an event."""
        ...

    async def pause(self) -> None: ...

    async def run_to(self, location: str) -> None: ...

    async def break_at(self, text: str) -> None:
        """`function`, `file:line` or `*address`, with ` if condition`."""
        ...

    async def toggle(self, path: str, line: int) -> None: ...

    async def delete(self, key: str) -> None: ...

    async def enable(self, key: str, on: bool) -> None: ...

    async def ignore(self, key: str, count: int) -> None: ...

    async def watchpoint(self, expression: str) -> None: ...

    async def stop_on_trap(self, on: bool) -> None: ...

    async def select(self, level: int) -> None: ...

    async def open_source(self, name: str) -> None:
        """The first source whose path ends so."""
        ...

    async def watch(self, expression: str) -> None: ...

    async def open_value(self, key: str) -> None:
        """Show what a variable or watch is made of, by its key in the view; a second time no longer."""
        ...

    async def look_at(self, expression: str) -> None: ...

    async def peripheral(self, name: str) -> None: ...

    async def assign(self, text: str) -> None:
        """`count = 5`, `r4 = 0x10`, `RCC.CR.HSEON = 1`."""
        ...

    async def command(self, line: str) -> str:
        """One of GDB's own."""
        ...

    async def complete(self, text: str) -> tuple[str, tuple[str, ...]]:
        """How far all agree on what follows, and what could."""
        ...


class Remembering(Protocol):
    """The memory of targets, as screens ask for it. What it finds comes as MemoryChanged events."""

    async def survey(self, target: str) -> None:
        """Who has what."""
        ...

    async def look(self, target: str, address: int, size: int) -> None:
        """Bytes; the target runs on."""
        ...

    async def address_of(self, target: str, text: str) -> int:
        """Of `0x…`, a symbol, a region, or one of them `+ offset`."""
        ...

    async def find(self, target: str, start: int, pattern: bytes) -> int:
        """The next place with these bytes, from `start` on and round. ConsoleError where there is none."""
        ...

    async def write(self, target: str, address: int, data: bytes) -> None: ...


class Editing(Protocol):
    """What is behind the editor. What a save leads to comes as BuildChanged events."""

    async def saved(self, path: Path) -> None:
        """Build what became of a file, by its full path; run it anew where it runs, unless that fails."""
        ...


class Backend(Protocol):
    """A session that is open. All calls come from one event loop."""

    @property
    def debugger(self) -> Debugging: ...

    @property
    def memory(self) -> Remembering: ...

    @property
    def editor(self) -> Editing: ...

    async def inflict(self, target: str, fault: str) -> str:
        """Do a fault, in the words of console.ci.inflict, to a target. Returns what was done."""
        ...

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
        """A .wasm, .wat, .c or .zig file as a module that a target would run."""
        ...

    async def size_by(
        self, attributes: Mapping[str, str], module: bytes, arguments: Sequence[str], budget: Budget
    ) -> Parts:
        """The same of a target that has these attributes, whoever has its agent."""
        ...

    async def size(self, module: bytes, target: str, arguments: Sequence[str], budget: Budget) -> Parts:
        """What the module takes on a target, to the byte. BudgetError when `budget` is too small for it."""
        ...


Post = Callable[[Event], None]

BackendFactory = Callable[[Post], AbstractAsyncContextManager[Backend]]
"""Opens a session. All that happens goes to the given function, from the first step of opening on."""
