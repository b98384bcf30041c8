"""/metrics/snapshot under the native agent's names, and /metrics for Prometheus; the agents behind one port
are added up, as a web UI that asks its port without an id expects."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aiohttp import web

from agent.facts import scalar_of
from agent.http.answers import ok, refuse
from agent.http.ask import Action, Ask
from agent.http.duration import DurationError, seconds_of
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
_NEVER = (
    # What a native agent counts and what cannot happen here: no preemption, no images, no storage plug-ins.
    "containerizer/mesos/container_destroy_errors",
    "containerizer/mesos/provisioner/bind/remove_rootfs_errors",
    "containerizer/mesos/provisioner/remove_container_errors",
    "gc/path_removals_pending",
    "resource_provider_manager/events/disconnect",
    "resource_provider_manager/events/subscribe",
    "resource_provider_manager/subscribed",
    "slave/executors_preempted",
    "slave/executors_registering",
    "slave/recovery_errors",
    "slave/invalid_status_updates",
)
_GAUGES = re.compile(
    r"_(total|used|percent|bytes|running|registering|terminating|staging|starting|killing|active|secs)$"
    r"|^system/|registered$|unacknowledged$|pending$|subscribed$"
)


def snapshot(agents: Sequence[Agent]) -> dict[str, float]:
    """All metrics of these agents, counters and gauges alike as numbers, by name."""
    return dict(sorted({**_of(agents), **_shared(agents), **_system()}.items()))


def _of(agents: Sequence[Agent]) -> dict[str, float]:
    """What is the agents' own."""
    values = dict.fromkeys(_NEVER, 0.0)
    _add_resources(values, agents)
    states = Counter(task.state for agent in agents for task in agent.tasks.book.tasks())
    for name, state in _LIVING.items():
        values[f"slave/{name}"] = float(states[state])
    ended: Counter[mesos.TaskState] = Counter()
    for agent in agents:
        ended.update(agent.tasks.ended)
    for name, state in _ENDED.items():
        values[f"slave/{name}"] = float(ended[state])
    _add_executors(values, agents)
    config = agents[0].config if agents else None
    values["slave/frameworks_active"] = float(sum(len(agent.tasks.book.frameworks) for agent in agents))
    values["slave/registered"] = float(bool(agents) and all(agent.registration.running for agent in agents))
    values["slave/uptime_secs"] = max((agent.uptime for agent in agents), default=0.0)
    values["slave/executor_directory_max_allowed_age_secs"] = config.gc_delay if config else 0.0
    values["slave/recovery_time_secs"] = max((agent.tally.recovery_seconds for agent in agents), default=0.0)
    values["slave/messages_refused"] = float(sum(agent.refused for agent in agents))
    values["slave/updates_unacknowledged"] = float(sum(len(agent.tasks.updates) for agent in agents))
    values["slave/sandbox_write_errors"] = float(sum(agent.sandboxes.write_errors for agent in agents))
    values["slave/valid_framework_messages"] = float(sum(agent.tally.messages for agent in agents))
    values["slave/invalid_framework_messages"] = float(sum(agent.tally.lost_messages for agent in agents))
    values["slave/valid_status_updates"] = float(sum(agent.tally.updates for agent in agents))
    return values


def _add_resources(values: dict[str, float], agents: Sequence[Agent]) -> None:
    for name in ("cpus", "mem", "disk", "gpus"):
        total = sum(scalar_of(agent.resources, name) for agent in agents)
        used = sum(scalar_of(used_resources(agent), name) for agent in agents)
        values[f"slave/{name}_total"] = total
        values[f"slave/{name}_used"] = used
        values[f"slave/{name}_percent"] = used / total if total else 0.0
        for what in ("total", "used", "percent"):
            values[f"slave/{name}_revocable_{what}"] = 0.0


