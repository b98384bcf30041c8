"""Many agents in one process: one for each target, added and removed while it runs."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType, TracebackType

from agent.config import AgentConfig
from agent.core import Agent, Surroundings
from agent.detector import Detector, detector_of, local_ip
from agent.errors import AgentError, ConfigError
from agent.events import EventHub, EventStream, Stopped
from agent.fetcher import Fetcher
from agent.guard import Sealed
from agent.http.access import Access
from agent.http.router import Router
from agent.http.verbosity import Verbosity
from agent.identity import records_name
from agent.janitor import Janitor
from agent.shelf import Shelf
from agent.store import Store
from agent.tls import tls_of
from agent.wire.port import Actor, Port
from agent.wire.upid import Peer, Upid
from hal.target import Target

log = logging.getLogger(__name__)

STORE_NAME = "agents.sqlite"
CACHE_NAME = "modules"
DETECTION_RETRY = 5.0
"""Seconds until masters are looked for again after that failed."""


@dataclass(slots=True)
class _Berth:
    """A listening port and the numbers given out behind it. A number is never given again: a master that
    still knows its last owner would take the next one for it."""

    port: Port
    agents: dict[str, Agent] = field(default_factory=dict)
    """By process id."""
    next_number: int = 1


@dataclass(frozen=True, slots=True)
class Seat:
    """An agent's endpoint: its process id behind a port."""

    port: Port
    id: str
    neighbours: Mapping[str, Agent]
    """All agents of the gateway."""

    @property
    def crowd(self) -> int:
        """How many agents share the gateway."""
        return len(self.neighbours)

    @property
    def upid(self) -> Upid:
        """The agent's libprocess name."""
        return Upid(self.id, *self.port.advertised)

    def send(self, to: Upid, message: Sealed) -> None:
        """Fire and forget."""
        self.port.send(self.id, to, message)

    def join(self, actor: Actor) -> None:
        """Let a process of the agent's listen beside it."""
        self.port.add(actor)

    def leave(self, actor: Actor) -> None:
        """No longer."""
        self.port.remove(actor)

    def send_as(self, sender: str, to: Upid, message: Sealed) -> None:
        """Send from such a process."""
        self.port.send(sender, to, message)


