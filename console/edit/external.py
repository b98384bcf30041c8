"""The user's own editor on the console's terminal, while the session goes on underneath."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from typing import Any

from textual.app import App, SuspendNotSupported

from console.errors import ConsoleError


async def edit_outside(app: App[Any], command: Sequence[str]) -> None:
    """Run an editor in the foreground until it ends. ConsoleError where it cannot be.

    The event loop runs on: agents answer their master meanwhile. Nothing is drawn, for the terminal is the
    editor's; and Ctrl-C is its own, too.
    """
    loop = asyncio.get_running_loop()
    try:
        with app.batch_update(), app.suspend():
            loop.add_signal_handler(signal.SIGINT, lambda: None)
            try:
                process = await asyncio.create_subprocess_exec(*command)
                status = await process.wait()
            finally:
                loop.remove_signal_handler(signal.SIGINT)
    except SuspendNotSupported:
        raise ConsoleError("This terminal cannot be lent to an editor.", remedy="Edit here.") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ConsoleError(
            f"{command[0]} does not start: {why}.", remedy="Set EDITOR to one that does."
        ) from error
    if status:
        raise ConsoleError(f"{command[0]} ended with status {status}; nothing was taken over.")
