"""A Mesos agent in front of one target.

Everything that changes its state is synchronous: messages, timers and target events are handled one
after the other, each to its end. Only fetching, spawning and killing run beside.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from google.protobuf.message import DecodeError, Message

from agent.authentication import Place
from agent.compatibility import incompatibility
from agent.config import AgentConfig
from agent.errors import RecoveryError, UnsafeMessageError
from agent.events import AgentEvent, Disconnected, Registered
from agent.facts import attributes_of, resources_of
from agent.fetcher import Fetcher
from agent.guard import Sealed, seal
from agent.inbox import parse
from agent.janitor import Janitor
from agent.limits import limited
from agent.operations import Operations
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.registration import Registration, Standing
from agent.shelf import Shelf
from agent.tally import Tally
from agent.tasks import Tasks
from agent.wire import framing
from agent.wire.upid import Peer, Upid
from hal.errors import HalError
from hal.target import Connection, Event, Target

log = logging.getLogger(__name__)

RECOVERY_RETRY = 5.0
"""Seconds between attempts to ask a target that does not answer what it runs."""
CLEANUP_TIMEOUT = 30.0
"""Seconds for executors to be ended by --recover=cleanup."""
SHUTDOWN_TIMEOUT = 5.0
"""Seconds for executors to be ended when the agent shuts down."""


class Endpoint(Place, Protocol):
    """Where an agent listens: its share of a port."""

    def send(self, to: Upid, message: Sealed) -> None:
        """Fire and forget."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the agents of a gateway share."""

    config: AgentConfig
    fetcher: Fetcher
    publish: Callable[[AgentEvent], None]
    hostname: str
    sandboxes: Path
    """Where the executors' files are; removed with the gateway when there is no work_dir."""
    janitor: Janitor


