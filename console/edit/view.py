"""What became of a save, as plain facts: problems, steps with their times, tasks that run anew."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hal.problems import Problem, errors


class Phase(Enum):
    """Where a save is. The value is how the console words it."""

    BUILDING = "building"
    DEPLOYING = "deploying"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that took its time, in seconds."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Build:
    """The newest save of a file. `message` says in a sentence how it went; `seconds` are those from the save
    to TASK_RUNNING (of firmware: to a kernel that answers), 0 where nothing ran anew. `size` is the module's
    in bytes."""

    path: str
    phase: Phase
    steps: tuple[Step, ...] = ()
    problems: tuple[Problem, ...] = ()
    message: str = ""
    tasks: tuple[str, ...] = ()
    size: int = 0
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """There is no module, or it did not come to run."""
        return self.phase is Phase.FAILED

    @property
    def errors(self) -> int:
        """How many problems stop it."""
        return len(errors(self.problems))
