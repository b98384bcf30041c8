"""The debugger of a live session: names become boards, and what it finds becomes events."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from console.debug.view import Phase
from console.errors import UsageError
from console.live.seam import Post, Step
from console.state.events import DebugChanged

if TYPE_CHECKING:
    from console.debug.debugger import Debugger, Subject
    from console.fleet.session import Session


class LiveDebugger:
    """Made with the session; GDB and its libraries come with the first attach."""

    def __init__(self, session: Session, post: Post) -> None:
        self._session = session
        self._post = post
        self._made: Debugger | None = None

    @property
    def _debugger(self) -> Debugger:
        if self._made is None:
            raise UsageError("The debugger is not attached.", remedy="a attaches it to a board.")
        return self._made

    @property
    def target(self) -> str:
        """Which one it is attached to; empty for none."""
        if self._made is None or self._made.view.phase not in (Phase.RUNNING, Phase.STOPPED):
            return ""
        return self._made.view.target

    async def attach(self, target: str) -> None:
        subject = self._subject(target)
        if self._made is None:
            module = await asyncio.to_thread(importlib.import_module, "console.debug.debugger")
            self._made = module.Debugger(lambda view: self._post(DebugChanged(view)))
        await self._debugger.attach(subject)

    def _subject(self, target: str) -> Subject:
        from console.debug.debugger import Subject
        from hal.mcu import McuTarget

        member = self._session.members.get(target)
        if member is None:
            raise UsageError(f"{target} is not up.", remedy="Its line in the fleet says why.")
        if member.machine is None or member.firmware is None or member.name.board is None:
            raise UsageError(f"{target} has no debug stub.", remedy="Choose an emulated board.")
        mcu = member.target if isinstance(member.target, McuTarget) else None
        limit, gives_up = self._session.ping_limit(target), self._session.gives_up(target)
        return Subject(target, member.name.board, member.firmware, member.machine, mcu, limit, gives_up)

    async def detach(self) -> None:
        if self._made is not None:
            await self._made.detach()

    async def go(self, how: Step, *, reverse: bool = False) -> None:
        await self._debugger.go(how, reverse=reverse)

    async def pause(self) -> None:
        await self._debugger.pause()

    async def run_to(self, location: str) -> None:
        await self._debugger.run_to(location)

    async def break_at(self, text: str) -> None:
        await self._debugger.break_at(text)

    async def toggle(self, path: str, line: int) -> None:
        await self._debugger.toggle(path, line)

    async def delete(self, key: str) -> None:
        await self._debugger.delete(key)

    async def enable(self, key: str, on: bool) -> None:
        await self._debugger.enable(key, on)

    async def ignore(self, key: str, count: int) -> None:
        await self._debugger.ignore(key, count)

    async def watchpoint(self, expression: str) -> None:
        await self._debugger.stop_on_write(expression)

    async def stop_on_trap(self, on: bool) -> None:
        await self._debugger.stop_on_trap(on)

    async def select(self, level: int) -> None:
        await self._debugger.select(level)

    async def open_source(self, name: str) -> None:
        found = [path for path in await self._debugger.files() if path.endswith(name)]
        if not found:
            raise UsageError(f"No source of this target ends in {name}.")
        await self._debugger.open_source(found[0])

    async def watch(self, expression: str) -> None:
        await self._debugger.watch(expression)

    async def open_value(self, key: str) -> None:
        await self._debugger.open_value(key)

    async def look_at(self, expression: str) -> None:
        await self._debugger.look_at(expression)

    async def peripheral(self, name: str) -> None:
        await self._debugger.peripheral(name)

    async def assign(self, text: str) -> None:
        await self._debugger.assign(text)

    async def command(self, line: str) -> str:
        return await self._debugger.command(line)

    async def complete(self, text: str) -> tuple[str, tuple[str, ...]]:
        found = await self._debugger.complete(text)
        return found.text, found.matches
