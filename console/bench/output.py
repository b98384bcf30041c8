"""How `mma bench` shows a run: lines for a person as they come, or JSON for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from types import TracebackType

import click
from rich.console import Console
from rich.status import Status

from console.bench.compare import Key, change_text, key_of
from console.bench.figure import Figure, number


class TextListener:
    """Figures on `stdout`, or stderr if told so; on a terminal the present step is shown meanwhile."""

    def __init__(self, base: Mapping[Key, Figure], *, err: bool = False) -> None:
        self._base = base
        self._err = err
        self._bench = ""
        console = Console(stderr=True)
        self._status: Status | None = console.status("starting") if console.is_terminal else None

    def __enter__(self) -> TextListener:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    def step(self, bench: str, text: str) -> None:
        if self._status:
            self._status.update(f"{bench}: {text} …")

    def figure(self, figure: Figure) -> None:
        self._head(figure.bench)
        line = f"  {figure.metric:<34}{number(figure.value):>12} {figure.unit:<14}"
        if figure.goal is not None:
            sign = "≤" if figure.better == "lower" else "≥"
            word = (
                click.style("met", fg="green") if figure.met else click.style("missed", fg="red", bold=True)
            )
            line += f"{sign} {number(figure.goal):<9} {word:<7}"
        before = self._base.get(key_of(figure))
        if before is not None:
            line += f"  {change_text(before, figure)}"
        self._say(line.rstrip())

    def note(self, bench: str, text: str) -> None:
        self._head(bench)
        self._say(click.style(f"  {text}", dim=True))

    def _head(self, bench: str) -> None:
        if bench != self._bench:
            self._bench = bench
            self._say(click.style(bench, bold=True))

    def _say(self, line: str) -> None:
        if self._status:
            self._status.stop()
        click.echo(line, err=self._err)
        if self._status:
            self._status.start()


class JsonListener:
    """One object a figure on stdout; with a base also its `base` there. Notes go to stderr."""

    def __init__(self, base: Mapping[Key, Figure]) -> None:
        self._base = base

    def __enter__(self) -> JsonListener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.stdout.flush()

    def step(self, bench: str, text: str) -> None:
        pass

    def figure(self, figure: Figure) -> None:
        found = figure.as_json()
        before = self._base.get(key_of(figure))
        if before is not None:
            found["base"] = before.as_json()["value"]
        print(json.dumps(found), flush=True)

    def note(self, bench: str, text: str) -> None:
        click.echo(f"{bench}: {text}", err=True)
