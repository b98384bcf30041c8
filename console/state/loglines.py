"""Events of targets as lines of a log: what executors print, what the device says, what the link does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from hal import checks
from hal.target import Connection, Diagnostic, Ended, Event, Output

_LONGEST_LINE = 4096


class Origin(Enum):
    """Who says it."""

    EXECUTOR = "executor"
    DEVICE = "device"
    LINK = "link"
    MESOS = "mesos"
    COAP = "coap"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `subject` is the task of an executor, else the target; `time` is since the epoch, `virtual`
    the emulated board's own time then, in seconds since power on, where it has one."""

    time: float
    target: str
    subject: str
    origin: Origin
    text: str
    virtual: float | None = None


class LogLines:
    """Joins pieces of output to whole lines, an executor at a time."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._partial: dict[tuple[str, str], str] = {}

    def of(self, target: str, event: Event) -> Iterator[LogLine]:
        """The lines that are complete with this event."""
        now = self._clock()
        if isinstance(event, Output):
            task = task_of(event.key)
            if event.dropped:
                yield LogLine(
                    now, target, task, Origin.LINK, f"… {event.dropped:,} bytes of its log were lost"
                )
            text = self._partial.pop((target, event.key), "") + event.data.decode("utf-8", "backslashreplace")
            *lines, rest = text.split("\n")
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], ""
            if rest:
                self._partial[target, event.key] = rest
            for line in lines:
                if not is_answer(line):
                    yield LogLine(now, target, task, Origin.EXECUTOR, line)
        elif isinstance(event, Ended):
            rest = self._partial.pop((target, event.key), "")
            if rest:
                yield LogLine(now, target, task_of(event.key), Origin.EXECUTOR, rest)
            for line in event.trace:
                yield LogLine(now, target, task_of(event.key), Origin.DEVICE, line)
        elif isinstance(event, Diagnostic):
            for line in event.text.splitlines():
                yield LogLine(now, target, target, Origin.DEVICE, line)
        elif isinstance(event, Connection):
            words = "the link is up" if event.up else "the link is down"
            text = f"{words}: {event.message}" if event.message else words
            yield LogLine(now, target, target, Origin.LINK, text)


def is_answer(line: str) -> bool:
    """A guest answers a check by a line of its log: nothing for people."""
    return line.startswith("\x03") and checks.read(line.encode("utf-8", "replace")) is not None


def task_of(key: str) -> str:
    """The Mesos task id in an executor's key (framework id, slash, task id)."""
    return key.rpartition("/")[2]
