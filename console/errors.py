"""Exceptions of the console and the exit codes of the command line.

The tree is by the party that failed; each carries the sentence that the user reads and, where there
is one, the next step. hal.errors.HalError has the same shape, so one place can print both.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What `mma` returns to the shell."""

    MET = 0
    NOT_MET = 1
    USAGE = 2
    ENVIRONMENT = 3
    INTERRUPTED = 130


class ConsoleError(Exception):
    """Something the console cannot do. `str(error)` is one or two sentences for a person."""

    exit_code = Exit.NOT_MET

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class UsageError(ConsoleError):
    """What was typed makes no sense."""

    exit_code = Exit.USAGE


class EnvironmentMissing(ConsoleError):
    """A program, package or file that this needs is not there."""

    exit_code = Exit.ENVIRONMENT


class MasterError(ConsoleError):
    """The master refused a call, or does not answer as a Mesos master does."""


class NoOffer(ConsoleError):
    """No offer came that holds what the task asks."""


def exit_code(error: BaseException) -> Exit | None:
    """The exit code of an error that has a sentence for the user; None for a bug."""
    from agent.errors import AgentError, ConfigError
    from emulation.errors import EmulationError, EnvironmentMissing
    from hal.errors import BoardError, HalError, NoProbe, ProbeChoice

    if isinstance(error, ConsoleError):
        return error.exit_code
    if isinstance(error, BoardError | ConfigError | ProbeChoice):
        return Exit.USAGE
    if isinstance(error, EnvironmentMissing | NoProbe):
        return Exit.ENVIRONMENT
    if isinstance(error, HalError | EmulationError | AgentError):
        return Exit.NOT_MET
    return None


def first_error(error: BaseException) -> BaseException:
    """The first leaf of nested exception groups: what went wrong first in a TaskGroup."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
