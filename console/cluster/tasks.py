"""What a master and its agents tell of tasks over HTTP: for `mma ps`, `mma logs`, and to find agents again.

Sources: docs/endpoints of Apache Mesos 1.11: master/state, master/slaves, the agents' state and files/read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp

from console.cluster.frameworks import FrameworkFacts, frameworks_from_json, resources_from_state
from console.cluster.leader import leader_url
from console.cluster.mesos import Offer, OfferState, Resources
from console.cluster.scheduler import Unreachable
from console.cluster.trust import TRUST, certificate_trouble, http_session
from console.errors import ConsoleError, UsageError
from console.fit.why import Holder

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_PIECE = 1 << 16
_POLL = 0.3


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as the master has it. `mem` in MB of 2**20 bytes; `seconds` since its first status."""

    id: str
    state: str
    framework: str
    target: str
    cpus: float
    mem: float
    seconds: float
    message: str


async def active_targets(master: str) -> frozenset[str]:
    """The `target` attributes of a master's active agents. Unreachable when it does not answer."""
    async with http_session(master, timeout=_TIMEOUT) as http:
        found = await get_json(http, f"{await leader_url(master)}/master/slaves")
    agents = (agent for agent in found.get("slaves", ()) if agent.get("active"))
    names = (agent.get("attributes", {}).get("target") for agent in agents)
    return frozenset(name for name in names if isinstance(name, str))


async def frameworks(master: str) -> tuple[FrameworkFacts, ...]:
    """Every framework that is subscribed, or may come back. Unreachable, or ConsoleError where we may not."""
    async with http_session(master, timeout=_TIMEOUT) as http:
        return frameworks_from_json(await get_json(http, f"{await leader_url(master)}/master/frameworks"))


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """An agent: all that it has, given away or not, and what living tasks hold of it."""

    whole: Resources
    holders: tuple[Holder, ...]
    attributes: Mapping[str, str]
    hostname: str


async def agents(master: str) -> dict[str, AgentFacts]:
    """Every active agent by its id."""
    async with http_session(master, timeout=_TIMEOUT) as http:
        state = await get_json(http, f"{await leader_url(master)}/master/state")
    held: dict[str, list[Holder]] = {}
    for _, task in _tasks(state, False):
        holder = Holder(task["id"], resources_from_state(task.get("resources", {})))
        held.setdefault(task["slave_id"], []).append(holder)
    return {
        agent["id"]: AgentFacts(
            resources_from_state(agent.get("resources", {})),
            tuple(held.get(agent["id"], ())),
            {name: str(value) for name, value in agent.get("attributes", {}).items()},
            agent.get("hostname", ""),
        )
        for agent in state.get("slaves", ())
        if agent.get("active")
    }


async def held_offers(master: str, but: str) -> list[Offer]:
    """Open offers of all frameworks but the one with the id `but`; their age is not known."""
    known = await agents(master)
    now = time.time()
    return [
        Offer(
            one.id,
            one.agent_id,
            known[one.agent_id].hostname,
            one.role,
            one.resources,
            known[one.agent_id].attributes,
            now,
            OfferState.HELD,
            note=f"held by {framework.name}",
        )
        for framework in await frameworks(master)
        for one in framework.offers
        if framework.id != but and one.agent_id in known
    ]


async def tasks(master: str, *, ended: bool = False) -> list[TaskRow]:
    """Every framework's tasks, the newest first; those that have ended too if so wished."""
    async with http_session(master, timeout=_TIMEOUT) as http:
        state = await get_json(http, f"{await leader_url(master)}/master/state")
    agents = {agent["id"]: agent for agent in state.get("slaves", ())}
    rows = [_row(framework, task, agents) for framework, task in _tasks(state, ended)]
    return sorted(rows, key=lambda row: row.seconds)


async def log(
    master: str, task_id: str, *, file: str = "stdout", follow: bool = False
) -> AsyncIterator[bytes]:
    """A task's sandbox file from its beginning, in pieces; with `follow` until the task has ended.

    UsageError for a task that nobody has, ConsoleError where its agent does not give the file.
    """
    async with http_session(master, timeout=_TIMEOUT) as http:
        base = f"{await leader_url(master)}/master/state"
        place = await _sandbox(http, await get_json(http, base), task_id, scheme_of(base))
        offset = 0
        while True:
            over = follow and not _living(await get_json(http, base), task_id)
            while True:
                asked = {"path": f"{place.directory}/{file}", "offset": str(offset), "length": str(_PIECE)}
                found = await get_json(http, f"{place.url}/files/read", asked)
                data = str(found.get("data", "")).encode("utf-8", "surrogateescape")
                if not data:
                    break
                offset += len(data)
                yield data
            if not follow or over:
                return
            await asyncio.sleep(_POLL)


def _tasks(state: Mapping[str, Any], ended: bool) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    frameworks = [*state.get("frameworks", ()), *(state.get("completed_frameworks", ()) if ended else ())]
    for framework in frameworks:
        for task in (*framework.get("tasks", ()), *(framework.get("completed_tasks", ()) if ended else ())):
            yield framework, task


