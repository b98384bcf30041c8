"""One producer, many listeners, each with its own complete stream from the moment it subscribed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Broadcast(Generic[T]):
    """Fans events out to queues. All in one event loop."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[T]] = set()

    def post(self, event: T) -> None:
        """To everybody who listens now."""
        for queue in self._queues:
            queue.put_nowait(event)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[asyncio.Queue[T]]:
        """A queue of all events from here on, until the context is left."""
        queue: asyncio.Queue[T] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)
