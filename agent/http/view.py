"""Frameworks and executors as a native agent counts them, out of the tasks that ours knows.

Every task has an executor: its framework's own, or (a command task) one that is called like the task. An
executor stays while one of its tasks lives or waits for an acknowledgement; then it is completed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.proto import mesos_pb2 as mesos
from agent.records import TaskRecord

if TYPE_CHECKING:
    from agent.core import Agent

_COMMAND_SHOWN = 15
"""Characters of a command in its executor's name (Slave::getExecutorInfo)."""


@dataclass(slots=True)
class ExecutorView:
    """One run of an executor."""

    framework: mesos.FrameworkInfo
    info: mesos.ExecutorInfo
    container_id: str
    directory: str
    """Its sandbox, as the files endpoints take it."""
    tasks: list[TaskRecord] = field(default_factory=list)
    """Those that live or wait for an acknowledgement."""
    completed: list[TaskRecord] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.info.executor_id.value

    @property
    def living(self) -> list[TaskRecord]:
        """The tasks that have not ended."""
        return [task for task in self.tasks if not task.terminal]

    def resources(self) -> list[mesos.Resource]:
        """What it and its tasks hold."""
        held = [resource for task in self.living for resource in task.info.resources]
        return [*held, *self.info.resources] if self.living else held


@dataclass(slots=True)
class FrameworkView:
    """A framework with its executors."""

    info: mesos.FrameworkInfo
    executors: list[ExecutorView] = field(default_factory=list)
    completed: list[ExecutorView] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class View:
    """All of one agent."""

    frameworks: list[FrameworkView]
    completed: list[FrameworkView]

    def executors(self) -> list[ExecutorView]:
        """Those of active frameworks that are not completed."""
        return [executor for framework in self.frameworks for executor in framework.executors]

    def container(self, container_id: str) -> ExecutorView | None:
        """The executor in a container, completed ones included."""
        for framework in (*self.frameworks, *self.completed):
            for executor in (*framework.executors, *framework.completed):
                if executor.container_id == container_id:
                    return executor
        return None


def view(agent: Agent) -> View:
    """What is on the agent now and what it remembers."""
    book = agent.tasks.book
    frameworks = {name: FrameworkView(record.info) for name, record in book.frameworks.items()}
    completed: dict[str, FrameworkView] = {}
    executors: dict[tuple[str, str, str], ExecutorView] = {}

    def executor_of(task: TaskRecord, info: mesos.FrameworkInfo) -> ExecutorView:
        key = (task.framework_id, task.executor_id, task.container_id)
        if key not in executors:
            directory = str(agent.sandboxes.directory(task))
            executors[key] = ExecutorView(info, executor_info(task), task.container_id, directory)
        return executors[key]

    for record in book.frameworks.values():
        for task in record.tasks.values():
            executor_of(task, record.info).tasks.append(task)
    for info, task in book.completed:
        executor_of(task, info).completed.append(task)
    for (name, _, _), executor in executors.items():
        home = frameworks.get(name) or completed.setdefault(name, FrameworkView(executor.framework))
        (home.executors if executor.tasks else home.completed).append(executor)
    return View(list(frameworks.values()), list(completed.values()))


def executor_info(task: TaskRecord) -> mesos.ExecutorInfo:
    """The framework's own, or the one that an agent makes for a command task (Slave::getExecutorInfo)."""
    if task.custom:
        return task.info.executor
    info = mesos.ExecutorInfo(name=f"Command Executor (Task: {task.id}) {_command(task.info.command)}")
    info.executor_id.value = info.source = task.id
    info.framework_id.value = task.framework_id
    info.command.uris.extend(task.info.command.uris)
    for name in ("labels", "discovery", "container"):
        if task.info.HasField(name):
            getattr(info, name).CopyFrom(getattr(task.info, name))
    return info


def _command(command: mesos.CommandInfo) -> str:
    if command.shell:
        if not command.HasField("value"):
            return "(Command: NO COMMAND)"
        return f"(Command: sh -c '{_short(command.value)}')"
    if not command.HasField("value"):
        return "(Command: NO EXECUTABLE)"
    return f"(Command: [{_short(', '.join((command.value, *command.arguments)))}])"


def _short(text: str) -> str:
    return text if len(text) <= _COMMAND_SHOWN else f"{text[: _COMMAND_SHOWN - 3]}..."