def _row(
    framework: Mapping[str, Any], task: Mapping[str, Any], agents: Mapping[str, Mapping[str, Any]]
) -> TaskRow:
    statuses = task.get("statuses", ())
    agent = agents.get(task["slave_id"], {})
    resources = task.get("resources", {})
    return TaskRow(
        id=task["id"],
        state=task["state"],
        framework=framework.get("name", ""),
        target=agent.get("attributes", {}).get("target") or agent.get("hostname", task["slave_id"]),
        cpus=resources.get("cpus", 0.0),
        mem=resources.get("mem", 0.0),
        seconds=time.time() - statuses[0]["timestamp"] if statuses else 0.0,
        message=statuses[-1].get("message", "") if statuses else "",
    )


def _find(state: Mapping[str, Any], task_id: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    found = [pair for pair in _tasks(state, True) if pair[1]["id"] == task_id]
    if not found:
        raise UsageError(f"The master has no task {task_id}.", remedy="`mma ps --all` lists them.")
    return found[-1]


def _living(state: Mapping[str, Any], task_id: str) -> bool:
    return any(task["id"] == task_id for _, task in _tasks(state, False))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task runs or ran: base URL of the agent's port, the agent's name there, the sandbox's path."""

    url: str
    actor: str
    directory: str
    tasks: tuple[str, ...] = ()
    """Those that its executor still has."""


def scheme_of(leader: str) -> str:
    """Agents speak TLS where their master does, as the web UI takes it, too."""
    return leader.partition("://")[0]


async def place_of(http: aiohttp.ClientSession, master: str, task_id: str) -> Place:
    """UsageError for a task that nobody has, ConsoleError where its agent knows it no more."""
    leader = await leader_url(master)
    return await _sandbox(http, await get_json(http, f"{leader}/master/state"), task_id, scheme_of(leader))


async def _sandbox(http: aiohttp.ClientSession, state: Mapping[str, Any], task_id: str, scheme: str) -> Place:
    framework, task = _find(state, task_id)
    agent = next((one for one in state.get("slaves", ()) if one["id"] == task["slave_id"]), None)
    if agent is None:
        raise ConsoleError(f"The agent that ran {task_id} is gone, and its log with it.")
    actor, _, address = agent["pid"].partition("@")
    url = f"{scheme}://{address}"
    told = await get_json(http, f"{url}/{actor}/state")
    for one in (*told.get("frameworks", ()), *told.get("completed_frameworks", ())):
        if one["id"] != framework["id"]:
            continue
        for executor in (*one.get("executors", ()), *one.get("completed_executors", ())):
            held = (*executor.get("tasks", ()), *executor.get("queued_tasks", ()))
            if any(each["id"] == task_id for each in (*held, *executor.get("completed_tasks", ()))):
                return Place(url, actor, executor["directory"], tuple(each["id"] for each in held))
    raise ConsoleError(f"The agent of {task_id} has no sandbox of it any more.")


_T = TypeVar("_T", dict[str, Any], list[Any])


async def get_json(
    http: aiohttp.ClientSession,
    url: str,
    query: Mapping[str, str] | None = None,
    *,
    kind: type[_T] = dict,  # type: ignore[assignment]  # a default of a type variable
) -> _T:
    """What an endpoint of a master or an agent answers. Unreachable, or ConsoleError where it says no."""
    async with _answered(url, http.get(url, params=query)) as found:
        if not isinstance(found, kind):
            raise ConsoleError(f"{url} answers what makes no sense.")
        return found


async def post_json(http: aiohttp.ClientSession, url: str, call: Mapping[str, Any]) -> dict[str, Any]:
    """What an operator API answers to a call, if anything. Errors as get_json()."""
    headers = {"Accept": "application/json"}
    async with _answered(url, http.post(url, json=call, headers=headers)) as found:
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise ConsoleError(f"{url} answers what makes no sense.")
        return found


@asynccontextmanager
async def _answered(
    url: str, request: AbstractAsyncContextManager[aiohttp.ClientResponse]
) -> AsyncIterator[object]:
    try:
        async with request as reply:
            if reply.status in (401, 403):
                raise ConsoleError(f"{url} wants credentials, which `mma` has none of here.")
            if reply.status == 404:
                raise ConsoleError(f"{url} has no such thing.")
            reply.raise_for_status()
            found = await reply.json(content_type=None)
    except (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError) as error:
        of_master = "/master/" in url
        remedy = "Is it running? `mma master` starts one." if of_master else ""
        what = "Mesos master" if of_master else "agent"
        if why := certificate_trouble(error):
            raise ConsoleError(f"The {what} at {url} is not trusted: {why}.", remedy=TRUST) from error
        raise Unreachable(f"No {what} answers at {url}.", remedy=remedy) from error
    yield found