def _add_executors(values: dict[str, float], agents: Sequence[Agent]) -> None:
    running: set[tuple[str, str, str]] = set()
    terminating: set[tuple[str, str, str]] = set()
    for agent in agents:
        for task in agent.tasks.book.tasks():
            if not task.terminal:
                group = running if task.kill is None else terminating
                group.add((agent.id, task.framework_id, task.executor_id))
    values["slave/executors_running"] = float(len(running))
    values["slave/executors_terminating"] = float(len(terminating - running))
    values["slave/executors_terminated"] = float(sum(agent.tally.executors_ended for agent in agents))
    values["slave/container_launch_errors"] = float(sum(agent.tally.launch_errors for agent in agents))


def _shared(agents: Sequence[Agent]) -> dict[str, float]:
    """What the agents of a gateway have in common."""
    if not agents:
        return {}
    fetcher, janitor = agents[0].fetcher, agents[0].janitor
    return {
        "containerizer/fetcher/cache_size_total_bytes": float(agents[0].config.cache_limit),
        "containerizer/fetcher/cache_size_used_bytes": float(fetcher.cached_bytes()),
        "containerizer/fetcher/task_fetches_failed": float(fetcher.failed),
        "containerizer/fetcher/task_fetches_succeeded": float(fetcher.succeeded),
        "gc/path_removals_failed": float(janitor.failed),
        "gc/path_removals_succeeded": float(janitor.removed),
    }


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


# -- the endpoints ---------------------------------------------------------------------------------------


def _asked(ask: Ask) -> list[Agent]:
    return [ask.agent] if ask.named else list(ask.agents.values())


async def snapshot_endpoint(ask: Ask) -> web.StreamResponse:
    """/metrics/snapshot; the answer is always complete within any `timeout`."""
    timeout = ask.request.query.get("timeout")
    if timeout is not None:
        try:
            seconds_of(timeout)
        except DurationError as error:
            return refuse(400, f"Invalid timeout '{timeout[:100]}': {error}.\n")
    return ask.json(snapshot(_asked(ask)))


async def system_endpoint(ask: Ask) -> web.StreamResponse:
    """/system/stats.json"""
    values = _system()
    return ask.json(
        {
            "avg_load_15min": values["system/load_15min"],
            "avg_load_1min": values["system/load_1min"],
            "avg_load_5min": values["system/load_5min"],
            "cpus_total": int(values["system/cpus_total"]),
            "mem_free_bytes": int(values["system/mem_free_bytes"]),
            "mem_total_bytes": int(values["system/mem_total_bytes"]),
        }
    )


async def prometheus_endpoint(ask: Ask) -> web.StreamResponse:
    """/metrics: the text format of Prometheus (exposition format 0.0.4), an agent a label."""
    if not ask.approves(Action.GET_ENDPOINT, "/metrics/snapshot"):
        return refuse(403)
    return ok(prometheus(_asked(ask)).encode(), "text/plain; version=0.0.4; charset=utf-8")


def prometheus(agents: Sequence[Agent]) -> str:
    """`slave/cpus_used` as mesos_slave_cpus_used{target="stm32f4",id="slave(1)"}; what the agents have in
    common, once and without labels."""
    of_each: dict[str, list[str]] = {}
    common: Mapping[str, float] = {**_shared(agents), **_system()}
    for agent in agents:
        labels = f'{{target="{_label(agent.target_name)}",id="{agent.id}"}}'
        for name, value in _of([agent]).items():
            of_each.setdefault(name, []).append(f"{_prometheus_name(name)}{labels} {value!r}")
    lines = []
    for name in sorted({*of_each, *common}):
        kind = "gauge" if _GAUGES.search(name) else "counter"
        lines.append(f"# TYPE {_prometheus_name(name)} {kind}")
        lines.extend(of_each.get(name, [f"{_prometheus_name(name)} {common.get(name, 0.0)!r}"]))
    return "\n".join((*lines, ""))


def _prometheus_name(name: str) -> str:
    return "mesos_" + re.sub(r"\W", "_", name)


def _label(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
