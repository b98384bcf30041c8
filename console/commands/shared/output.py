"""How the headless commands tell what happens: lines for a person, or JSON for a program.

A person gets progress on stderr, and on stdout only what a program printed: its log and its result. With
--json all goes to stdout, one object a line.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any, Protocol
from xml.etree import ElementTree

import click

from console.cluster.mesos import Offer, Resources, Status, Task, TaskState

log = logging.getLogger("mma")

_STYLES = {
    TaskState.FINISHED: "green",
    TaskState.FAILED: "red",
    TaskState.ERROR: "red",
    TaskState.KILLED: "yellow",
    TaskState.LOST: "red",
    TaskState.DROPPED: "red",
    TaskState.GONE: "red",
    TaskState.RUNNING: "cyan",
}


class Reporter(Protocol):
    """Hears what happens, in order."""

    def step(self, subject: str, text: str) -> None:
        """`subject` (a target, the master) does something."""

    def offer(self, offer: Offer) -> None:
        """An offer came."""

    def status(self, task: Task, status: Status) -> None:
        """A task changed its state."""

    def log(self, subject: str, text: str) -> None:
        """A line that an executor or a device said."""

    def result(self, met: bool, status: Status | None, message: str) -> None:
        """The last one: `message` is why it was not met, else empty."""


def result_json(status: Status | None, message: str) -> dict[str, Any]:
    """The closing object of `mma run --json`. `output` is text; bytes that are not UTF-8 come as
    `output_base64` too."""
    found: dict[str, Any] = {
        "event": "result",
        "state": status.state.value if status else None,
        "reason": status.reason or None if status else None,
        "message": message or (status.message if status else ""),
        "output": status.data.decode("utf-8", "backslashreplace") if status else "",
    }
    if status and not _is_text(status.data):
        found["output_base64"] = base64.b64encode(status.data).decode("ascii")
    return found


class JsonReporter:
    """One JSON object a line on stdout; `time` is seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def step(self, subject: str, text: str) -> None:
        self._print({"event": "step", "subject": subject, "text": text})

    def offer(self, offer: Offer) -> None:
        self._print(
            {
                "event": "offer",
                "id": offer.id,
                "target": offer.target,
                "resources": resources_json(offer.resources),
            }
        )

    def status(self, task: Task, status: Status) -> None:
        found = {"event": "status", "task": task.id, "state": status.state.value}
        if status.reason:
            found["reason"] = status.reason
        if status.message:
            found["message"] = status.message
        self._print(found)

    def log(self, subject: str, text: str) -> None:
        self._print({"event": "log", "subject": subject, "text": text})

    def result(self, met: bool, status: Status | None, message: str) -> None:
        self._print({**result_json(status, message), "met": met})

    def _print(self, found: dict[str, Any]) -> None:
        print(json.dumps({**found, "time": round(time.monotonic() - self._start, 3)}), flush=True)


class LogReporter:
    """Everything as log records, for a program whose stderr a journal keeps."""

    def step(self, subject: str, text: str) -> None:
        log.info("%s", text, extra={"subject": subject})

    def offer(self, offer: Offer) -> None:
        self.step(offer.target, f"offered: {describe_resources(offer)}")

    def status(self, task: Task, status: Status) -> None:
        self.step(task.id, f"{status.state.value} {status.message}".rstrip())

    def log(self, subject: str, text: str) -> None:
        log.info("%s", text, extra={"subject": subject})

    def result(self, met: bool, status: Status | None, message: str) -> None:
        self.step("result", message or ("met" if met else "not met"))


class TextReporter:
    """Lines for a person, each with the seconds since the start; progress goes to stderr if `err`."""

    def __init__(self, *, err: bool = True) -> None:
        self._start = time.monotonic()
        self._err = err

    def step(self, subject: str, text: str) -> None:
        self._say(subject, text)

    def offer(self, offer: Offer) -> None:
        self._say(offer.target, f"offered: {describe_resources(offer)}")

    def status(self, task: Task, status: Status) -> None:
        state = click.style(status.state.value, fg=_STYLES.get(status.state), bold=status.state.terminal)
        why = "" if status.state is TaskState.FINISHED else status.message
        self._say(task.id, f"{state}  {why}".rstrip())

    def log(self, subject: str, text: str) -> None:
        click.echo(f"{click.style('|', dim=True)} {text}")

    def result(self, met: bool, status: Status | None, message: str) -> None:
        if status is not None and status.data:
            text = status.data.decode("utf-8", "backslashreplace")
            click.echo(text, nl=not text.endswith("\n"))
        if not met:
            click.echo(f"mma: {message}", err=True)

    def _say(self, subject: str, text: str) -> None:
        seconds = click.style(f"{time.monotonic() - self._start:6.2f} s", dim=True)
        click.echo(f"{seconds}  {click.style(f'{subject:<16}', bold=True)} {text}", err=self._err)
        (sys.stderr if self._err else sys.stdout).flush()


def resources_json(resources: Resources) -> dict[str, Any]:
    """Scalars as numbers, ranges as pairs, sets as sorted lists."""
    return {
        **resources.scalars,
        **{name: [list(pair) for pair in pairs] for name, pairs in resources.ranges.items()},
        **{name: sorted(items) for name, items in resources.sets.items()},
    }


def describe_resources(offer: Offer) -> str:
    """An offer's resources in one line."""
    from console.cluster.mesos import format_ranges

    parts = [f"{name} {value:g}" for name, value in offer.resources.scalars.items()]
    parts += [f"{name} {format_ranges(pairs)}" for name, pairs in offer.resources.ranges.items()]
    parts += [f"{name} {{{','.join(sorted(items))}}}" for name, items in offer.resources.sets.items()]
    return ", ".join(parts)


def write_junit(path: Path, name: str, seconds: float, status: Status | None, failure: str) -> None:
    """A JUnit report of one test case, as CI systems read it. OSError when it can't be written."""
    attributes = {"name": name, "classname": "mma.run", "time": f"{seconds:.3f}"}
    failed = str(int(bool(failure)))
    suite = ElementTree.Element(
        "testsuite", name="mma run", tests="1", failures=failed, errors="0", time=f"{seconds:.3f}"
    )
    case = ElementTree.SubElement(suite, "testcase", attributes)
    if failure:
        ElementTree.SubElement(
            case, "failure", message=xml_text(failure), type=status.state if status else "NONE"
        )
    if status and status.data:
        output = ElementTree.SubElement(case, "system-out")
        output.text = xml_text(status.data.decode("utf-8", "backslashreplace"))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def xml_text(text: str) -> str:
    """XML 1.0 has no control characters but tab and line ends."""
    return "".join(char if char in "\t\n\r" or char >= " " else f"\\x{ord(char):02x}" for char in text)


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
