"""What screens ask of the app, and what workers tell it. Small, and all in one place.

Widgets' own messages (a row was selected) stay with the widgets.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from textual.message import Message

from console.cluster.mesos import TaskSpec
from console.live.seam import Backend, Debugging, Editing, Remembering


class StateChanged(Message):
    """There is a newer state. Bursts collapse: only the last one that waits is handled."""

    def can_replace(self, message: Message) -> bool:
        """Any that waits is older."""
        return isinstance(message, StateChanged)


class Trouble(Message):
    """Something went wrong that a person must know: one or two sentences, the remedy apart."""

    def __init__(self, text: str, remedy: str = "") -> None:
        super().__init__()
        self.text = text
        self.remedy = remedy


class Done(Message):
    """Something that was asked for happened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class LaunchAsked(Message):
    """Open the launch dialog, for a target and with a module if they are named."""

    def __init__(self, target: str = "", module: Path | None = None) -> None:
        super().__init__()
        self.target = target
        self.module = module


class SubmitAsked(Message):
    """Run this."""

    def __init__(self, spec: TaskSpec) -> None:
        super().__init__()
        self.spec = spec


class KillAsked(Message):
    """Kill a task, after a question."""

    def __init__(self, task_id: str) -> None:
        super().__init__()
        self.task_id = task_id


class KillAllAsked(Message):
    """Kill all tasks of ours on a target, after its name was typed."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target


class RestartAsked(Message):
    """Run a task again as it was; a living one is killed first, after a question."""

    def __init__(self, task_id: str) -> None:
        super().__init__()
        self.task_id = task_id


class CloneAsked(Message):
    """Choose where the same is to run as well."""

    def __init__(self, task_id: str) -> None:
        super().__init__()
        self.task_id = task_id


class DeclineAsked(Message):
    """Give an offer back."""

    def __init__(self, offer_id: str) -> None:
        super().__init__()
        self.offer_id = offer_id


class ReviveAsked(Message):
    """Ask the master to offer everything again."""


class BackendAsked(Message):
    """Something for the session to find out; what goes wrong becomes a toast."""

    def __init__(self, work: Callable[[Backend], Coroutine[Any, Any, object]]) -> None:
        super().__init__()
        self.work = work


class DebugAsked(Message):
    """Something for the debugger to do; what goes wrong becomes a toast."""

    def __init__(self, work: Callable[[Debugging], Coroutine[Any, Any, object]]) -> None:
        super().__init__()
        self.work = work


class DebugTargetAsked(Message):
    """Attach the debugger to a target, and show it."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target


class MemoryAsked(Message):
    """Something to do with a target's memory."""

    def __init__(self, work: Callable[[Remembering], Coroutine[Any, Any, object]]) -> None:
        super().__init__()
        self.work = work


class MemoryTargetAsked(Message):
    """Show the memory of a target."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target


class EditAsked(Message):
    """Something that the editor wants done."""

    def __init__(self, work: Callable[[Editing], Coroutine[Any, Any, object]]) -> None:
        super().__init__()
        self.work = work


class SourceAsked(Message):
    """Edit a source, at a line from 1."""

    def __init__(self, path: str, line: int = 0) -> None:
        super().__init__()
        self.path = path
        self.line = line


class UnsavedChanged(Message):
    """Which files have edits that are not on disk."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names


class FaultAsked(Message):
    """Ask which fault to inflict on a target, and do it."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target


class LogsAsked(Message):
    """Show the logs of a target or a task."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
