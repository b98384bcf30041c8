"""How an executor's end reads in Mesos: state, reason, source and words. The table of docs/tasks.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from agent.proto import mesos_pb2 as mesos
from hal.target import Cause, Ended

TERMINAL = frozenset(
    {
        mesos.TASK_FINISHED,
        mesos.TASK_FAILED,
        mesos.TASK_KILLED,
        mesos.TASK_LOST,
        mesos.TASK_ERROR,
        mesos.TASK_DROPPED,
        mesos.TASK_GONE,
        mesos.TASK_GONE_BY_OPERATOR,
    }
)
"""Nothing follows these (src/common/protobuf_utils.cpp, isTerminalState)."""


class Kill(Enum):
    """Why the agent itself ends an executor."""

    FRAMEWORK = "the framework asked for it"
    COMPLETION_TIME = "its max_completion_time is over"
    DRAINING = "the agent is being drained"
    SHUTDOWN = "its executor, framework or agent is shut down"
    GROUP = "another task of its group failed or was killed"
    OPERATOR = "an operator killed its container"
    UNHEALTHY = "its health check failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a terminal status says. `reason` None leaves it unset, as the native command executor does
    for tasks that ended by themselves or were killed on request."""

    state: mesos.TaskState
    reason: mesos.TaskStatus.Reason | None
    source: mesos.TaskStatus.Source
    message: str


_EXECUTOR = mesos.TaskStatus.SOURCE_EXECUTOR
_AGENT = mesos.TaskStatus.SOURCE_SLAVE


def judge(ended: Ended, kill: Kill | None, *, partition_aware: bool) -> Verdict:
    """The verdict on `ended`; `kill` tells whether we asked for it: then it was killed, however it came to
    its end, as with the native executor.

    A device that restarted took its executors with it, for certain: TASK_GONE. Frameworks that are not
    partition-aware know only TASK_LOST.
    """
    gone = mesos.TASK_GONE if partition_aware else mesos.TASK_LOST
    cause, words = ended.cause, ended.message
    if kill is not None and cause in (Cause.EXITED, Cause.KILLED, Cause.TRAPPED, Cause.FAULTED):
        return _killed(kill, ended)
    if cause is Cause.EXITED and ended.status == 0:
        return Verdict(mesos.TASK_FINISHED, None, _EXECUTOR, words or "The executor returned 0.")
    if cause is Cause.EXITED:
        text = words or f"The executor returned {ended.status}."
        return Verdict(mesos.TASK_FAILED, mesos.TaskStatus.REASON_COMMAND_EXECUTOR_FAILED, _EXECUTOR, text)
    reason, state, source = {
        Cause.TRAPPED: (mesos.TaskStatus.REASON_COMMAND_EXECUTOR_FAILED, mesos.TASK_FAILED, _EXECUTOR),
        Cause.FAULTED: (mesos.TaskStatus.REASON_COMMAND_EXECUTOR_FAILED, mesos.TASK_FAILED, _EXECUTOR),
        Cause.KILLED: (mesos.TaskStatus.REASON_EXECUTOR_TERMINATED, mesos.TASK_FAILED, _AGENT),
        Cause.MEMORY_LIMIT: (
            mesos.TaskStatus.REASON_CONTAINER_LIMITATION_MEMORY,
            mesos.TASK_FAILED,
            _AGENT,
        ),
        Cause.MODULE_REJECTED: (mesos.TaskStatus.REASON_CONTAINER_LAUNCH_FAILED, mesos.TASK_FAILED, _AGENT),
        Cause.NO_ROOM: (mesos.TaskStatus.REASON_CONTAINER_LAUNCH_FAILED, mesos.TASK_FAILED, _AGENT),
        Cause.LAUNCH_FAILED: (mesos.TaskStatus.REASON_CONTAINER_LAUNCH_FAILED, mesos.TASK_FAILED, _AGENT),
        Cause.DEVICE_RESET: (mesos.TaskStatus.REASON_SLAVE_RESTARTED, gone, _AGENT),
        Cause.DEVICE_GONE: (mesos.TaskStatus.REASON_SLAVE_REMOVED, gone, _AGENT),
    }[cause]
    return Verdict(state, reason, source, words or f"The executor ended: {cause.value}.")


def _killed(kill: Kill, ended: Ended) -> Verdict:
    if kill is Kill.COMPLETION_TIME:
        reason = mesos.TaskStatus.REASON_MAX_COMPLETION_TIME_REACHED
        text = "The task ran longer than its max_completion_time."
        return Verdict(mesos.TASK_FAILED, reason, _EXECUTOR, text)
    if kill is Kill.OPERATOR:  # to Mesos, a container that ended under its task
        text = "An operator killed its container (KILL_CONTAINER)."
        return Verdict(mesos.TASK_FAILED, mesos.TaskStatus.REASON_EXECUTOR_TERMINATED, _AGENT, text)
    text = f"Killed: {kill.value}."
    if ended.cause is Cause.EXITED:
        text += f" The executor came to its own end with status {ended.status}."
    elif ended.cause is not Cause.KILLED:
        text = f"{text} {ended.message}".strip()
    return Verdict(mesos.TASK_KILLED, None, _EXECUTOR, text)
