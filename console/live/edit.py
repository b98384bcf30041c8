"""Saves of a live session: one after the other, of a file the newest; what they lead to becomes events."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from console.live.seam import Post
from console.state.events import BuildChanged

if TYPE_CHECKING:
    from console.fleet.session import Session
    from console.live.debug import LiveDebugger


class LiveEdit:
    """Made with the session."""

    def __init__(self, session: Session, post: Post, debugger: LiveDebugger) -> None:
        self._session = session
        self._post = post
        self._debugger = debugger
        self._turn = asyncio.Lock()
        self._newest: dict[Path, object] = {}

    async def saved(self, path: Path) -> None:
        """Build what became of a file, and run it where it ran. What goes wrong is told as an event, too."""
        from console.edit.saving import Save

        mine = self._newest[path] = object()
        save = Save(self._session, path, lambda build: self._post(BuildChanged(build)), self._let_go)
        async with self._turn:
            if self._newest[path] is mine:  # else it was saved again meanwhile
                await save.run()

    async def _let_go(self, target: str) -> None:
        if self._debugger.target == target:
            await self._debugger.detach()
