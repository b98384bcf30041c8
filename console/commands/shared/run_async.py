"""From a click command into asyncio, with Ctrl-C and SIGTERM that clean up."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from console.errors import first_error

T = TypeVar("T")


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end. A signal cancels `main`, whose context managers then stop what they started.

    KeyboardInterrupt after a signal. An exception group of one error comes out as that error.
    """
    try:
        return asyncio.run(_with_signals(main))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except BaseExceptionGroup as group:
        raise first_error(group) from None


async def _with_signals(main: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    # SIGHUP: the terminal was closed. Emulators must not outlive it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, task.cancel)
    return await main
