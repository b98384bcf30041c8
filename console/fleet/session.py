"""A session: a master (own or given), the gateway with its targets, and our framework, as one context.

`open_session` undoes a partial open; leaving it stops everything that it started. The command line and
the console use the same sessions.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.broadcast import Broadcast
from console.cluster.framework import Framework
from console.cluster.leader import shown
from console.cluster.tasks import active_targets
from console.cluster.trust import CA, by_tls
from console.errors import first_error
from console.fleet.opening import Member, Setup, TargetName
from console.state.events import FromTarget, Progressed, TargetDown, TargetUp

if TYPE_CHECKING:
    from agent.config import AgentConfig
    from agent.gateway import Gateway
    from emulation.master import Master

log = logging.getLogger(__name__)

MASTER = "master"
"""The subject of a step that concerns the master."""


_DEATHS = 3
_DEATHS_WITHIN = 60.0
"""So many ends of our own master within so many seconds are no accident."""

SessionEvent = Progressed | TargetUp | TargetDown | FromTarget

OnEvent = Callable[[SessionEvent], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a session is to be set up."""

    port: int = 0
    """Of its own master; 0 takes a free one."""
    framework: str = "mma"
    """The framework's name; empty for none."""
    hold: float = 60.0
    """Seconds that an unused offer is kept before it is declined."""
    unregister: bool = True
    """Agents take leave of the master at the end, so that it does not wait for them to come back."""
    agents: AgentConfig | None = None


def agents_config(master: str) -> AgentConfig | None:
    """The agents' settings where nobody gave any: at a master with TLS they speak it too, as LIBPROCESS_SSL_…
    say. ConfigError where these do not name a key and a certificate."""
    if not by_tls(master, os.environ):
        return None
    from agent.flags import Given, configure, from_environment

    told = {name: value for name, value in from_environment(os.environ).items() if name.startswith("ssl_")}
    if os.environ.get(CA):
        told.setdefault("ssl_ca_file", Given(os.environ[CA], CA))
    return configure({**told, "ssl_enabled": Given("true", master)})


