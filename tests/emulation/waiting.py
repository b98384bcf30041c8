"""Waiting for what no event tells."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Callable
from pathlib import Path


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Return when the condition, a plain or an async function, holds; TimeoutError if it does not."""
    async with asyncio.timeout(seconds):
        while True:
            held = condition()
            if await held if inspect.isawaitable(held) else held:
                return
            await asyncio.sleep(0.005)


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> bool:
    """Whether the condition comes to hold within that time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def gone(pid: int, seconds: float = 60.0) -> bool:
    """Whether a process ends within that time."""
    return wait_until(lambda: ended(pid), seconds)


def ended(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except ProcessLookupError:
        return True
    except FileNotFoundError:  # it ended just now, or this is not Linux
        return Path("/proc/self").exists()


def parent(pid: int) -> int:
    """The process id of its parent (Linux)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