class Agent:
    """One agent. `target` is open, and stays open when the agent ends: whoever opened it closes it.

    run() is the agent's life; detected() tells it its master.
    """

    def __init__(self, target: Target, endpoint: Endpoint, shelf: Shelf, around: Surroundings) -> None:
        self.target = target
        self.description = target.describe()
        self.started = time.time()
        self._begun = time.monotonic()
        self.refused = 0
        """Messages that the guard held back: bugs of ours."""
        self.tally = Tally()
        self.attached = 0
        """Callers that follow executors' logs."""
        self._around = around
        self._endpoint = endpoint
        self._shelf = shelf
        self.registration = Registration(self, around.config, endpoint)
        self.tasks = Tasks(self, target, around.fetcher, shelf, around.config, around.sandboxes)
        self.executors = self.tasks.executors
        self.sandboxes = self.tasks.sandboxes
        self.resources = limited(
            self.description.name,
            resources_of(self.description),
            around.config.resources,
            around.config.default_role,
        )
        self.attributes = attributes_of(self.description, around.config.attributes)
        self.operations = Operations(
            self, shelf, self.resources, around.config, self.tasks.reports.look_if_drained
        )
        self.tasks.reports.busy = lambda: bool(self.operations.all)
        self._leader: Upid | None = None
        self._ready = False
        """What was kept of an earlier life is read: before that no master may hear of us."""
        self._group: asyncio.TaskGroup | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._life: asyncio.Timeout | None = None
        """Expires when the agent is to stop: lighter than a task that waits for that."""
        self._stopping = False
        self._shut_down = ""

    # -- facts --------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The libprocess process id: slave(1), slave(2) ..."""
        return self._endpoint.upid.id

    @property
    def uptime(self) -> float:
        """Seconds since it started, whatever the wall clock did meanwhile."""
        return time.monotonic() - self._begun

    @property
    def pid(self) -> str:
        return str(self._endpoint.upid)

    @property
    def ip(self) -> str:
        return self._endpoint.upid.ip

    @property
    def agent_id(self) -> str:
        """As the master gave it; "" before that."""
        return self.registration.agent_id

    @property
    def records(self) -> str:
        """Under which its records are (see identity.py)."""
        return self._shelf.name

    @property
    def target_name(self) -> str:
        return self.description.name

    @property
    def hostname(self) -> str:
        return self._around.hostname

    @property
    def port(self) -> int:
        return self._endpoint.upid.port

    @property
    def config(self) -> AgentConfig:
        return self._around.config

    @property
    def recovering(self) -> bool:
        """Whether the records of an earlier life are still being read."""
        return not self._ready

    @property
    def fetcher(self) -> Fetcher:
        return self._around.fetcher

    @property
    def janitor(self) -> Janitor:
        return self._around.janitor

    def slave_info(self) -> mesos.SlaveInfo:
        """The agent as masters know it."""
        info = mesos.SlaveInfo(
            hostname=self.hostname,
            port=self._endpoint.upid.port,
            resources=self.resources,
            attributes=self.attributes,
            checkpoint=True,
        )
        if self.config.domain is not None:
            info.domain.CopyFrom(self.config.domain)
        if self.agent_id:
            info.id.value = self.agent_id
        return info

    def checkpointed(self) -> Sequence[mesos.Resource]:
        """The dynamic reservations that the master asked us to keep."""
        return self.operations.reserved

    @property
    def resource_version(self) -> mesos.UUID:
        """Of the agent's resources, in this life of it."""
        return self.operations.version

    # -- life ---------------------------------------------------------------------------------------------

    async def run(self) -> str:
        """Live until stop() or until the master shuts the agent down; returns why it ended. Executors on
        the target live on after stop(), so that a restart finds them; a shut-down ends them."""
        if self.config.recover == "cleanup":
            return await self._clean_up()
        recovered = await self._shelf.load()
        self.tally.recovery_seconds = self.uptime
        if recovered.agent_id and recovered.hostname != self.hostname:
            # Masters shut such an agent down: its machine is another one now.
            log.warning("%s has a new hostname and registers as a new agent", self.target_name)
            self._shelf.forget_agent()
        elif recovered.agent_id:
            self.registration.agent_id = recovered.agent_id
            self._must_be_compatible(recovered.info)
            self.operations.recover(recovered.resources, recovered.operations)
            self.tasks.recover(recovered)
        events = self.target.events()
        self._ready = True
        if self._leader is not None:
            self.registration.detected(self._leader)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                name = f"recovery of {self.target_name}"
                self._recovery = group.create_task(self._look_for_executors(), name=name)
                await self._pump(events)
                self._group = None
                if self._recovery is not None:
                    self._recovery.cancel()
                self.tasks.checks.close()
                for task in self.tasks.book.tasks():
                    if task.preparation is not None:
                        task.preparation.cancel()
        finally:
            self._group = None
            self.registration.close()
            self.tasks.updates.close()
            self.operations.pause()
        if self._shut_down:
            await self.executors.kill_all(SHUTDOWN_TIMEOUT)
        return self._shut_down or "stopped"

    async def _clean_up(self) -> str:
        """End what an earlier life left on the target and forget that life (--recover=cleanup)."""
        try:
            async with asyncio.timeout(CLEANUP_TIMEOUT):
                await self.target.recover(())
                while await self.target.usage():  # noqa: ASYNC110 - no event tells that none is left
                    await asyncio.sleep(0.1)
        except (HalError, TimeoutError) as error:
            raise RecoveryError(
                f"{self.target_name} could not be cleaned up: {error or 'its executors do not end'}.",
                remedy="Try again, or restart the device.",
            ) from error
        self._shelf.forget_agent()
        return "cleaned up"

    def _must_be_compatible(self, before: mesos.SlaveInfo | None) -> None:
        """RecoveryError when the target or its settings changed more than the policy lets them."""
        problem = before and incompatibility(
            before, self.slave_info(), self.config.reconfiguration_policy, any_port=not self.config.port
        )
        if problem:
            raise RecoveryError(
                f"{self.target_name} is not what it was: {problem}.",
                remedy="Undo that, or begin anew with --recover=cleanup, which ends what it runs"
                + (
                    "; --reconfiguration_policy=additive lets it have more than before."
                    if self.config.reconfiguration_policy == "equal"
                    else "."
                ),
            )

    def stop(self, *, unregister: bool = False) -> None:
        """Make run() return. With `unregister` the master is told that the agent is gone for good: its
        tasks are ended and are lost; without, it waits for the agent to come back."""
        if unregister and not self._shut_down:
            if self.agent_id:
                self.tell_master(internal.UnregisterSlaveMessage(slave_id=mesos.SlaveID(value=self.agent_id)))
            self._shut_down_now("unregistered")
        self._stop()

    def _stop(self) -> None:
        if not self._stopping and self._life is not None:
            self._life.reschedule(asyncio.get_running_loop().time())
        self._stopping = True

    def _shut_down_now(self, reason: str) -> None:
        self._shut_down = reason
        self.registration.terminate()
        self._shelf.forget_agent()
        self._stop()

    async def _pump(self, events: AsyncIterator[Event]) -> None:
        """Handle what the target tells, until the agent is to stop."""
        if self._stopping:
            return
        try:
            async with asyncio.timeout(None) as self._life:
                async for event in events:
                    self._on_event(event)
                await asyncio.get_running_loop().create_future()  # a target that is closed tells no more
        except TimeoutError:
            if not self._stopping:
                raise
        finally:
            self._life = None

    def _on_event(self, event: Event) -> None:
        try:
            self.sandboxes.on_event(event)
            self.tally.on_event(event)
            self.executors.on_event(event)
            if isinstance(event, Connection):
                self.registration.device(up=event.up)
        except Exception:
            log.exception("%s could not handle %r", self.target_name, event)

    async def _look_for_executors(self) -> None:
        """What an earlier life left on the target: its executors are taken up, all else goes."""
        while True:
            try:
                adopted, living = await self.executors.recover()
            except HalError as error:
                log.warning("%s does not tell what it runs: %s", self.target_name, error)
                await asyncio.sleep(RECOVERY_RETRY)
            else:
                self._recovery = None
                return self.tasks.recovered(adopted, living)

    def background(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something beside; it ends with the agent."""
        if self._group is None:
            work.close()
            return asyncio.create_task(asyncio.sleep(0))
        return self._group.create_task(work, name=name)

    def publish(self, event: AgentEvent) -> None:
        """Tell whoever watches."""
        self.tally.on_published(event)
        self._around.publish(event)

    # -- the master ---------------------------------------------------------------------------------------

    def detected(self, master: Upid | None) -> None:
        """There is a (new) leading master, or none."""
        self._leader = master
        if self._ready:
            self.registration.detected(master)

    def link_lost(self, peer: Peer) -> None:
        """Our port's connection to `peer` broke or could not be opened."""
        self.registration.link_lost(peer)

    def peer_left(self, peer: Peer) -> None:
        """The last connection of `peer` to our port has ended."""
        self.registration.peer_left(peer)

    def registered(self, agent_id: str, again: bool) -> None:
        """The master has us: updates flow."""
        self._shelf.save_agent(self.slave_info())
        master = self.registration.master
        assert master is not None
        log.info(
            "%s: %s with %s as %s", self.target_name, "again" if again else "registered", master, agent_id
        )
        update = internal.UpdateSlaveMessage(
            slave_id=mesos.SlaveID(value=agent_id), update_oversubscribed_resources=True
        )
        self.operations.fill_update(update)
        self.tell_master(update)
        self.tasks.updates.resume()
        self.operations.resume()
        self.publish(Registered(self.target_name, agent_id, f"{master.ip}:{master.port}", again))

    def forsaken(self) -> None:
        """The master has seen its link to us break."""
        self.tasks.kills.abandon_uncheckpointed()

    def disconnected(self, reason: str) -> None:
        """The master may not have us: updates wait."""
        log.info("%s: disconnected, %s", self.target_name, reason)
        self.tasks.updates.pause()
        self.operations.pause()
        self.publish(Disconnected(self.target_name, reason))

    def unauthenticated(self, reason: str) -> None:
        """The master does not take our credential."""
        log.error("%s: %s", self.target_name, reason)
        self.publish(Disconnected(self.target_name, reason))

    def resources_differ(self, reason: str) -> None:
        """The master believes in other resources than there are."""
        self.registration.again(reason)

    def reconcile(self, unknown: Sequence[internal.ReconcileTasksMessage]) -> None:
        """The master asks for tasks that it may know and we may not."""
        self.tasks.reports.reconcile(unknown)

    def fill_reregistration(self, message: internal.ReregisterSlaveMessage) -> None:
        """Add tasks, executors and frameworks."""
        self.tasks.fill_reregistration(message)

    def tell_master(self, message: Message) -> None:
        """Send to the current master."""
        if self.registration.master is not None:
            self.send(self.registration.master, message)

    def send(self, to: Upid, message: Message) -> bool:
        """The only way out: through the guard. False when it refused."""
        try:
            self._endpoint.send(to, seal(message))
        except UnsafeMessageError as error:
            self.refused += 1
            log.error("%s: %s", self.target_name, error)
            return False
        return True

    def receive(self, message: framing.Message) -> None:
        """One message from the wire."""
        try:
            content = parse(message.name, message.body)
        except DecodeError:
            log.warning("%s: %s from %s cannot be read", self.target_name, message.name, message.sender)
            return
        if content is None:
            log.debug("%s: %s is not for agents: ignored", self.target_name, message.name)
        elif isinstance(content, internal.PingSlaveMessage):
            self.registration.on_ping(message.sender, content.connected)
        elif message.sender != self.registration.master:
            if self._is_from_driver(content, message.sender) and self.registration.running:
                return self._from_master_while_registered(content)
            log.warning(
                "%s: %s from %s is ignored: the master is %s",
                *(self.target_name, message.name, message.sender, self.registration.master),
            )
        elif self.registration.standing is not Standing.TERMINATING:
            self._from_master(content)

    def _is_from_driver(self, content: Message, sender: Upid) -> bool:
        """Mesos's own scheduler driver sends framework messages to agents directly
        (SchedulerProcess::sendFrameworkMessage in src/sched/sched.cpp)."""
        if not isinstance(content, internal.FrameworkToExecutorMessage):
            return False
        framework = self.tasks.book.frameworks.get(content.framework_id.value)
        return framework is not None and framework.pid == str(sender)

    def _from_master(self, content: Message) -> None:
        match content:
            case internal.SlaveRegisteredMessage():
                if not self.registration.on_registered(content):
                    log.error("%s: the master calls us %s", self.target_name, content.slave_id.value)
            case internal.SlaveReregisteredMessage():
                if not self.registration.on_reregistered(content):
                    log.error("%s: the master calls us %s", self.target_name, content.slave_id.value)
            case internal.ShutdownMessage():
                self._shut_down_now(f"the master shut the agent down: {content.message or 'no reason given'}")
            case internal.RunTaskMessage():
                self.tasks.run(content)
            case internal.RunTaskGroupMessage():
                self.tasks.run_group(content)
            case internal.KillTaskMessage():
                self.tasks.kills.kill(content)
            case internal.DrainSlaveMessage():
                self.tasks.kills.drain(content.config)
            case internal.CheckpointResourcesMessage():
                self.operations.checkpoint(content)
            case internal.ApplyOperationMessage():
                self.operations.apply(content)
            case internal.AcknowledgeOperationStatusMessage():
                self.operations.acknowledge(content)
            case internal.ReconcileOperationsMessage():
                self.operations.reconcile(content)
            case _ if self.registration.running:
                self._from_master_while_registered(content)
            case _:
                log.debug("%s: %s is early: ignored", self.target_name, content.DESCRIPTOR.full_name)

    def _from_master_while_registered(self, content: Message) -> None:
        """What the native agent drops unless it is registered: it may be meant for an earlier standing."""
        match content:
            case internal.StatusUpdateAcknowledgementMessage():
                if content.slave_id.value == self.agent_id:
                    self.tasks.reports.acknowledge(content)
            case internal.UpdateFrameworkMessage():
                self.tasks.update_framework(content)
            case internal.ShutdownFrameworkMessage():
                self.tasks.kills.shutdown_framework(content.framework_id.value)
            case internal.ShutdownExecutorMessage():
                self.tasks.kills.shutdown_executor(content.framework_id.value, content.executor_id.value)
            case internal.FrameworkToExecutorMessage():
                self.tally.on_message(delivered=self.tasks.message(content))
