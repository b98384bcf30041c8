"""Exceptions of the HAL, a tree by the party that failed.

Every one carries the sentence that the user reads, and where there is one, the next step.
"""

from __future__ import annotations

from hal.problems import Problem


class HalError(Exception):
    """Something the HAL cannot do.

    `str(error)` is one or two sentences for a person: what is wrong and, from `remedy`, what to do.
    `problems` are a compiler's, where that is what failed.
    """

    def __init__(self, message: str, *, remedy: str = "", problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.problems = problems

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class BoardError(HalError):
    """The named board is unknown or its page is wrong."""


class ModuleError(HalError):
    """The WASM module is at fault: malformed, invalid, or it imports what no target has."""


class ToolchainError(HalError):
    """The gateway's compiler failed or is missing; the module is not at fault."""


class KeyFileError(HalError):
    """A device's key is missing, wrong, or readable by others."""


class BudgetError(HalError):
    """The task does not fit.

    `missing` says how many bytes were short, `where` in which part (code, stack, memory, slot ...).
    """

    def __init__(self, message: str, *, missing: int, where: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.missing = missing
        self.where = where


class DeviceError(HalError):
    """The device refused or answered what it must not; `code` is its CoAP code such as "4.13"."""

    def __init__(self, message: str, *, code: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


class LinkError(HalError):
    """The device does not answer: the link is cut, or nobody is at its other end."""


class ProbeError(HalError):
    """A debug probe, or the chip behind it, refused or failed."""


class NoProbe(ProbeError):
    """No probe is there, or nothing that could speak to one."""


class ProbeChoice(ProbeError):
    """More than one probe may be meant."""
