"""/metrics/snapshot under the native agent's names; the agents behind one port are added up, as a web UI
that asks its port without an id expects."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.facts import scalar_of
from agent.http.state import used_resources
from agent.proto import mesos_pb2 as mesos

if TYPE_CHECKING:
    from agent.core import Agent

_LIVING = {
    "tasks_staging": mesos.TASK_STAGING,
    "tasks_starting": mesos.TASK_STARTING,
    "tasks_running": mesos.TASK_RUNNING,
    "tasks_killing": mesos.TASK_KILLING,
}
_ENDED = {
    "tasks_failed": mesos.TASK_FAILED,
    "tasks_finished": mesos.TASK_FINISHED,
    "tasks_gone": mesos.TASK_GONE,
    "tasks_killed": mesos.TASK_KILLED,
    "tasks_lost": mesos.TASK_LOST,
}


def snapshot(agents: Sequence[Agent]) -> dict[str, float]:
    """All metrics of these agents, counters and gauges alike as numbers."""
    values: dict[str, float] = {}
    for name in ("cpus", "mem", "disk", "gpus"):
        total = sum(scalar_of(agent.resources, name) for agent in agents)
        used = sum(scalar_of(used_resources(agent), name) for agent in agents)
        values[f"slave/{name}_total"] = total
        values[f"slave/{name}_used"] = used
        values[f"slave/{name}_percent"] = used / total if total else 0.0
    states = Counter(task.state for agent in agents for task in agent.tasks.book.tasks())
    for name, state in _LIVING.items():
        values[f"slave/{name}"] = float(states[state])
    for name, state in _ENDED.items():
        values[f"slave/{name}"] = float(sum(agent.tasks.ended.get(state, 0) for agent in agents))
    running = {
        (task.framework_id, task.executor_id)
        for agent in agents
        for task in agent.tasks.book.tasks()
        if not task.terminal
    }
    values["slave/executors_running"] = float(len(running))
    values["slave/frameworks_active"] = float(sum(len(agent.tasks.book.frameworks) for agent in agents))
    values["slave/registered"] = float(bool(agents) and all(agent.registration.running for agent in agents))
    values["slave/uptime_secs"] = max((time.time() - agent.started for agent in agents), default=0.0)
    values["slave/messages_refused"] = float(sum(agent.refused for agent in agents))
    values["slave/updates_unacknowledged"] = float(sum(len(agent.tasks.updates) for agent in agents))
    return {**values, **_system()}


def _system() -> dict[str, float]:
    load = os.getloadavg()
    page = os.sysconf("SC_PAGE_SIZE")
    return {
        "system/cpus_total": float(os.cpu_count() or 0),
        "system/load_1min": load[0],
        "system/load_5min": load[1],
        "system/load_15min": load[2],
        "system/mem_total_bytes": float(page * os.sysconf("SC_PHYS_PAGES")),
        "system/mem_free_bytes": float(page * os.sysconf("SC_AVPHYS_PAGES")),
    }
