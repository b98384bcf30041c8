"""The run as a table that fills, for a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from console.ci.run import Job, Listener, Verdict

_STYLES = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.FLAKY: "yellow",
    Verdict.QUARANTINED: "yellow",
    Verdict.MISSING: "magenta",
}
_ROWS = 20


class LiveTable(Listener):
    """Use as a context; what ended stays on the screen by its own line, what runs is below."""

    def __init__(self, jobs: Sequence[Job], inner: Listener) -> None:
        self._jobs = jobs
        self._inner = inner
        self._running: dict[int, tuple[Job, float, Spinner]] = {}
        self._ended = 0
        self._live = Live(self, console=Console(), refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def began(self, job: Job) -> None:
        self._running[id(job)] = (job, time.monotonic(), Spinner("dots"))
        self._inner.began(job)

    def ended(self, job: Job) -> None:
        self._running.pop(id(job), None)
        self._ended += 1
        self._inner.ended(job)  # printed above the table

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for job, since, spinner in list(self._running.values())[:_ROWS]:
            again = f"attempt {len(job.attempts) + 1}" if job.attempts else ""
            table.add_row(spinner, job.title, f"{time.monotonic() - since:5.1f} s", Text(again, "yellow"))
        bar = ProgressBar(total=max(1, len(self._jobs)), completed=self._ended, width=30)
        table.add_row("", bar, f"{self._ended}/{len(self._jobs)}", self._counts())
        return table

    def _counts(self) -> Text:
        text = Text()
        done = [job.verdict for job in self._jobs if job.attempts and id(job) not in self._running]
        for verdict, style in _STYLES.items():
            if count := done.count(verdict):
                text.append(f"{count} {verdict.value}  ", style)
        return text
