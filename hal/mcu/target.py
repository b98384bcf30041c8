"""The Target for a microcontroller: launches executors over the link, and follows what becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial

from hal import aot
from hal.abi import ErrorNumber, State
from hal.boards import Board
from hal.broadcast import Broadcast, Stream
from hal.budget import TABLE_NAME, Parts
from hal.errors import BoardError, BudgetError, DeviceError, HalError, LinkError, ModuleError
from hal.link import Connect, DeviceFacts, Link, Place, Refused, Traced
from hal.link.recorder import Recorder
from hal.mcu import launch as steps
from hal.mcu.describe import describe
from hal.mcu.follower import Follower
from hal.mcu.linkmap import MAP_NAME, link_map
from hal.mcu.placed import Placed, Ready
from hal.mcu.roster import Roster
from hal.mcu.tenant import Tenant, key_digest
from hal.target import (
    Artifact,
    Cause,
    Connection,
    Description,
    Diagnostic,
    Ended,
    Launch,
    Progress,
    Stage,
    Started,
    Trace,
    Usage,
)

log = logging.getLogger(__name__)

COMPILERS = 2
"""Modules that are compiled at the same time."""
PLACE_TRIES = 16
FREE_TIME = 2.0
"""How often, and for how many seconds each time, a launch waits for the slot of one that has ended."""
SEND_TRIES, SEND_PAUSE = 20, 0.1
"""How often, and how many seconds apart, a message is sent to a guest that is still at the last one."""
USAGE_AGE = 1.0
"""Seconds for which counters read from the device are good enough."""


class McuTarget:
    """Executors on one device.

    Two tasks run from open() to close(): one watches the device's slots, the other brings what the gateway
    knows in line with the newest that was seen. Nothing is concluded from silence: while the link is down
    executors are taken to live on, and when it is back their state is read.
    """

    def __init__(
        self,
        name: str,
        board: Board,
        connect: Connect,
        *,
        on_trace: Callable[[Traced], None] | None = None,
        by_id: bool = False,
    ) -> None:
        """`connect` opens the byte stream to the device, now and after each break; `on_trace` gets every
        CoAP message. `by_id`: whoever has this chip's unique id is this device; those of emulated chips are
        all alike, and say nothing."""
        self._name = name
        self._by_id = by_id
        self._board = board
        self._events = Broadcast()
        self._recorder = Recorder(self.holder)
        self._told_trace = on_trace
        self.link = Link(
            name,
            connect,
            baud=board.baud,
            on_text=self._on_text,
            on_change=lambda up, message: self._events.publish(Connection(up, message)),
            on_trace=self._on_trace,
        )
        self._roster = Roster(name, self.link, self._events)
        self._tasks: set[asyncio.Task[None]] = set()
        self._compiling = asyncio.Semaphore(COMPILERS)
        self._usage_read = 0.0
        self.on_ready: set[Ready] = set()
        """Awaited for each executor when its image is on the device and has not begun to run."""

    # -- the Target protocol -----------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._name

    @property
    def facts(self) -> DeviceFacts:
        """What the device said of itself when it last started."""
        return self._roster.facts

    async def open(self) -> None:
        facts = await self.link.open()
        if facts.board != self._board.name:
            await self.link.close()
            raise BoardError(
                f"{self._name} is not a {self._board.name}: its firmware was built for {facts.board}.",
                remedy="Name the right board, or flash its firmware.",
            )
        if self.link.key is not None and self.link.key.open:
            log.info("%s has the development key, which anybody knows: see docs/security.md", self._name)
        self._roster.started(facts)
        follower = Follower(self._roster, self._board.isa)
        self._spawn_task(follower.watch(), "watch")
        self._spawn_task(follower.follow(), "follow")

    async def close(self) -> None:
        """Let go of the device; its executors live on."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.link.close()
        self._events.close()

    def describe(self) -> Description:
        described = describe(self._name, self._board, self.facts)
        identity = self.facts.unique_id.hex() if self._by_id else ""
        return replace(described, identity=f"{self._board.mcu}-{identity}" if identity else "")

    async def spawn(self, launch: Launch) -> None:
        if launch.key in self._roster.tenants:
            raise HalError(f"An executor with the key {launch.key} is there already.")
        tenant = self._roster.tenants[launch.key] = Tenant(launch.key, key_digest(launch.key))
        tenant.launch = self._spawn_task(self._launch(tenant, launch), f"launch {launch.key}")

    async def kill(self, key: str, grace: float = 0.0) -> None:
        tenant = self._roster.tenants.get(key)
        if tenant is not None:
            self._spawn_task(self._kill(tenant, grace), f"kill {key}")

    async def usage(self) -> Mapping[str, Usage]:
        if self.link.up and time.monotonic() - self._usage_read > USAGE_AGE:
            self._usage_read = time.monotonic()
            with contextlib.suppress(LinkError, DeviceError):  # what was read before still stands
                for tenant in self._roster.running():
                    if tenant.slot is not None:
                        tenant.use(await self.link.executor(tenant.slot))
        return {tenant.key: tenant.usage for tenant in self._roster.running()}

    def placed(self) -> tuple[Placed, ...]:
        """The executors that are on the device, by slot; those of an earlier gateway are left out."""
        found = (Placed.of(tenant) for tenant in self._roster.tenants.values())
        return tuple(sorted(filter(None, found), key=lambda one: one.slot))

    def holder(self, slot: int) -> str:
        """The key of the executor in a slot; empty where we know of none."""
        return next((key for key, one in self._roster.tenants.items() if one.slot == slot), "")

    def events(self) -> Stream:
        return self._events.subscribe()

    async def size(self, launch: Launch) -> Parts:
        """What a launch would take, to the byte, before it is made. BudgetError where it does not fit."""
        return (
            await aot.beside(steps.compile_and_split, launch, self._board, self.facts, lambda *_: None)
        ).parts

    # -- a restarted gateway -------------------------------------------------------------------------

    async def recover(
        self, keys: Collection[str], offsets: Mapping[str, int] | None = None
    ) -> frozenset[str]:
        """See Target. What is on the device without it is removed by the first spawn()."""
        for key in self._roster.tenants.keys() - set(keys):
            await self.kill(key)
        self._roster.keeps_ends = True
        return await self._roster.recover(keys, offsets or {})

    async def release(self, key: str) -> None:
        await self._roster.release(key)

    # -- launching -----------------------------------------------------------------------------------

    async def _launch(self, tenant: Tenant, launch: Launch) -> None:
        try:
            async with self._compiling:
                tell = partial(self._progress, asyncio.get_running_loop(), tenant.key)
                compiled = await aot.beside(steps.compile_and_split, launch, self._board, self.facts, tell)
            async with self._roster.loading:
                await self._until_up(partial(self._load, tenant, launch, compiled))
        except asyncio.CancelledError:
            if tenant.killing:
                if tenant.asked:
                    await self._until_up(partial(self._abandon, tenant))
                self._roster.end(
                    tenant, Ended(tenant.key, Cause.KILLED, message="The executor was killed before it ran.")
                )
                return
            raise
        except ModuleError as error:
            self._roster.end(tenant, Ended(tenant.key, Cause.MODULE_REJECTED, message=str(error)))
        except BudgetError as error:
            await self._give_up(tenant, Cause.NO_ROOM, error)
        except HalError as error:
            await self._give_up(tenant, Cause.LAUNCH_FAILED, error)
        except Exception as error:  # a fault of ours must not leave the task waiting for ever
            log.exception("%s: launching %s", self._name, tenant.key)
            await self._give_up(tenant, Cause.LAUNCH_FAILED, HalError(f"The launch failed: {error!r}."))
        else:
            tenant.started = True
            self._events.publish(Started(tenant.key))
            self._roster.news.set()
        finally:
            tenant.launch = None

    async def _load(self, tenant: Tenant, launch: Launch, compiled: steps.Compiled) -> None:
        """Everything from creating to starting; to be done again from the top after a lost answer."""
        if not self._roster.settled:
            await self._roster.recover((), {})
        key, parts = tenant.key, compiled.parts
        again = tenant.slot is not None
        if tenant.slot is None or tenant.place is None:
            tenant.place = await self._place(tenant, launch, compiled)
            tenant.slot, tenant.parts, tenant.image = tenant.place.slot, parts, None
            tenant.boot = self.link.boot
        if tenant.image is None:
            self._events.publish(Progress(key, Stage.LINK, 0, 1))
            layout = steps.layout_of(tenant.place, parts)
            tenant.image = await aot.beside(aot.link, compiled.object, layout, launch.arguments)
            self._events.publish(Progress(key, Stage.LINK, 1, 1))
            self._events.publish(Artifact(key, MAP_NAME, link_map(tenant.image, layout)))
            self._events.publish(Artifact(key, TABLE_NAME, parts.table()))

        def tell(stage: Stage, done: int, total: int) -> None:
            self._events.publish(Progress(key, stage, done, total))

        ready = partial(self._tell_ready, tenant)
        await steps.load(self.link, tenant.slot, tenant.image, tell, ready, again=again)

    async def _tell_ready(self, tenant: Tenant) -> None:
        placed = Placed.of(tenant)
        for told in tuple(self.on_ready):
            try:
                if placed is not None:
                    await told(placed)
            except Exception as error:  # who looks on must not keep an executor from running
                log.warning("%s: %s before it runs: %s", self._name, tenant.key, error)

    async def _place(self, tenant: Tenant, launch: Launch, compiled: steps.Compiled) -> Place:
        """A slot for it. Where there is no room it waits for those that have ended already to be freed."""
        tenant.asked = True
        for _ in range(PLACE_TRIES):
            self._roster.freed.clear()
            try:
                return await steps.place(self.link, tenant, launch, compiled, self.facts)
            except BudgetError:
                slots = (await self.link.slots()).slots
                if not any(slot.state is State.ENDED for slot in slots) and not self._roster.freed.is_set():
                    raise
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FREE_TIME):
                    await self._roster.freed.wait()
        return await steps.place(self.link, tenant, launch, compiled, self.facts)

    async def _until_up(self, work: Callable[[], object]) -> None:
        """Do it, and again whenever the link failed on the way."""
        while True:
            try:
                result = work()
                assert asyncio.iscoroutine(result)
                await result
                return
            except LinkError as error:
                log.info("%s: %s", self._name, error)
                await asyncio.sleep(0.1)
                await self.link.wait_up()

    async def _give_up(self, tenant: Tenant, cause: Cause, error: HalError) -> None:
        """A launch failed: free what it took, and say why. If the device restarted, that is why."""
        if tenant.asked:
            with contextlib.suppress(LinkError, DeviceError):
                if (await self.link.device()).boot != (tenant.boot or self.facts.boot):
                    cause, error = Cause.DEVICE_RESET, HalError("The device restarted during the launch.")
                await self._abandon(tenant)
        self._roster.end(tenant, Ended(tenant.key, cause, message=str(error)))

    async def _abandon(self, tenant: Tenant) -> None:
        """Remove it from the device, whether its create was answered or not."""
        slot = tenant.slot
        if slot is None:
            slot = await steps.find(self.link, tenant.digest)
        if slot is not None:
            await self._roster.delete(slot)

    def _progress(
        self, loop: asyncio.AbstractEventLoop, key: str, stage: Stage, done: int, total: int
    ) -> None:
        """Progress from the compiler's thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            loop.call_soon_threadsafe(self._events.publish, Progress(key, stage, done, total))

    # -- killing -------------------------------------------------------------------------------------

    async def send(self, key: str, data: bytes) -> None:
        tenant = self._roster.tenants.get(key)
        if tenant is None or tenant.slot is None or not tenant.started:
            raise HalError("The executor does not run.")
        if len(data) > self.facts.block:
            raise HalError(f"The device takes messages of up to {self.facts.block} bytes.")
        for _ in range(SEND_TRIES):
            try:
                return await self.link.message(tenant.slot, data)
            except Refused as refusal:
                if refusal.number == ErrorNumber.NOENT:
                    raise HalError(
                        "The executor takes no messages.", remedy="Let it call on_message."
                    ) from None
                if refusal.number == ErrorNumber.NOROOM:
                    raise HalError("The message is longer than what the executor has room for.") from None
                if refusal.number != ErrorNumber.BUSY:
                    raise
            await asyncio.sleep(SEND_PAUSE)
        raise HalError("The executor is too busy to take the message.")

    async def call(self, key: str, request: int) -> None:
        tenant = self._roster.tenants.get(key)
        if tenant is None or tenant.slot is None or not tenant.started:
            raise HalError("The executor does not run.")
        await self.link.call(tenant.slot, request)

    async def _kill(self, tenant: Tenant, grace: float) -> None:
        if grace > 0 and tenant.slot is not None and tenant.started and not tenant.ended.is_set():
            with contextlib.suppress(
                LinkError, Refused
            ):  # a guest that does not want to know is only waited for
                await self.link.stop(tenant.slot, grace)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await tenant.ended.wait()
        if tenant.ended.is_set() or tenant.killing:
            return
        tenant.killing = True
        if tenant.launch is not None:
            tenant.launch.cancel()
        elif tenant.slot is not None:
            await self._until_up(partial(self._kill_now, tenant, tenant.slot))

    async def _kill_now(self, tenant: Tenant, slot: int) -> None:
        if not tenant.ended.is_set():
            with contextlib.suppress(Refused):  # it ended first
                await self.link.kill(slot)
        self._roster.news.set()

    # -- odds and ends -------------------------------------------------------------------------------

    def trace(self, after: int) -> Trace:
        """See hal.target.Traces."""
        return self._recorder.read(after)

    def _on_trace(self, traced: Traced) -> None:
        self._recorder.heard(traced)
        if self._told_trace is not None:
            self._told_trace(traced)

    def _on_text(self, text: str) -> None:
        self._events.publish(Diagnostic(text))
        if text.startswith("mma ") and " reset by " in text:
            self.link.look_again()  # its first words after a start: who watched before is forgotten

    def _spawn_task(self, work: object, name: str) -> asyncio.Task[None]:
        assert asyncio.iscoroutine(work)
        task: asyncio.Task[None] = asyncio.create_task(work, name=f"{self._name}: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("%s failed", task.get_name(), exc_info=task.exception())
