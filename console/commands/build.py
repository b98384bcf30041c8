"""`mma build SOURCE`: an executor's source to WebAssembly, with what the compiler says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.commands.shared.completion import complete_module
from console.errors import ConsoleError, Exit

if TYPE_CHECKING:
    from console.fit.boards import OnBoard
    from hal.problems import Problem

_COLOURS = {"error": "red", "warning": "yellow"}


@click.command()
@click.argument("source", shell_complete=complete_module)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the module there."
)
@click.option("-s", "--sizes", is_flag=True, help="Tell what it takes of each board's RAM, to the byte.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a problem and a board; the last is the result."
)
def command(source: str, output: Path | None, sizes: bool, as_json: bool) -> int:
    """Compile SOURCE (.c, .zig, .wat, an example's name) as `mma run` does, and check the module.

    Problems are lines of file:line:column: severity: text, as editors read them. Exit code 1 when there is no
    module.
    """
    from console.guests.modules import build, check, find
    from hal.errors import ModuleError

    begin = time.monotonic()
    problems: tuple[Problem, ...] = ()
    module, message = b"", ""
    try:
        path = find(source)
        built = build(path)
        problems = built.warnings
        check(built.module)
        module = built.module
    except ModuleError as error:
        problems = (*problems, *error.problems)
        message = str(error)
    if module and output is not None:
        _write(output, module)
    boards = _boards(module) if module and sizes else ()
    seconds = round(time.monotonic() - begin, 3)
    if as_json:
        for problem in problems:
            click.echo(json.dumps(_as_json(problem)))
        for one in boards:
            click.echo(json.dumps(_board_as_json(one)))
        end = {"event": "result", "met": bool(module), "bytes": len(module), "seconds": seconds}
        click.echo(
            json.dumps({**end, "output": str(output) if module and output else None, "message": message})
        )
    else:
        _print(problems)
        if module:
            where = f" in {output}" if output else ""
            click.echo(f"{len(module):,} bytes of WebAssembly{where}")
            _print_boards(boards)
        elif not any(problem.severity == "error" for problem in problems):
            click.echo(f"mma: {message}", err=True)
    return Exit.MET if module else Exit.NOT_MET


def _as_json(problem: Problem) -> dict[str, object]:
    """`line` and `column` from 1; null where the compiler does not say."""
    place = {"line": problem.line or None, "column": problem.column or None}
    return {
        "event": "problem",
        "file": problem.path,
        **place,
        "severity": problem.severity,
        "text": problem.text,
    }


def _boards(module: bytes) -> tuple[OnBoard, ...]:
    from console.fit.boards import on_boards

    return tuple(on_boards(module))


_PARTS = ("code", "stack", "memory", "log", "result", "total")


def _board_as_json(one: OnBoard) -> dict[str, object]:
    """Sizes in bytes; null where the module cannot run there."""
    parts = {name: getattr(one.parts, name) if one.parts else None for name in _PARTS}
    end = {
        "stack_reckoned": one.stack_reckoned if one.parts else None,
        "room": one.room,
        "at_once": one.at_once,
        "trouble": one.trouble or None,
    }
    return {"event": "board", "board": one.board, **parts, **end}


def _print_boards(boards: Iterable[OnBoard]) -> None:
    rows: list[tuple[str, ...]] = [("", *_PARTS, "of", "at once")]
    rows += [
        (one.board, *(f"{getattr(one.parts, name):,}" for name in _PARTS), f"{one.room:,}", str(one.at_once))
        for one in boards
        if one.parts is not None
    ]
    if len(rows) > 1:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for name, *figures in rows:
            cells = (text.rjust(width) for text, width in zip(figures, widths[1:], strict=True))
            click.echo("  ".join((name.ljust(widths[0]), *cells)))
    if any(one.parts is not None and not one.stack_reckoned for one in boards):
        click.echo("Its calls go round, so the stack is the habitual size: `mma run --stack` gives another.")
    for one in boards:
        if one.trouble:
            click.echo(f"{one.board}: {one.trouble}")


def _print(problems: Iterable[Problem]) -> None:
    for problem in problems:
        head, _, text = str(problem).partition(f"{problem.severity}: ")
        severity = click.style(f"{problem.severity}:", fg=_COLOURS.get(problem.severity), bold=True)
        click.echo(f"{head}{severity} {text}", err=True)


def _write(output: Path, module: bytes) -> None:
    try:
        output.write_bytes(module)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConsoleError(
            f"{output} cannot be written: {reason}.", remedy="Is the folder writable?"
        ) from error