class Gateway:
    """Hosts the agents of open targets, all with one master.

        async with Gateway("127.0.0.1:5050", [target], AgentConfig()) as gateway:
            async for event in gateway.events(): ...

    Leaving it is a plain stop: the master waits for the agents to come back, and executors on devices
    live on. close(unregister=True) takes leave of the master instead. Targets are opened and closed by
    whoever made them.
    """

    def __init__(
        self,
        master: str | Detector,
        targets: Iterable[Target] = (),
        config: AgentConfig | None = None,
    ) -> None:
        self.config = config or AgentConfig()
        self._tls = tls_of(self.config.tls)
        self._detector = (
            detector_of(master, self.config.zk_session_timeout, self._tls)
            if isinstance(master, str)
            else master
        )
        self._targets = list(targets)
        self._stack = AsyncExitStack()
        self._hub = EventHub()
        self._agents: dict[str, Agent] = {}
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._berths: list[_Berth] = []
        self._records: set[str] = set()
        """Names of those in use."""
        self._master: Upid | None = None
        self._ip = ""
        self._closed = False
        self._adding = asyncio.Lock()
        self._verbosity = Verbosity("agent", "hal")
        self._access = Access(self.config)

    # -- life ---------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Gateway:
        try:
            await self._open()
            for target in self._targets:
                await self.add(target)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _open(self) -> None:
        self._stack.callback(self._hub.close)
        self._stack.callback(self._verbosity.close)
        there = await self._detector.reach()
        self._ip = self.config.ip or local_ip(there)
        folder = self.config.work_dir
        if folder is None:
            holder = tempfile.TemporaryDirectory(prefix="mma-agent-")
            self._stack.callback(holder.cleanup)
            self._files = Path(holder.name)
        else:
            self._files = folder
        self._store = Store(folder / STORE_NAME if folder else None, strict=self.config.strict)
        self._stack.push_async_callback(self._store.close)
        await self._store.open()
        self._fetcher = Fetcher(self._files / CACHE_NAME, self.config)
        self._stack.push_async_callback(self._fetcher.close)
        self._stack.push_async_callback(self._close_ports)
        self._janitor = Janitor(self._files, self.config, self._living_sandboxes)
        self._around = Surroundings(
            *(self.config, self._fetcher, self._hub.publish, self._hostname),
            sandboxes=Path(os.path.realpath(self._files)),  # noqa: ASYNC240 - once, before there are agents
            janitor=self._janitor,
        )
        for work, name in ((self._watch_masters(), "master detection"), (self._janitor.run(), "janitor")):
            task = asyncio.create_task(work, name=name)
            self._stack.callback(task.cancel)

    async def close(self, *, unregister: bool = False) -> None:
        """Stop all agents, send what waits, write what is to be kept. Idempotent."""
        if self._closed:
            return
        self._closed = True
        for agent in list(self._agents.values()):
            agent.stop(unregister=unregister)
        lives = list(self._lives.values())
        if lives:
            await asyncio.wait(lives)
        await self._stack.aclose()

    async def _close_ports(self) -> None:
        await asyncio.gather(*(berth.port.close() for berth in self._berths))

    def _living_sandboxes(self) -> frozenset[Path]:
        agents = self._agents.values()
        return frozenset(
            agent.sandboxes.directory(task) for agent in agents for task in agent.tasks.book.tasks()
        )

    async def _watch_masters(self) -> None:
        while True:
            try:
                async for master in self._detector.masters():
                    log.info("the leading master is %s", master or "none")
                    self._master = master
                    for agent in list(self._agents.values()):
                        agent.detected(master)
            except ConfigError as error:
                log.error("%s", error)
            except Exception:
                log.exception("the detection of masters failed")
            await asyncio.sleep(DETECTION_RETRY)

    # -- agents -------------------------------------------------------------------------------------------

    @property
    def agents(self) -> Mapping[str, Agent]:
        """The agents by their targets' names."""
        return MappingProxyType(self._agents)

    @property
    def _hostname(self) -> str:
        return self.config.hostname or self.config.advertise_ip or self._ip

    @property
    def addresses(self) -> list[Peer]:
        """Every ip:port that agents listen on."""
        return [berth.port.address for berth in self._berths]

    def reload_tls(self) -> None:
        """Read key and certificates anew, for connections to come. ConfigError leaves all as it was."""
        if self._tls is not None:
            self._tls.reload()

    def events(self) -> EventStream:
        """All that the agents tell, from this call on; each caller has its own complete stream."""
        return self._hub.subscribe()

    async def add(self, target: Target, config: AgentConfig | None = None) -> Agent:
        """An agent for an open target; `config` where its attributes, resources or role are its own.
        ConfigError when its name is taken or it has not what is to be offered; PortError without a port."""
        async with self._adding:
            if self._closed:
                raise ConfigError("The gateway is closed.", remedy="Open a new one.")
            name = target.name
            if name in self._agents:
                raise ConfigError(
                    f"There is an agent for {name} already.", remedy="Give each target its own name."
                )
            berth = await self._berth()
            seat = Seat(berth.port, f"slave({berth.next_number})", self._agents)
            berth.next_number += 1
            around = replace(self._around, config=config) if config else self._around
            identity = target.describe().identity
            records = await records_name(self._store, name, identity, self._records)
            agent = Agent(target, seat, Shelf(self._store, records, identity), around)
            self._records.add(records)
            berth.port.add(agent)
            berth.agents[agent.id] = self._agents[name] = agent
            self._lives[name] = asyncio.create_task(self._live(name, agent, berth), name=f"agent of {name}")
            return agent

    async def remove(self, name: str, *, unregister: bool = True) -> None:
        """End the agent of one target: for good, or (unregister=False) until it is added again. Unknown
        names are ignored."""
        agent, life = self._agents.get(name), self._lives.get(name)
        if agent is not None and life is not None:
            agent.stop(unregister=unregister)
            await asyncio.wait([life])

    async def _live(self, name: str, agent: Agent, berth: _Berth) -> None:
        reason = "stopped"
        try:
            if self._master is not None:
                agent.detected(self._master)
            reason = await agent.run()
        except AgentError as error:
            log.error("the agent of %s ended: %s", name, error)
            reason = str(error)
        except Exception as error:
            # One agent's failure is not the others'.
            log.exception("the agent of %s failed", name)
            reason = f"failed: {error}"
        finally:
            berth.port.remove(agent)
            del self._agents[name], self._lives[name], berth.agents[agent.id]
            self._records.discard(agent.records)
            self._hub.publish(Stopped(name, reason))

    async def _berth(self) -> _Berth:
        """A port with room for one more agent."""
        for berth in self._berths:
            if len(berth.agents) < self.config.agents_per_port:
                return berth
        agents: dict[str, Agent] = {}
        wanted = self.config.port + len(self._berths) if self.config.port else 0
        barrier = self._store.durable if self.config.work_dir else None
        router = Router(lambda: agents, gate=self._access, verbosity=self._verbosity)
        told = self.config.advertise_port
        port = Port(
            *(self._ip, wanted, router.handle, barrier),
            honest=self.config.require_peer_address_ip_match,
            tls=self._tls,
            advertise_ip=self.config.advertise_ip,
            advertise_port=told + len(self._berths) if told else None,
        )
        await port.open()
        berth = _Berth(port, agents)
        self._berths.append(berth)
        return berth
