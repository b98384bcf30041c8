"""Who is on a device: the executors that the gateway knows, and what it takes to keep that true."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection, Mapping

from hal.abi import ResetCause, State
from hal.broadcast import Broadcast
from hal.errors import LinkError
from hal.link import DeviceFacts, Link, Refused, Slots, SlotState
from hal.mcu.tenant import Tenant, key_digest
from hal.target import Diagnostic, Ended

log = logging.getLogger(__name__)


class Roster:
    """The tenants of one device by their keys, and the slots that are nobody's.

    Shared by the target, which launches and kills, and the follower, which sees what becomes of them.
    """

    def __init__(self, name: str, link: Link, events: Broadcast) -> None:
        self.name = name
        self.link = link
        self.events = events
        self.tenants: dict[str, Tenant] = {}
        self.settled = False
        """Who else is on the device is known by now to be of no interest; see recover()."""
        self.keeps_ends = False
        """Executors that ended stay on the device until release()."""
        self._ends: dict[str, tuple[int, int]] = {}  # key: slot and generation of those that stay
        self.loading = asyncio.Lock()
        """Held while an executor is created, loaded and started: one at a time gets the line."""
        self.news = asyncio.Event()
        """Set when the follower should look at the newest list of slots (again)."""
        self.freed = asyncio.Event()
        """Set when a slot was freed."""
        self._facts: DeviceFacts | None = None
        self._forgotten: dict[int, int] = {}  # slot: generation of the last executor deleted from it

    @property
    def facts(self) -> DeviceFacts:
        """What the device said of itself when it last started."""
        if self._facts is None:
            raise LinkError(f"{self.name} was not opened.")
        return self._facts

    def started(self, facts: DeviceFacts) -> None:
        """The device was met for the first time, or again after a restart."""
        self._facts = facts
        self._forgotten.clear()
        self._ends.clear()
        crash = facts.crash
        if crash is not None:
            where = f", slot {crash.slot} running" if crash.slot >= 0 else ""
            what = "hung" if facts.reset is ResetCause.WATCHDOG else "crashed"
            words = (
                f"The kernel {what} before this start: cause {crash.cause}, pc 0x{crash.pc:08x}, "
                f"lr 0x{crash.lr:08x}, status 0x{crash.status:x}, address 0x{crash.address:08x}{where}."
            )
            self.events.publish(Diagnostic(words))

    def running(self) -> list[Tenant]:
        """Those that were started, to be looked at while others come and go."""
        return [tenant for tenant in self.tenants.values() if tenant.started]

    def end(self, tenant: Tenant, end: Ended) -> None:
        """Publish a tenant's end, once."""
        if self.tenants.get(tenant.key) is tenant:
            del self.tenants[tenant.key]
            tenant.ended.set()
            self.events.publish(end)

    async def finish(self, tenant: Tenant, end: Ended, row: SlotState) -> None:
        """Publish the end of a tenant that is on the device, and free its slot when that may be."""
        if self.keeps_ends:
            self._ends[tenant.key] = (row.slot, row.generation)
            self._forgotten[row.slot] = row.generation
        self.end(tenant, end)
        if not self.keeps_ends:
            await self.delete(row.slot, row.generation)

    async def release(self, key: str) -> None:
        """Free the slot of an executor that ended, if it stayed. A link that is down keeps it: sweep()
        removes it later."""
        slot, generation = self._ends.pop(key, (None, 0))
        if slot is not None:
            try:
                await self.delete(slot, generation)
            except LinkError:
                self._forgotten.pop(slot, None)

    async def delete(self, slot: int, generation: int | None = None) -> None:
        """Free a slot of the device; `generation`, where known, is not looked at again."""
        with contextlib.suppress(Refused):  # gone already is as good
            await self.link.delete(slot)
        self.freed.set()
        if generation is not None:
            self._forgotten[slot] = generation

    async def holds(self, slot: int, tenant: Tenant) -> bool:
        """The device has this tenant in this slot."""
        try:
            return (await self.link.executor(slot)).key == tenant.digest
        except Refused:
            return False

    async def recover(self, keys: Collection[str], offsets: Mapping[str, int]) -> frozenset[str]:
        """Take over those of `keys` that are on the device, and remove all others. See McuTarget."""
        found = self.tenants.keys() & set(keys)
        wanted = {key_digest(key): key for key in keys}
        async for row, digest in self._strangers(await self.link.slots()):
            key = wanted.get(digest)
            if key is not None and row.state in (State.RUNNING, State.ENDED):
                read = offsets.get(key, 0) % (1 << 32)
                tenant = Tenant(key, digest, slot=row.slot, started=True, log_offset=read)
                self.tenants[key] = tenant
                found.add(key)
            else:
                await self.delete(row.slot, row.generation)
        self.settled = True
        self.news.set()
        return frozenset(found)

    async def sweep(self, slots: Slots) -> None:
        """Remove executors that nobody knows: their end was told, but the request to free them got lost."""
        if not self.settled or self.loading.locked():
            return
        async with self.loading:  # a tenant that is created meanwhile could be taken for who had its slot
            mine = {tenant.digest for tenant in self.tenants.values()}
            async for row, digest in self._strangers(slots):
                if digest not in mine:
                    await self.delete(row.slot, row.generation)

    async def _strangers(self, slots: Slots) -> AsyncIterator[tuple[SlotState, bytes]]:
        """Occupied slots that no tenant is known to be in, with the digest of who is."""
        mine = {tenant.slot for tenant in self.tenants.values()}
        for row in slots.slots:
            if row.slot in mine or self._forgotten.get(row.slot) == row.generation:
                continue
            with contextlib.suppress(Refused):  # gone since
                yield row, (await self.link.executor(row.slot)).key
