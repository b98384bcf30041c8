"""What an agent counts for its metrics, from the events that pass by anyway."""

from __future__ import annotations

from agent.events import AgentEvent, TaskChanged
from hal.target import Cause, Ended, Event

_NEVER_RAN = frozenset({Cause.MODULE_REJECTED, Cause.NO_ROOM, Cause.LAUNCH_FAILED})


class Tally:
    """Counters of one agent since it started."""

    def __init__(self) -> None:
        self.updates = 0
        """Status updates made."""
        self.executors_ended = 0
        """Executors that ended or never began."""
        self.launch_errors = 0
        """Those that never began, for a reason of the module, of room, or of the target."""
        self.messages = 0
        """Framework messages that had an executor to go to."""
        self.lost_messages = 0
        """Those that had none."""
        self.recovery_seconds = 0.0
        """What it took to read the records of an earlier life."""

    def on_event(self, event: Event) -> None:
        """The target told something."""
        if isinstance(event, Ended):
            self.executors_ended += 1
            self.launch_errors += event.cause in _NEVER_RAN

    def on_published(self, event: AgentEvent) -> None:
        """The agent told something."""
        if isinstance(event, TaskChanged):
            self.updates += 1

    def on_message(self, *, delivered: bool) -> None:
        """A framework sent a message to an executor."""
        if delivered:
            self.messages += 1
        else:
            self.lost_messages += 1
