"""The options that say what a task asks, for commands, and for a line that is typed into the console."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from console.errors import UsageError
from console.fit.budgets import Ask, parse_ask

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--mem", metavar="SIZE", help="Memory in all: 12K. Without it what the module takes."),
    click.option("--cpus", default=0.1, show_default=True, help="Share of the core."),
    click.option("--stack", metavar="SIZE", help="Of the memory, the stack."),
    click.option("--memory", metavar="SIZE", help="Of it, linear memory."),
    click.option("--log", metavar="SIZE", help="Of it, the log's ring."),
    click.option("--gpio", metavar="PINS", help="Pins that it may use: 12 or 0-3,12."),
    click.option("--sensor", multiple=True, metavar="NAME", help="A sensor that it may read; several times."),
)


def ask_options(function: F) -> F:
    """A command that takes `mem`, `cpus`, `stack`, `memory`, `log`, `gpio` and `sensor`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def make_ask(sensor: tuple[str, ...], **words: Any) -> Ask:
    """From what those options gave. UsageError says which is wrong."""
    return parse_ask(sensors=sensor, **words)


def parse_line(text: str) -> tuple[Path, Ask, tuple[str, ...]]:
    """`fib 20 --mem 12K`: module, budgets, arguments. UsageError, or ModuleError where there is no such
    module."""
    from console.guests.modules import find

    @click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
    @click.argument("module")
    @click.argument("arguments", nargs=-1)
    @ask_options
    def line(
        module: str, arguments: tuple[str, ...], sensor: tuple[str, ...], **words: Any
    ) -> tuple[Path, Ask, tuple[str, ...]]:
        return find(module), make_ask(sensor, **words), arguments

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"That cannot be read: {error}.", remedy="Close the quotes.") from None
    try:
        found: tuple[Path, Ask, tuple[str, ...]] = line.main(words, standalone_mode=False)
    except click.UsageError as error:
        raise UsageError(
            error.format_message(), remedy="Write a module, then options: fib --mem 12K."
        ) from error
    return found
