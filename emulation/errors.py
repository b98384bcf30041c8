"""Exceptions of the emulation layer, a tree by the party that failed.

Each carries the sentence that the user reads and, as `remedy`, the next step.
"""

from __future__ import annotations


class EmulationError(Exception):
    """Something that an emulator or the local master cannot do.

    `str(error)` is one or two sentences for a person: what is wrong and what to do.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class EnvironmentMissing(EmulationError):
    """This computer lacks a program, a library or a network: exit code 3 of `mma`."""


class ProcessError(EmulationError):
    """A child process could not be started, or ended when it must not."""


class MachineError(EmulationError):
    """The emulated machine refused or failed; also where there is no such machine."""


class MachineDied(MachineError):
    """The emulator ended by itself; the message has its last words."""


class Unsupported(MachineError):
    """This backend cannot do that; `Capabilities` says so beforehand."""


class MasterError(EmulationError):
    """The local Mesos master could not be started or ended by itself."""


class PortInUse(MasterError):
    """Somebody else listens on the port that the master was to have."""
