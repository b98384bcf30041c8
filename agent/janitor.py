"""Removes the sandboxes of executors that are over: by age, then the oldest until the rest is within bounds
(what a native agent's garbage collector does, src/slave/gc.cpp)."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.ages import Ages
from agent.config import AgentConfig
from agent.sandbox import LATEST

log = logging.getLogger(__name__)

INTERVAL = 600.0
"""Seconds between looks."""


class Janitor:
    """One for a gateway. `living` tells the sandboxes that must stay."""

    def __init__(self, root: Path, config: AgentConfig, living: Callable[[], frozenset[Path]]) -> None:
        self._root = Path(os.path.realpath(root)) / "slaves"
        self._config = config
        self._living = living
        self._ages = Ages()
        self.removed = 0
        self.failed = 0

    async def run(self) -> None:
        """Look now and then, for ever."""
        while True:
            try:
                await asyncio.to_thread(self.sweep, self._living())
            except OSError as error:
                log.warning("the sandboxes in %s could not be looked through: %s", self._root, error)
            await asyncio.sleep(INTERVAL)

    def sweep(self, living: frozenset[Path]) -> None:
        """Remove what is too old or too much. Blocks; for a thread."""
        facts = {run: _facts(run) for run in self._runs()}
        ages = self._ages.look({run: last for run, (last, _) in facts.items()})
        over = sorted((run for run in facts if run not in living), key=ages.__getitem__, reverse=True)
        total = sum(facts[run][1] for run in over)
        for run in over:
            if ages[run] > self._config.gc_delay or total > self._config.sandbox_limit:
                total -= facts[run][1]
                self._remove(run)

    def _runs(self) -> Iterator[Path]:
        for run in self._root.glob("*/frameworks/*/executors/*/runs/*"):
            if run.is_dir() and not run.is_symlink():
                yield run

    def _remove(self, run: Path) -> None:
        try:
            shutil.rmtree(run)
        except OSError as error:
            self.failed += 1
            log.warning("the sandbox %s could not be removed: %s", run, error)
            return
        self.removed += 1
        with contextlib.suppress(OSError):
            for note in run.parent.glob(f".{glob.escape(run.name)}.*"):
                note.unlink()
            if not (run.parent / LATEST).exists():  # it led here
                (run.parent / LATEST).unlink()
            run.parent.rmdir()
            run.parent.parent.rmdir()  # the executor's
            run.parent.parent.parent.rmdir()
            run.parent.parent.parent.parent.rmdir()  # the framework's


def _facts(run: Path) -> tuple[float, int]:
    """When something was written last (seconds since the epoch), and bytes in all."""
    last, size = 0.0, 0
    for folder, _, names in os.walk(run):
        for name in names:
            with contextlib.suppress(OSError):
                facts = os.lstat(os.path.join(folder, name))
                last, size = max(last, facts.st_mtime), size + facts.st_size
    return last or run.stat().st_mtime, size
