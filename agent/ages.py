"""How old files are, where the wall clock jumps: a computer without a battery boots in 1970 and learns the
time later, another one is set back."""

from __future__ import annotations

import time
from pathlib import Path


class Ages:
    """Files have only the wall clock's time of their last write. Here it is taken, once, for a moment of the
    clock that only goes on, and a jump makes nothing older than what was seen to pass."""

    def __init__(self) -> None:
        self._shift = _shift()
        self._written: dict[Path, tuple[float, float]] = {}

    def look(self, files: dict[Path, float]) -> dict[Path, float]:
        """From the times of the last write (seconds since the epoch) to seconds of age."""
        now, before, self._shift = time.monotonic(), self._shift, _shift()
        known, self._written = self._written, {}
        for path, last in files.items():
            written = known.get(path)
            if written is None or written[0] != last:
                # By today's reckoning or by that of the look before, whichever makes it younger.
                moments = [last - shift for shift in (before, self._shift) if last - shift <= now]
                written = (last, max(moments, default=now))
            self._written[path] = written
        return {path: now - moment for path, (_, moment) in self._written.items()}


def _shift() -> float:
    """What the wall clock shows more than the one that only goes on."""
    return time.time() - time.monotonic()
