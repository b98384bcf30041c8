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
    from hal.problems import Problem

_COLOURS = {"error": "red", "warning": "yellow"}


@click.command()
@click.argument("source", shell_complete=complete_module)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the module there."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a problem; the last is the result.")
def command(source: str, output: Path | None, as_json: bool) -> int:
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
    seconds = round(time.monotonic() - begin, 3)
    if as_json:
        for problem in problems:
            click.echo(json.dumps(_as_json(problem)))
        end = {"event": "result", "met": bool(module), "bytes": len(module), "seconds": seconds}
        click.echo(
            json.dumps({**end, "output": str(output) if module and output else None, "message": message})
        )
    else:
        _print(problems)
        if module:
            where = f" in {output}" if output else ""
            click.echo(f"{len(module):,} bytes of WebAssembly{where}")
        elif not problems:
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
