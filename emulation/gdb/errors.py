"""Exceptions of the debugger, by the party that failed."""

from __future__ import annotations

from emulation.errors import EmulationError


class GdbError(EmulationError):
    """Something the debugger cannot do; `str(error)` is for a person."""


class GdbMissing(GdbError):
    """No GDB that knows the board's processor is installed: exit code 3 of `mma`."""


class GdbRefused(GdbError):
    """GDB answered a command with an error; the message is its own. `command` is the line it got."""

    def __init__(self, message: str, *, command: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.command = command


class TargetRunning(GdbRefused):
    """That needs a stopped target."""


class GdbSilent(GdbError):
    """GDB did not answer in time. The session looks for the reason and recovers by itself."""


class GdbGone(GdbError):
    """GDB or the session has ended."""


class StillRunning(GdbError):
    """The target did not stop in the time that the caller gave."""


class StubLost(GdbError):
    """The debug stub of the target does not answer, and no attempt to recover it helped."""


class SvdError(GdbError):
    """A CMSIS-SVD file is missing, malformed, or has no such peripheral."""
