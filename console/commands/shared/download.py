"""A progress bar on stderr for the one download that takes long: the Mesos master."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def download_bar() -> Iterator[Callable[[int, int], None]]:
    """A function for (bytes so far, bytes in all). The bar appears with its first call; without a
    terminal one line says that a download began."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    text = "downloading Apache Mesos 1.11.0 (once)"
    bar = Progress(TextColumn(text), BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console)
    task: TaskID | None = None

    def advance(done: int, total: int) -> None:
        nonlocal task
        if task is None:
            task = bar.add_task(text, total=total or None)
            if console.is_terminal:
                bar.start()
            else:
                print(text, file=sys.stderr, flush=True)
        bar.update(task, completed=done, total=total or None)

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()
