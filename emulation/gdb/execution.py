"""Run, stop and step.

Each resuming method returns at once with a Resumed, whose stopped() waits for the stop. Locations are GDB's:
`function`, `file:line`, `*address`.
"""

from __future__ import annotations

from dataclasses import dataclass

from emulation.gdb import parse
from emulation.gdb.core import Core
from emulation.gdb.errors import GdbError
from emulation.gdb.events import Stopped
from emulation.gdb.facts import State
from emulation.gdb.stubs import Stub


@dataclass(frozen=True, slots=True)
class Resumed:
    """A target that was let run."""

    core: Core
    number: int

    async def stopped(self, timeout: float | None = 10.0) -> Stopped:
        """Wait for the stop. StillRunning after `timeout` seconds, StubLost, GdbGone."""
        return await self.core.wait_stop(self.number, timeout)


class Execution:
    """What runs the target. All but interrupt() and wait() raise TargetRunning while it runs."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.stub = Stub("the debug stub")
        self.reverse = False
        """The stub says that it can run backwards."""

    async def continue_(self, *, reverse: bool = False) -> Resumed:
        """Run until something stops it."""
        return await self._run("-exec-continue", reverse=reverse)

    async def interrupt(self) -> Stopped:
        """Stop it; where it is stopped already, the stop that was."""
        return await self._core.halt()

    async def step(self, count: int = 1, *, reverse: bool = False) -> Resumed:
        """To another source line, into calls."""
        return await self._run("-exec-step", str(count), reverse=reverse)

    async def next_(self, count: int = 1, *, reverse: bool = False) -> Resumed:
        """To another source line, over calls."""
        return await self._run("-exec-next", str(count), reverse=reverse)

    async def stepi(self, count: int = 1, *, reverse: bool = False) -> Resumed:
        """One instruction, into calls."""
        return await self._run("-exec-step-instruction", str(count), reverse=reverse)

    async def nexti(self, count: int = 1, *, reverse: bool = False) -> Resumed:
        """One instruction, over calls."""
        return await self._run("-exec-next-instruction", str(count), reverse=reverse)

    async def finish(self, *, reverse: bool = False) -> Resumed:
        """Until the selected function returns; backwards, to its call."""
        return await self._run("-exec-finish", reverse=reverse)

    async def until(self, location: str = "") -> Resumed:
        """To a later line, out of loops; or to a location within this function or after it returned."""
        return await self._run("-exec-until", *([location] if location else []))

    async def advance(self, location: str) -> Resumed:
        """Run to the cursor: to a location anywhere, or until this function returns."""
        return await self._run("-interpreter-exec", "console", f"advance {location}")

    async def jump(self, location: str) -> Resumed:
        """Go on somewhere else; the stack stays as it is."""
        return await self._run("-exec-jump", location)

    async def wait(self, timeout: float | None = None) -> Stopped:
        """The next stop, or this one where it is stopped."""
        core = self._core
        return await core.wait_stop(core.kept + (core.state is State.RUNNING), timeout)

    async def reset(self) -> Stopped:
        """Reset the target and leave it stopped at its first instruction."""
        if not self.stub.resets:
            raise GdbError(
                f"How to reset through {self.stub.name} is not known.", remedy="Reset the board itself."
            )
        await self._core.halt()
        for line in self.stub.resets:
            await self._core.console(f"monitor {line}")
        return await self.refresh("reset")

    async def refresh(self, reason: str) -> Stopped:
        """The target moved behind GDB's back: forget what was cached and tell where it stands."""
        self._core.require_stopped()
        await self._core.console("maintenance flush register-cache")
        await self._core.console("maintenance flush dcache")
        reply = await self._core.command("-stack-info-frame")
        stop = Stopped(reason, parse.frame(reply.fields.fields("frame")))
        self._core.note_stop(stop)
        return stop

    async def _run(self, operation: str, *arguments: str, reverse: bool = False) -> Resumed:
        if reverse and not self.reverse:
            raise GdbError("This target cannot run backwards.", remedy=self.stub.reverse)
        words = [*(["--reverse"] if reverse else []), *arguments]
        return Resumed(self._core, await self._core.resume(operation, *words))
