"""An agent's standing with its master: registration with back-off, pings, re-registration.

As Slave::detected, doReliableRegistration, registered, reregistered, ping and pingTimeout in
src/slave/slave.cpp, with one thing more: a broken connection to the master counts as a reason to
re-register at once, so that a restarted master has its agents back within seconds, not after the ping
timeout of 75 s.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from google.protobuf.message import Message

from agent.authentication import Authentication, Place
from agent.config import MESOS_VERSION, AgentConfig
from agent.facts import CAPABILITIES
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.wire.upid import Peer, Upid

log = logging.getLogger(__name__)

DEFAULT_PING_TIMEOUT = 75.0
"""Seconds without a ping after which the master is looked for again; masters tell their own."""
UNREACHABLE_RETRY = 2.0
"""Seconds at most between attempts while the master cannot be connected to: they burden nobody."""

CROWD_RATE = 1500.0
"""Registrations a second at most, on average, of all agents of a gateway together."""
LINK_DOUBT = 0.2
"""Seconds in which the end of both links is one event: the master's death."""


class Standing(Enum):
    """Slave::state."""

    DISCONNECTED = "disconnected"
    RUNNING = "running"
    TERMINATING = "terminating"


class Registrant(Protocol):
    """The agent, as registration needs it."""

    def send(self, to: Upid, message: Message) -> bool:
        """Send; False when the guard refused."""
        ...

    def slave_info(self) -> mesos.SlaveInfo:
        """The agent, with its id once it has one."""
        ...

    def checkpointed(self) -> Sequence[mesos.Resource]:
        """Dynamic reservations."""
        ...

    @property
    def resource_version(self) -> mesos.UUID:
        """Of the agent's resources, in this life of it."""
        ...

    def fill_reregistration(self, message: internal.ReregisterSlaveMessage) -> None:
        """Add tasks, executors and frameworks."""
        ...

    def registered(self, agent_id: str, again: bool) -> None:
        """The master has us."""
        ...

    def reconcile(self, unknown: Sequence[internal.ReconcileTasksMessage]) -> None:
        """The master asks for tasks that it may know and we may not."""
        ...

    def forsaken(self) -> None:
        """The master has seen its link to us break, while we thought that all was well."""
        ...

    def disconnected(self, reason: str) -> None:
        """The master may not have us."""
        ...

    def unauthenticated(self, reason: str) -> None:
        """The master does not believe that we are who we say."""
        ...


