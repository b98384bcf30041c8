"""Something that happens once: an asyncio.Event without its queue, which weighs 760 bytes an agent."""

from __future__ import annotations

import asyncio


class Once:
    """set() once, wait() by as many as like. From one event loop only."""

    __slots__ = ("_future", "_happened")

    def __init__(self) -> None:
        self._happened = False
        self._future: asyncio.Future[None] | None = None

    def set(self) -> None:
        """It happened. Idempotent."""
        self._happened = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def is_set(self) -> bool:
        """Whether it happened."""
        return self._happened

    async def wait(self) -> None:
        """Until it happens."""
        if self._happened:
            return
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
        # Shielded: one who is cancelled leaves it to the others.
        await asyncio.shield(self._future)