class Session:
    """What runs. Made by open_session."""

    def __init__(self, on_event: OnEvent | None) -> None:
        self._broadcast: Broadcast[SessionEvent] = Broadcast()
        self._on_event = on_event
        self._members: dict[str, Member] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._framework: Framework | None = None
        self._gateway: Gateway | None = None
        self._all_ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._master: Master | None = None
        self.address = ""
        """The master's HOST:PORT."""

    @property
    def framework(self) -> Framework:
        """Our framework, subscribed."""
        assert self._framework is not None
        return self._framework

    @property
    def members(self) -> Mapping[str, Member]:
        """The open targets by name."""
        return self._members

    def ping_limit(self, target: str) -> float:
        """Seconds without an answer after which the master gives a target's agent up, by its own flags."""
        agent = self._gateway.agents.get(target) if self._gateway is not None else None
        return agent.registration.ping_timeout if agent is not None else 75.0

    def gives_up(self, target: str) -> float:
        """Seconds without its board after which the master gives an agent up; 0 for never, as the gateway
        answers for it all the while."""
        agent = self._gateway.agents.get(target) if self._gateway is not None else None
        silent_after = agent.registration.device_timeout if agent is not None else 0.0
        return silent_after + self.ping_limit(target) if silent_after else 0.0

    def listen(self) -> AbstractAsyncContextManager[asyncio.Queue[SessionEvent]]:
        """Every event from here on."""
        return self._broadcast.listen()

    def tell(self, subject: str, text: str, *, failed: bool = False) -> None:
        """Post a step."""
        self._post(Progressed(subject, text, failed))

    async def add(
        self, name: TargetName, setup: Setup | None = None, config: AgentConfig | None = None
    ) -> Member:
        """Open a target and put it behind the master; `config` where the agent has settings of its own.
        HalError or EmulationError when that fails, ConfigError when the settings do not suit it."""
        member = Member(name, setup)
        try:
            await member.open(lambda text: self.tell(name.text, text))
            self._members[name.text] = member
            self._watchers[name.text] = asyncio.create_task(self._watch(member), name=f"watch {name.text}")
            await asyncio.sleep(0)  # the watcher listens before the first executor can run
            assert self._gateway is not None
            self.tell(name.text, "registering")
            await self._gateway.add(member.target, config)
        except BaseException as error:
            self.tell(name.text, str(error), failed=True)
            await self._drop(member)
            raise
        self._post(TargetUp(name.text, member.target.describe()))
        return member

    async def reconfigure(self, name: str, config: AgentConfig) -> None:
        """Give a target's agent other settings: it comes back to the master with its id, and its executors
        run on. ConfigError when they do not suit it; then it has no agent. Unknown names are ignored."""
        member = self._members.get(name)
        if member is not None:
            assert self._gateway is not None
            await self._gateway.remove(name, unregister=False)
            self.tell(name, "registering with other settings")
            await self._gateway.add(member.target, config)

    def reload_tls(self) -> None:
        """Read the agents' key and certificates anew. ConfigError changes nothing."""
        assert self._gateway is not None
        self._gateway.reload_tls()

    async def remove(self, name: str) -> None:
        """Take a target away from the master and stop its machine. Unknown names are ignored."""
        member = self._members.get(name)
        if member is None:
            return
        assert self._gateway is not None
        with contextlib.suppress(KeyError):
            await self._gateway.remove(name)
        await self._drop(member)
        self._post(TargetDown(name))

    async def _drop(self, member: Member) -> None:
        name = member.name.text
        self._members.pop(name, None)
        watcher = self._watchers.pop(name, None)
        if watcher is not None:
            watcher.cancel()
            await asyncio.wait([watcher])
        await member.close()

    async def _watch(self, member: Member) -> None:
        async for event in member.target.events():
            self._post(FromTarget(member.name.text, event))

    async def agents_ended(self) -> str:
        """Wait until the last agent has ended without being asked to: shut down by the master, refused
        because of its records, or cleaned up. Gives why."""
        return await asyncio.shield(self._all_ended)

    async def _watch_agents(self, gateway: Gateway) -> None:
        from agent import events

        async for event in gateway.events():
            if isinstance(event, events.Registered):
                verb = "registered again" if event.again else "registered"
                self.tell(event.target, f"{verb} at {event.master} as agent {event.agent_id}")
            elif isinstance(event, events.Disconnected):
                self.tell(event.target, f"the agent lost its master: {event.reason}")
            elif isinstance(event, events.Stopped):
                self.tell(event.target, f"the agent ended: {event.reason}")
                asked = event.reason in ("stopped", "unregistered")
                if not asked and not gateway.agents and not self._all_ended.done():
                    self._all_ended.set_result(event.reason)

    def _post(self, event: SessionEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)
        self._broadcast.post(event)

    # -- opening and closing, for open_session

    async def _open(self, stack: AsyncExitStack, master: str | None, plan: Plan, *, serves: bool) -> None:
        """`serves`: there will be agents."""
        if master is None:
            master = await self._start_master(stack, plan.port)
        self.address = master
        # Left in the opposite order: the framework's tasks are killed while agents can still say so.
        stack.push_async_callback(self._close_members)
        from agent.gateway import Gateway

        config = plan.agents or (agents_config(master) if serves else None)
        address = master.partition("://")[2] if "://" in master and not master.startswith("zk:") else master
        self._gateway = await stack.enter_async_context(Gateway(address, config=config))
        stack.push_async_callback(self._gateway.close, unregister=plan.unregister)
        watch = asyncio.create_task(self._watch_agents(self._gateway), name="watch agents")
        stack.callback(watch.cancel)
        if plan.framework:
            framework = Framework(master, hold=plan.hold, name=plan.framework)
            self._framework = await stack.enter_async_context(framework)
            await framework.ready()
            self.tell(MASTER, f"subscribed at {framework.url} as {framework.id}")

    async def _start_master(self, stack: AsyncExitStack, port: int) -> str:
        from emulation.master import Master

        self.tell(MASTER, "starting the genuine Mesos master")
        self._master = await stack.enter_async_context(Master(port=port, progress=self._download_teller()))
        watch = asyncio.create_task(self._keep_master(self._master), name="keep master")
        stack.push_async_callback(_end, watch)
        return self._master.address

    async def _keep_master(self, master: Master) -> None:
        """Start our own master again when it ends; agents with their tasks and our framework find it."""
        from emulation.errors import EmulationError

        deaths: deque[float] = deque(maxlen=_DEATHS)
        while True:
            how = await master.wait_died()
            deaths.append(time.monotonic())
            if len(deaths) == _DEATHS and deaths[-1] - deaths[0] < _DEATHS_WITHIN:
                again = f"It ended {_DEATHS} times within {_DEATHS_WITHIN:g} s and is left so"
                self.tell(MASTER, f"{how} {again}: leave, and start anew.", failed=True)
                return
            self.tell(MASTER, f"{how} It is started again; tasks live on.")
            try:
                await master.restart()
            except EmulationError as error:
                self.tell(MASTER, f"{how} It cannot be started again: {error}", failed=True)
                return
            self.tell(MASTER, f"the master leads again at {master.address}")

    def _download_teller(self) -> Callable[[int, int], None]:
        """Tells each tenth of the master's download; called from the thread that downloads."""
        loop, told = asyncio.get_running_loop(), -1

        def tell(done: int, total: int) -> None:
            nonlocal told
            tenth = done * 10 // total if total else -1
            if tenth > told:
                told = tenth
                text = f"downloading Apache Mesos 1.11.0, once: {tenth * 10} % of {total / 1e6:.0f} MB"
                loop.call_soon_threadsafe(self.tell, MASTER, text)

        return tell

    async def _close_members(self) -> None:
        await asyncio.gather(*(self._drop(member) for member in list(self._members.values())))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def open_session(
    targets: Iterable[TargetName],
    *,
    master: str | None = None,
    plan: Plan | None = None,
    strict: bool = True,
    on_event: OnEvent | None = None,
) -> AsyncIterator[Session]:
    """Start what is needed: a master unless one is given, the gateway, and every target.

    A target that the given master has an agent for already is left to that agent. Targets come up side by
    side. The first that fails ends the session, unless `strict` is false: then it is told as a failed
    Progressed and the others live on. `on_event` hears everything from the very start.
    """
    session = Session(on_event)
    async with AsyncExitStack() as stack:
        targets = tuple(targets)
        present = await active_targets(master) if master and targets else frozenset()
        serves = not targets or any(target.text not in present for target in targets)
        await session._open(stack, master, plan or Plan(), serves=serves)
        starts = []
        for target in targets:
            if target.text in present:
                session.tell(target.text, f"is an agent of {shown(master or '')} already")
            else:
                starts.append(asyncio.create_task(session.add(target), name=f"start {target.text}"))
        try:
            outcomes = await asyncio.gather(*starts, return_exceptions=not strict)
        except BaseException:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            raise
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
                raise first_error(outcome)
        yield session