class Registration:
    """The state machine. All calls from one event loop; close() stops its timers."""

    def __init__(self, agent: Registrant, config: AgentConfig, place: Place) -> None:
        self._agent = agent
        self._config = config
        self._authentication = (
            None
            if config.credential is None
            else Authentication(place, config, self._register, self._agent.unauthenticated)
        )
        self._retry: asyncio.TimerHandle | None = None
        self._place = place
        self._backoff = config.registration_backoff
        self._ping_timer: asyncio.TimerHandle | None = None
        self.ping_timeout = DEFAULT_PING_TIMEOUT
        """Seconds without a ping after which either side gives the other up, as the master told."""
        self._last_ping = 0.0
        self._silent_from = math.inf
        """Loop time; the device is away by then."""
        self._missed = False
        """The master was not answered for that."""
        self.master: Upid | None = None
        self.standing = Standing.DISCONNECTED
        self.agent_id = ""

    @property
    def running(self) -> bool:
        """Registered and connected, as far as we know."""
        return self.standing is Standing.RUNNING

    def detected(self, master: Upid | None) -> None:
        """There is a (new) leading master, or none."""
        first = self.master is None
        self.master = master
        if master is None:
            self._disconnect("there is no leading master")
            self._stop_retry()
            if self._authentication is not None:
                self._authentication.reset()
        elif first and self.standing is Standing.DISCONNECTED:
            # Nothing to be gentle about: only the agents of this gateway register now.
            self._begin(0.0)
        else:
            self._again(f"{master} leads now")

    def link_lost(self, peer: Peer) -> None:
        """The connection to `peer` broke or could not be opened."""
        if self.master is None or peer != self.master.peer or self.standing is Standing.TERMINATING:
            return
        if self.running:
            self._again("the connection to the master broke")
        else:
            self._begin(random.uniform(0, min(UNREACHABLE_RETRY, 2 * self._factor)))

    def peer_left(self, peer: Peer) -> None:
        """The master's link to our port ended. If ours to it ends too, it died, and link_lost() sees to
        that; if not, the network cut the link, and the master holds us for disconnected from now on. Its
        next ping would say so, but only within 15 s."""
        if self.master is not None and peer == self.master.peer and self.running:
            self._stop_retry()
            self._retry = asyncio.get_running_loop().call_later(LINK_DOUBT, self._forsaken)

    def _forsaken(self) -> None:
        self._retry = None
        if self.running:
            self._agent.forsaken()
            self._again("the master's link to us broke")

    def on_registered(self, message: internal.SlaveRegisteredMessage) -> bool:
        """SlaveRegisteredMessage of our master; False when it names another agent than ours."""
        if self.agent_id and self.agent_id != message.slave_id.value:
            return False
        self._on_any_registered(message.slave_id.value, message.connection, (), again=False)
        return True

    def on_reregistered(self, message: internal.SlaveReregisteredMessage) -> bool:
        """SlaveReregisteredMessage of our master; False when it names another agent than ours."""
        if self.agent_id != message.slave_id.value:
            return False
        self._on_any_registered(
            message.slave_id.value, message.connection, message.reconciliations, again=True
        )
        return True

    def again(self, reason: str) -> None:
        """Register once more: the master is to learn what has changed."""
        if self.running:
            self._stop_retry()
            self._again(reason)

    def on_ping(self, sender: Upid, connected: bool) -> None:
        """PingSlaveMessage, from a slave-observer(N) of the master: answered in any state."""
        self._last_ping = asyncio.get_running_loop().time()
        if not self._silent:
            self._agent.send(sender, internal.PongSlaveMessage())
        if not connected and self.running:
            self._stop_retry()
            self._agent.forsaken()
            self._again("the master holds us for disconnected")

    @property
    def device_timeout(self) -> float:
        """Seconds for which we speak for a device that is away; 0 for as long as we live."""
        return self._config.device_timeout

    def device(self, *, up: bool) -> None:
        """The device can be reached, or not. After `device_timeout` without it the agent is as silent as a
        machine without power, and the master's own time-out begins; when it is back it registers again."""
        timeout = self._config.device_timeout
        if not up:
            self._silent_from = asyncio.get_running_loop().time() + timeout if timeout else math.inf
            return
        self._silent_from = math.inf
        if self._missed:
            self._missed = False
            self._disconnect("the device was away")
            if self.standing is Standing.DISCONNECTED and self.master is not None:
                self._begin(0.0)

    @property
    def _silent(self) -> bool:
        silent = asyncio.get_running_loop().time() >= self._silent_from
        self._missed |= silent
        return silent

    def terminate(self) -> None:
        """The agent shuts down: no more registrations."""
        self.standing = Standing.TERMINATING
        self.close()

    def close(self) -> None:
        """Stop all timers. Idempotent."""
        self._stop_retry()
        if self._authentication is not None:
            self._authentication.reset()
        if self._ping_timer is not None:
            self._ping_timer.cancel()
            self._ping_timer = None

    # -- inside -----------------------------------------------------------------------------------------

    def _again(self, reason: str) -> None:
        """Register again, at a random moment so that a fleet does not come all at once."""
        if self.standing is Standing.TERMINATING:
            return
        self._disconnect(reason)
        self._begin(random.uniform(0, self._factor))

    def _disconnect(self, reason: str) -> None:
        if self.running:
            self.standing = Standing.DISCONNECTED
            self._agent.disconnected(reason)

    def _begin(self, delay: float) -> None:
        if self._authentication is not None:
            self._authentication.reset()  # the master forgets it with its link to us
        self._backoff = 2 * self._factor
        self._schedule(delay)

    @property
    def _factor(self) -> float:
        """Seconds. A crowd takes its time: a master that is asked again by those whom it has not come to
        yet falls further behind."""
        return max(self._config.registration_backoff, self._place.crowd / CROWD_RATE)

    def _schedule(self, delay: float) -> None:
        self._stop_retry()
        self._retry = asyncio.get_running_loop().call_later(delay, self._register)

    def _stop_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _register(self) -> None:
        self._retry = None
        if self.standing is not Standing.DISCONNECTED or self.master is None or self._silent:
            return
        if self._authentication is not None and not self._authentication.valid:
            # Registrations of the unauthenticated are dropped without a word.
            return self._authentication.begin(self.master)
        self._agent.send(self.master, self._reregister() if self.agent_id else self._first())
        self._backoff = min(self._backoff, self._config.registration_retry_max)
        self._schedule(random.uniform(0, self._backoff))
        self._backoff *= 2

    def _first(self) -> internal.RegisterSlaveMessage:
        message = internal.RegisterSlaveMessage(slave=self._agent.slave_info(), version=MESOS_VERSION)
        for capability in CAPABILITIES:
            message.agent_capabilities.add(type=capability)
        message.checkpointed_resources.extend(self._agent.checkpointed())
        message.resource_version_uuid.CopyFrom(self._agent.resource_version)
        return message

    def _reregister(self) -> internal.ReregisterSlaveMessage:
        message = internal.ReregisterSlaveMessage(slave=self._agent.slave_info(), version=MESOS_VERSION)
        for capability in CAPABILITIES:
            message.agent_capabilities.add(type=capability)
        message.checkpointed_resources.extend(self._agent.checkpointed())
        message.resource_version_uuid.CopyFrom(self._agent.resource_version)
        self._agent.fill_reregistration(message)
        return message

    def _on_any_registered(
        self,
        agent_id: str,
        connection: internal.MasterSlaveConnection,
        reconcile: Sequence[internal.ReconcileTasksMessage],
        *,
        again: bool,
    ) -> None:
        if self.standing is Standing.TERMINATING:
            return
        if connection.HasField("total_ping_timeout_seconds"):
            self.ping_timeout = connection.total_ping_timeout_seconds
        self._stop_retry()
        known = self.running
        self.standing = Standing.RUNNING
        self.agent_id = agent_id
        self._last_ping = asyncio.get_running_loop().time()
        if self._ping_timer is None:
            self._watch_pings()
        if not known:
            self._agent.registered(agent_id, again)
        self._agent.reconcile(reconcile)

    def _watch_pings(self) -> None:
        """One timer that looks at the last ping, rather than one that each ping cancels and sets."""
        loop = asyncio.get_running_loop()
        silence = loop.time() - self._last_ping
        if silence >= self.ping_timeout:
            self._ping_timer = None
            self._again(f"no ping from the master for {self.ping_timeout:g} s")
        else:
            self._ping_timer = loop.call_later(self.ping_timeout - silence + 0.01, self._watch_pings)
