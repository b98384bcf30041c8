"""Status updates that arrive: one queue per task, its head in flight until it is acknowledged.

As src/slave/task_status_update_manager.cpp: the head is sent again after 10 s, doubling to 10 min, and at
once after every (re-)registration and framework fail-over.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from agent.proto import messages_pb2 as internal
from agent.verdict import TERMINAL

log = logging.getLogger(__name__)

TaskKey = tuple[str, str]
"""(framework id, task id)."""


@dataclass(slots=True)
class _Queue:
    pending: deque[internal.StatusUpdate] = field(default_factory=deque)
    timer: asyncio.TimerHandle | None = None
    terminated: bool = False
    """A terminal update was queued; nothing may follow it."""

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def key_of(update: internal.StatusUpdate) -> TaskKey:
    """The queue that an update belongs to."""
    return (update.framework_id.value, update.status.task_id.value)


class UpdateQueues:
    """All queues of one agent. `forward(update)` sends to the master; paused until resume()."""

    def __init__(
        self, forward: Callable[[internal.StatusUpdate], None], retry_min: float, retry_max: float
    ) -> None:
        self._forward = forward
        self._retry_min = retry_min
        self._retry_max = retry_max
        self._queues: dict[TaskKey, _Queue] = {}
        self._paused = True

    def __iter__(self) -> Iterator[internal.StatusUpdate]:
        """Every unacknowledged update, oldest first within a task."""
        for queue in self._queues.values():
            yield from queue.pending

    def __len__(self) -> int:
        return sum(len(queue.pending) for queue in self._queues.values())

    def head(self, key: TaskKey) -> internal.StatusUpdate | None:
        """The update of this task that waits for its acknowledgement."""
        queue = self._queues.get(key)
        return queue.pending[0] if queue and queue.pending else None

    def add(self, update: internal.StatusUpdate) -> bool:
        """Queue an update; it goes out now when it is the head. False, and nothing is done, when a
        terminal update of this task was queued before."""
        queue = self._queues.setdefault(key_of(update), _Queue())
        if queue.terminated:
            log.debug("no update after a terminal one: %s", update.status.task_id.value)
            return False
        queue.terminated = update.status.state in TERMINAL
        queue.pending.append(update)
        if not self._paused and len(queue.pending) == 1:
            self._send(queue, self._retry_min)
        return True

    def acknowledge(self, key: TaskKey, uuid: bytes) -> internal.StatusUpdate | None:
        """The framework has the head: drop it and send the next. Returns what was acknowledged; None for
        a repeated or a foreign acknowledgement, which changes nothing."""
        queue = self._queues.get(key)
        if queue is None or not queue.pending or queue.pending[0].uuid != uuid:
            return None
        queue.stop_timer()
        acknowledged = queue.pending.popleft()
        if queue.pending:
            if not self._paused:
                self._send(queue, self._retry_min)
        elif queue.terminated:
            del self._queues[key]
        return acknowledged

    def drop(self, framework_id: str) -> None:
        """Forget all updates of a framework that is gone: nobody would acknowledge them."""
        for key in [key for key in self._queues if key[0] == framework_id]:
            self.drop_task(key)

    def drop_task(self, key: TaskKey) -> None:
        """Forget the updates of one task."""
        queue = self._queues.pop(key, None)
        if queue is not None:
            queue.stop_timer()

    def pause(self) -> None:
        """Send nothing until resume()."""
        self._paused = True
        for queue in self._queues.values():
            queue.stop_timer()

    def resume(self, framework_id: str | None = None) -> None:
        """Send every head at once (those of one framework, or all)."""
        self._paused = False
        for key, queue in self._queues.items():
            if queue.pending and framework_id in (None, key[0]):
                self._send(queue, self._retry_min)

    def close(self) -> None:
        """Stop all timers."""
        self.pause()

    def _send(self, queue: _Queue, delay: float) -> None:
        queue.stop_timer()
        self._forward(queue.pending[0])
        queue.timer = asyncio.get_running_loop().call_later(delay, self._retry, queue, delay)

    def _retry(self, queue: _Queue, delay: float) -> None:
        queue.timer = None
        if queue.pending and not self._paused:
            log.info(
                "status update unacknowledged for %g s, again: %s",
                delay,
                queue.pending[0].status.task_id.value,
            )
            self._send(queue, min(delay * 2, self._retry_max))
