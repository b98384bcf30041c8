"""The Target for a microcontroller: launches executors over the link, and follows what becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from functools import partial

from hal import aot
from hal.abi import ResetCause, State
from hal.boards import Board
from hal.broadcast import Broadcast, Stream
from hal.errors import BoardError, BudgetError, DeviceError, HalError, LinkError, ModuleError
from hal.link import Connect, DeviceFacts, Link, Refused, Slots, SlotState, Traced
from hal.mcu import launch as steps
from hal.mcu.describe import describe
from hal.mcu.report import cause_of
from hal.mcu.tenant import Tenant, key_digest
from hal.target import (
    Cause,
    Connection,
    Description,
    Diagnostic,
    Ended,
    Launch,
    Output,
    Progress,
    Stage,
    Started,
    Usage,
)

log = logging.getLogger(__name__)

COMPILERS = 2
"""Modules that are compiled at the same time."""
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
    ) -> None:
        """`connect` opens the byte stream to the device, now and after each break; `on_trace` gets every
        CoAP message."""
        self._name = name
        self._board = board
        self._events = Broadcast()
        self.link = Link(
            name,
            connect,
            baud=board.baud,
            on_text=self._on_text,
            on_change=lambda up, message: self._events.publish(Connection(up, message)),
            on_trace=on_trace,
        )
        self._facts: DeviceFacts | None = None
        self._tenants: dict[str, Tenant] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._newest: Slots | None = None
        self._news = asyncio.Event()
        self._forgotten: dict[int, int] = {}  # slot: generation of the last executor deleted from it
        self._settled = False
        self._loading = asyncio.Lock()
        self._compiling = asyncio.Semaphore(COMPILERS)
        self._usage_read = 0.0

    # -- the Target protocol -----------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._name

    @property
    def facts(self) -> DeviceFacts:
        """What the device said of itself when it last started."""
        if self._facts is None:
            raise LinkError(f"{self._name} was not opened.")
        return self._facts

    async def open(self) -> None:
        facts = await self.link.open()
        if facts.board != self._board.name:
            await self.link.close()
            raise BoardError(
                f"{self._name} is not a {self._board.name}: its firmware was built for {facts.board}.",
                remedy="Name the right board, or flash its firmware.",
            )
        self._facts = facts
        self._tell_crash(facts)
        self._spawn_task(self._watch(), "watch")
        self._spawn_task(self._follow(), "follow")

    async def close(self) -> None:
        """Let go of the device; its executors live on."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.link.close()
        self._events.close()

    def describe(self) -> Description:
        return describe(self._name, self._board, self.facts)

    async def spawn(self, launch: Launch) -> None:
        if launch.key in self._tenants:
            raise HalError(f"An executor with the key {launch.key} is there already.")
        tenant = self._tenants[launch.key] = Tenant(launch.key, key_digest(launch.key))
        tenant.launch = self._spawn_task(self._launch(tenant, launch), f"launch {launch.key}")

    async def kill(self, key: str, grace: float = 0.0) -> None:
        tenant = self._tenants.get(key)
        if tenant is not None:
            self._spawn_task(self._kill(tenant, grace), f"kill {key}")

    async def usage(self) -> Mapping[str, Usage]:
        if self.link.up and time.monotonic() - self._usage_read > USAGE_AGE:
            self._usage_read = time.monotonic()
            with contextlib.suppress(LinkError, DeviceError):  # what was read before still stands
                for tenant in [tenant for tenant in self._tenants.values() if tenant.started]:
                    if tenant.slot is not None:
                        tenant.use(await self.link.executor(tenant.slot))
        return {key: tenant.usage for key, tenant in self._tenants.items() if tenant.started}

    def events(self) -> Stream:
        return self._events.subscribe()

    # -- a restarted gateway -------------------------------------------------------------------------

    async def recover(
        self, keys: Collection[str], offsets: Mapping[str, int] | None = None
    ) -> frozenset[str]:
        """Find executors again that an earlier gateway launched; to be called once, before any spawn().

        Those found are followed from now on: Output from `offsets` on (bytes of log seen by then, 0 if not
        given), Ended when they end or have ended. The keys not found are not on the device any more. All
        else that is on the device is removed; so it is by the first spawn() without a recover().
        """
        offsets = offsets or {}
        wanted = {key_digest(key): key for key in keys}
        found = set()
        async for row, digest in self._strangers(await self.link.slots()):
            key = wanted.get(digest)
            if key is not None and row.state in (State.RUNNING, State.ENDED):
                tenant = Tenant(key, digest, slot=row.slot, started=True, log_offset=offsets.get(key, 0))
                self._tenants[key] = tenant
                found.add(key)
            else:
                await self._delete(row.slot, row.generation)
        self._settled = True
        self._news.set()
        return frozenset(found)

    async def _strangers(self, slots: Slots) -> AsyncIterator[tuple[SlotState, bytes]]:
        """Occupied slots that no tenant is known to be in, with the digest of who is."""
        mine = {tenant.slot for tenant in self._tenants.values()}
        for row in slots.slots:
            if row.slot in mine or self._forgotten.get(row.slot) == row.generation:
                continue
            with contextlib.suppress(Refused):  # gone since
                yield row, (await self.link.executor(row.slot)).key

    async def _delete(self, slot: int, generation: int | None) -> None:
        with contextlib.suppress(Refused):  # gone already is as good
            await self.link.delete(slot)
        if generation is not None:
            self._forgotten[slot] = generation

    # -- launching -----------------------------------------------------------------------------------

    async def _launch(self, tenant: Tenant, launch: Launch) -> None:
        try:
            async with self._compiling:
                tell = partial(self._progress, asyncio.get_running_loop(), tenant.key)
                compiled = await asyncio.to_thread(
                    steps.compile_and_split, launch, self._board, self.facts, tell
                )
            async with self._loading:
                await self._until_up(partial(self._load, tenant, launch, compiled))
        except asyncio.CancelledError:
            if tenant.killing:
                if tenant.asked:
                    await self._until_up(partial(self._abandon, tenant))
                self._end(
                    tenant, Ended(tenant.key, Cause.KILLED, message="The executor was killed before it ran.")
                )
                return
            raise
        except ModuleError as error:
            self._end(tenant, Ended(tenant.key, Cause.MODULE_REJECTED, message=str(error)))
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
            self._news.set()
        finally:
            tenant.launch = None

    async def _load(self, tenant: Tenant, launch: Launch, compiled: steps.Compiled) -> None:
        """Everything from creating to starting; to be done again from the top after a lost answer."""
        if not self._settled:
            await self.recover(())
        key, parts = tenant.key, compiled.parts
        if tenant.slot is None or tenant.place is None:
            tenant.asked = True
            tenant.place = await steps.place(self.link, tenant, launch, parts, self.facts)
            tenant.slot, tenant.parts, tenant.image = tenant.place.slot, parts, None
        if tenant.image is None:
            self._events.publish(Progress(key, Stage.LINK, 0, 1))
            layout = steps.layout_of(tenant.place, parts)
            tenant.image = await asyncio.to_thread(aot.link, compiled.object, layout, launch.arguments)
            self._events.publish(Progress(key, Stage.LINK, 1, 1))

        def tell(stage: Stage, done: int, total: int) -> None:
            self._events.publish(Progress(key, stage, done, total))

        await steps.load(self.link, tenant.slot, tenant.image, tell)

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
                if (await self.link.device()).boot != self.facts.boot:
                    cause, error = Cause.DEVICE_RESET, HalError("The device restarted during the launch.")
                await self._abandon(tenant)
        self._end(tenant, Ended(tenant.key, cause, message=str(error)))

    async def _abandon(self, tenant: Tenant) -> None:
        """Remove it from the device, whether its create was answered or not."""
        slot = tenant.slot
        if slot is None:
            slot = await steps.find(self.link, tenant.digest)
        if slot is not None:
            await self._delete(slot, None)

    def _progress(
        self, loop: asyncio.AbstractEventLoop, key: str, stage: Stage, done: int, total: int
    ) -> None:
        """Progress from the compiler's thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            loop.call_soon_threadsafe(self._events.publish, Progress(key, stage, done, total))

    # -- killing -------------------------------------------------------------------------------------

    async def _kill(self, tenant: Tenant, grace: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await tenant.ended.wait()
        if tenant.ended.is_set():
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
        self._news.set()

    # -- following -----------------------------------------------------------------------------------

    async def _watch(self) -> None:
        async for slots in self.link.watch_slots():
            self._newest = slots
            self._news.set()

    async def _follow(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if self._newest is None:
                continue
            try:
                await self._reconcile(self._newest)
            except LinkError as error:
                log.debug("%s: %s", self._name, error)  # the watch begins anew when the link is back
            except DeviceError as error:
                self._events.publish(Diagnostic(f"{self._name}: {error}"))

    async def _reconcile(self, slots: Slots) -> None:
        """Bring the tenants in line with the device."""
        if slots.boot != self.facts.boot:
            await self._restarted()
        rows = {row.slot: row for row in slots.slots}
        for tenant in [tenant for tenant in self._tenants.values() if tenant.started]:
            try:
                await self._reconcile_one(tenant, rows)
            except DeviceError as error:
                self._events.publish(Diagnostic(f"{self._name}: {error}"))
        if self._settled and not self._loading.locked():
            mine = {tenant.digest for tenant in self._tenants.values()}
            async for row, digest in self._strangers(slots):
                if digest not in mine:
                    await self._delete(row.slot, row.generation)

    async def _reconcile_one(self, tenant: Tenant, rows: Mapping[int, SlotState]) -> None:
        row = rows.get(tenant.slot) if tenant.slot is not None else None
        if row is None:
            await self._missing(tenant)
        elif row.state is State.ENDED:
            await self._finish(tenant, row)
        elif row.log_end != tenant.log_offset:
            await self._read_log(tenant, row.log_end)

    async def _restarted(self) -> None:
        """The device has another boot id: what it ran is gone."""
        facts = self._facts = await self.link.device()
        self._forgotten.clear()
        why = facts.reset.name.lower() if isinstance(facts.reset, ResetCause) else f"cause {facts.reset}"
        self._tell_crash(facts)
        for tenant in [tenant for tenant in self._tenants.values() if tenant.slot is not None]:
            assert tenant.slot is not None
            if not await self._holds(tenant.slot, tenant):
                if tenant.launch is not None:
                    tenant.launch.cancel()
                words = f"The device restarted (by {why}) while the executor was on it."
                self._end(tenant, Ended(tenant.key, Cause.DEVICE_RESET, message=words, usage=tenant.usage))

    async def _holds(self, slot: int, tenant: Tenant) -> bool:
        """The device has this executor in this slot."""
        try:
            return (await self.link.executor(slot)).key == tenant.digest
        except Refused:
            return False

    async def _missing(self, tenant: Tenant) -> None:
        """A slot list came without it. It may be older than the launch: ask."""
        if tenant.slot is None or not await self._holds(tenant.slot, tenant):
            words = "The device does not have this executor any more; somebody else may have removed it."
            self._end(tenant, Ended(tenant.key, Cause.DEVICE_GONE, message=words, usage=tenant.usage))

    async def _read_log(self, tenant: Tenant, end: int) -> None:
        """Publish the log up to offset `end`; what the ring lost is told as dropped."""
        assert tenant.slot is not None
        while tenant.log_offset < end:
            piece = await self.link.log(tenant.slot, tenant.log_offset)
            dropped = piece.offset - tenant.log_offset
            if dropped < 0 or (not piece.data and not dropped):
                raise DeviceError(f"{self._name} tells of a log that it does not have.")
            tenant.log_offset = piece.offset + len(piece.data)
            self._events.publish(Output(tenant.key, piece.data, dropped))

    async def _finish(self, tenant: Tenant, row: SlotState) -> None:
        """It ended: read everything that is left of it, say so, and free its slot."""
        slot = row.slot
        try:
            state = await self.link.executor(slot)
            if state.key != tenant.digest:
                await self._missing(tenant)
                return
            tenant.use(state)
            cause, status, message = cause_of(tenant, state)
            await self._read_log(tenant, state.log_end)
            output = await self.link.result(slot) if state.result_bytes else b""
            end = Ended(tenant.key, cause, status, message, output, tenant.usage)
        except DeviceError as error:
            end = Ended(tenant.key, Cause.FAULTED, message=f"It ended, but nobody knows how: {error}")
        self._end(tenant, end)
        await self._delete(slot, row.generation)

    def _end(self, tenant: Tenant, end: Ended) -> None:
        if self._tenants.pop(tenant.key, None) is tenant:
            tenant.ended.set()
            self._events.publish(end)

    # -- odds and ends -------------------------------------------------------------------------------

    def _on_text(self, text: str) -> None:
        self._events.publish(Diagnostic(text))
        if text.startswith("mma ") and " reset by " in text:
            self.link.look_again()  # its first words after a start: who watched before is forgotten

    def _tell_crash(self, facts: DeviceFacts) -> None:
        crash = facts.crash
        if crash is not None:
            where = f", slot {crash.slot} running" if crash.slot >= 0 else ""
            self._events.publish(
                Diagnostic(
                    f"The kernel crashed before this start: cause {crash.cause}, pc 0x{crash.pc:08x}, "
                    f"lr 0x{crash.lr:08x}, status 0x{crash.status:x}, address 0x{crash.address:08x}{where}."
                )
            )

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
