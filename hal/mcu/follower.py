"""Follows what becomes of the executors on a device, and tells it as events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from hal.abi import ResetCause, State
from hal.errors import DeviceError, LinkError
from hal.link import Slots, SlotState, before
from hal.mcu.report import report
from hal.mcu.roster import Roster
from hal.mcu.tenant import Tenant
from hal.target import Cause, Diagnostic, Ended, Output

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds before a device that answered nonsense is asked again."""


class Follower:
    """Two endless tasks: watch() keeps the newest list of slots, follow() acts upon it.

    So a device that changes faster than its log can be read is looked at in its newest state, and nothing
    that happened between is needed. Nothing is concluded from silence.
    """

    def __init__(self, roster: Roster, isa: str) -> None:
        self._roster = roster
        self._isa = isa
        self._newest: Slots | None = None

    async def watch(self) -> None:
        """Keep the newest list of slots, for as long as the target is open."""
        while True:
            try:
                async for slots in self._roster.link.watch_slots():
                    self._newest = slots
                    self._roster.news.set()
            except DeviceError as error:
                self._roster.events.publish(Diagnostic(f"{self._roster.name}: {error}"))
                await asyncio.sleep(PAUSE)

    async def follow(self) -> None:
        """Act upon every news, for as long as the target is open."""
        while True:
            await self._roster.news.wait()
            self._roster.news.clear()
            if self._newest is None:
                continue
            try:
                await self._reconcile(self._newest)
            except LinkError as error:
                log.debug("%s: %s", self._roster.name, error)  # the watch begins anew when the link is back
            except DeviceError as error:
                self._roster.events.publish(Diagnostic(f"{self._roster.name}: {error}"))
            except Exception:  # a fault of ours in one round must not leave all tenants unwatched
                log.exception("Following %s", self._roster.name)

    async def _reconcile(self, slots: Slots) -> None:
        """Bring the tenants in line with the device."""
        if slots.boot != self._roster.facts.boot:
            await self._restarted()
        rows = {row.slot: row for row in slots.slots}
        for tenant in self._roster.running():
            try:
                await self._reconcile_one(tenant, rows)
            except DeviceError as error:
                self._roster.events.publish(Diagnostic(f"{self._roster.name}: {error}"))
        await self._roster.sweep(slots)

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
        facts = await self._roster.link.device()
        if facts.unique_id != self._roster.facts.unique_id:
            words = "is another board now; a restart of the gateway gives it an agent of its own."
            self._roster.events.publish(Diagnostic(f"{self._roster.name} {words}"))
        self._roster.started(facts)
        why = facts.reset.name.lower() if isinstance(facts.reset, ResetCause) else f"cause {facts.reset}"
        for tenant in [tenant for tenant in self._roster.tenants.values() if tenant.slot is not None]:
            assert tenant.slot is not None
            if not await self._roster.holds(tenant.slot, tenant):
                if tenant.launch is not None:
                    tenant.launch.cancel()
                words = f"The device restarted (by {why}) while the executor was on it."
                self._roster.end(
                    tenant, Ended(tenant.key, Cause.DEVICE_RESET, message=words, usage=tenant.usage)
                )

    async def _missing(self, tenant: Tenant) -> None:
        """A slot list came without it. It may be older than the launch: ask."""
        if tenant.slot is None or not await self._roster.holds(tenant.slot, tenant):
            words = "The device does not have this executor any more; somebody else may have removed it."
            self._roster.end(tenant, Ended(tenant.key, Cause.DEVICE_GONE, message=words, usage=tenant.usage))

    async def _read_log(self, tenant: Tenant, end: int) -> None:
        """Publish the log up to offset `end`; what the ring lost is told as dropped.

        `end` may be of an executor that had the slot before; then there is less to read.
        """
        assert tenant.slot is not None
        while before(tenant.log_offset, end):
            piece = await self._roster.link.log(tenant.slot, tenant.log_offset)
            dropped = (piece.offset - tenant.log_offset) % (1 << 32)
            if before(piece.offset, tenant.log_offset):
                raise DeviceError("The device answered with a part of the log that was not asked for.")
            if not piece.data:
                return
            tenant.log_offset = (piece.offset + len(piece.data)) % (1 << 32)
            self._roster.events.publish(Output(tenant.key, piece.data, dropped))

    async def _finish(self, tenant: Tenant, row: SlotState) -> None:
        """It ended: read everything that is left of it, say so, and free its slot."""
        slot = row.slot
        try:
            state = await self._roster.link.executor(slot)
            if state.key != tenant.digest:
                await self._missing(tenant)
                return
            if state.state is not State.ENDED:
                return  # the list is older than the tenant: it tells of who had the slot before
            tenant.use(state)
            told = await asyncio.to_thread(report, tenant.image, state, self._isa)
            await self._read_log(tenant, state.log_end)
            output = await self._roster.link.result(slot) if state.result_bytes else b""
            end = Ended(tenant.key, told.cause, told.status, told.message, output, tenant.usage, told.trace)
        except DeviceError as error:
            end = Ended(tenant.key, Cause.FAULTED, message=f"It ended, but nobody knows how: {error}")
        await self._roster.finish(tenant, end, row)
