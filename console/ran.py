"""The command log: the build, gdb, HTTP and other lines that were run, as whoever ran them tells it.

Those places log to children of one logger, named by kind (`mma.ran.build`, `mma.ran.gdb`, `mma.ran.http`,
`mma.ran.run`), and know nothing of the console: `hal` and `emulation` must not. Nobody listens elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from console.state.events import Ran

ROOT = "mma.ran"
LONGEST = 2000
"""Characters that are kept of a line: a module that is launched is megabytes of base64."""


class _Listener(logging.Handler):
    """Hands records on within the event loop, from whichever thread they come."""

    def __init__(self, post: Callable[[Ran], None]) -> None:
        super().__init__()
        self._post = post
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]} … {len(text) - LONGEST:,} characters more"
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._post, Ran(record.name.removeprefix(f"{ROOT}."), text))


@contextmanager
def listening(post: Callable[[Ran], None]) -> Iterator[None]:
    """Every line that is run while this is open. They stay out of the log file meanwhile."""
    logger = logging.getLogger(ROOT)
    before = (logger.level, logger.propagate)
    listener = _Listener(post)
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(listener)
        logger.setLevel(before[0])
        logger.propagate = before[1]
