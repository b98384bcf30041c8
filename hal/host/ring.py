"""A log ring between an executor's thread and the event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable


class LogRing:
    """Keeps the newest `size` bytes that nobody took yet; what it had to drop is counted.

    As the device's ring: a guest that floods its log costs its own oldest lines, never memory. Thread-safe.
    """

    def __init__(self, size: int, wake: Callable[[], None]) -> None:
        """`wake` is called, in the writer's thread, when there is something to take again."""
        self._size = size
        self._wake = wake
        self._lock = threading.Lock()
        self._data = bytearray()
        self._dropped = 0

    def write(self, data: bytes) -> None:
        """Append, and drop the oldest bytes past the size."""
        with self._lock:
            wake = not self._data and not self._dropped
            self._data += data
            excess = max(0, len(self._data) - self._size)
            del self._data[:excess]
            self._dropped += excess
        if wake:
            self._wake()

    def take(self) -> tuple[bytes, int]:
        """All bytes, and how many were lost before them."""
        with self._lock:
            taken = bytes(self._data), self._dropped
            self._data.clear()
            self._dropped = 0
        return taken
