"""How much the process logs, raised for a while over HTTP (libprocess logging.cpp: /logging/toggle)."""

from __future__ import annotations

import asyncio
import logging

MOST = 3
"""glog's levels that Mesos uses: 0 is what is always logged, 1 to 3 are ever more. All of ours is at 1."""


class Verbosity:
    """One for a gateway: loggers are the process's. Level 0 is what was configured."""

    def __init__(self, *names: str) -> None:
        """`names`: the loggers that get louder."""
        self._loggers = [logging.getLogger(name) for name in names]
        self._usual = [logger.level for logger in self._loggers]
        self._timer: asyncio.TimerHandle | None = None
        self.level = 0

    def set(self, level: int, seconds: float) -> None:
        """Be at `level` for so long; a later call replaces an earlier one."""
        self.close()
        self.level = level
        if level > 0:
            for logger in self._loggers:
                logger.setLevel(logging.DEBUG)
            self._timer = asyncio.get_running_loop().call_later(seconds, self.close)

    def close(self) -> None:
        """Back to what was configured."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.level = 0
        for logger, usual in zip(self._loggers, self._usual, strict=True):
            logger.setLevel(usual)
