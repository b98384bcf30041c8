"""Exceptions of the agent, a tree by the party that failed.

Each carries the sentence that a person reads and, as `remedy`, the next step.
"""

from __future__ import annotations


class AgentError(Exception):
    """Something the agent cannot do; `str(error)` is one or two sentences for a person."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class ConfigError(AgentError):
    """The agent was told something it cannot use: an address, a flag, a folder."""


class PortError(AgentError):
    """No port to listen on."""


class TaskError(AgentError):
    """The task asks what this agent cannot give; the framework reads the sentence in its status."""


class FetchError(TaskError):
    """The task's module could not be fetched."""


class UnsafeMessageError(AgentError):
    """We were about to send what aborts a master or what it drops without a word: a bug of ours."""


class StoreError(AgentError):
    """The agent's own records cannot be read or written."""


class DamagedError(StoreError):
    """The agent's own records are there and make no sense."""


class RecoveryError(AgentError):
    """The agent cannot go on as the one that it was: something about it has changed too much."""


class ResourceError(AgentError):
    """There is not enough of a resource, or an operation on it that this agent does not do."""
