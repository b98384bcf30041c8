"""What is worth a toast between two states: things that a person would else only find by looking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from console.cluster.mesos import TaskState
from console.state.model import Link, State
from console.state.rows import data_text

_MOST = 3
"""Toasts of one kind at once; more are told as a number."""

_QUIET = {TaskState.FINISHED, TaskState.KILLED}


@dataclass(frozen=True, slots=True)
class Notice:
    """One toast."""

    text: str
    bad: bool = False


def notices(before: State, after: State) -> Iterator[Notice]:
    """Targets that failed, links and masters that were lost or came back, tasks that ended."""
    if before.master.connected and not after.master.connected and not after.master.failed:
        yield Notice("The connection to the master broke. It is being tried again; tasks live on.", bad=True)
    elif before.master.framework_id and not before.master.connected and after.master.connected:
        yield Notice(f"Connected again with {after.master.url}.")
    if before.targets is not after.targets:
        yield from _few(_targets(before, after), "targets changed")
    if before.tasks is not after.tasks:
        yield from _few(_tasks(before, after), "tasks ended")


def _targets(before: State, after: State) -> Iterator[Notice]:
    for name, target in after.targets.items():
        old = before.targets.get(name)
        if old is None or old.link is target.link:
            continue
        if target.link is Link.FAILED:
            yield Notice(f"{name} did not come up. {target.message}", bad=True)
        elif target.link is Link.DOWN:
            yield Notice(f"The link to {name} is down; its tasks live on. {target.message}".strip(), bad=True)
        elif target.link is Link.UP and old.link is Link.DOWN:
            yield Notice(f"The link to {name} is up again.")


def _tasks(before: State, after: State) -> Iterator[Notice]:
    for task_id, task in after.tasks.items():
        old = before.tasks.get(task_id)
        if old is None or old is task or old.state.terminal or not task.state.terminal:
            continue
        words = task.status.message.partition("\n")[0]
        if task.state is TaskState.FINISHED and task.status.data:
            words = data_text(task.status.data)
        text = f"{task_id} {task.state.short.lower()}" + (f": {words}" if words else ".")
        yield Notice(text, bad=task.state not in _QUIET)


def _few(found: Iterator[Notice], noun: str) -> Iterator[Notice]:
    all_of_them = list(found)
    yield from all_of_them[:_MOST]
    if len(all_of_them) > _MOST:
        yield Notice(f"{len(all_of_them) - _MOST} more {noun}.")
