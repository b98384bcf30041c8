"""The memory of a live session's targets: read through the emulator, which need not stop for it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from console.debug.view import Bytes
from console.errors import ConsoleError, UsageError
from console.live.seam import Post
from console.memory.view import Field, MemoryView
from console.state.events import MemoryChanged

if TYPE_CHECKING:
    from console.fleet.opening import Member
    from console.fleet.session import Session
    from hal.layout import Program

_PIECE = 4096
_AT = re.compile(r"\s*(?P<name>[^+\s]+)\s*(?:\+\s*(?P<offset>0x[0-9a-fA-F]+|\d+))?\s*")


class LiveMemory:
    """Made with the session; kernels are read once each."""

    def __init__(self, session: Session, post: Post) -> None:
        self._session = session
        self._post = post
        self._kernels: dict[object, Any] = {}
        self._programs: dict[object, Program | None] = {}
        self._view = MemoryView()

    async def survey(self, target: str) -> None:
        survey = await asyncio.to_thread(importlib.import_module, "console.memory.survey")
        member = self._member(target)
        if member.firmware not in self._kernels:
            self._kernels[member.firmware] = await asyncio.to_thread(
                survey.kernel_of, member.name.board, member.firmware
            )
        from hal.mcu import McuTarget

        mcu = member.target if isinstance(member.target, McuTarget) else None
        found = await survey.survey(target, self._kernels[member.firmware], member.machine, mcu)
        before = self._view if self._view.target == target else MemoryView()
        self._tell(replace(found, bytes=before.bytes, fields=before.fields))

    async def look(self, target: str, address: int, size: int) -> None:
        address, size = self._within(target, address, size)
        data = await self._read(target, address, size)
        before = self._view.bytes
        changed: frozenset[int] = frozenset()
        if before is not None and before.address == address:
            pairs = enumerate(zip(data, before.data, strict=False))
            changed = frozenset(at for at, (new, old) in pairs if new != old)
        found = await self._meaning(target, address, data)
        self._tell(replace(self._view, bytes=Bytes(address, data, "", changed), fields=found))

    async def _meaning(self, target: str, address: int, data: bytes) -> tuple[Field, ...]:
        """By the kernel's types, or in an executor's memory by its module's."""
        from console.debug.guest import program_of
        from console.memory.fields import fields
        from hal.layout import Program
        from hal.mcu import McuTarget

        member = self._member(target)
        placed = member.target.placed() if isinstance(member.target, McuTarget) else ()
        for one in placed:
            if one.place.memory <= address < one.place.memory + one.image.linear_memory:
                program = await asyncio.to_thread(program_of, one.image.module)
                return fields(program, address, data, one.place.memory) if program is not None else ()
        kernel = member.firmware
        assert kernel is not None
        if kernel not in self._programs:
            self._programs[kernel] = await asyncio.to_thread(Program.of_elf, kernel)
        known = self._programs[kernel]
        return await asyncio.to_thread(fields, known, address, data) if known is not None else ()

    async def address_of(self, target: str, text: str) -> int:
        match = _AT.fullmatch(text)
        if match is None:
            raise UsageError(f"`{text}` is no place.", remedy="Write 0x20001000, a symbol, or symbol+16.")
        offset = int(match["offset"], 0) if match["offset"] else 0
        with contextlib.suppress(ValueError):
            return int(match["name"], 0) + offset
        for region in self._view.regions:
            for symbol in region.symbols:
                if symbol.name == match["name"]:
                    return symbol.address + offset
        for region in self._view.regions:
            if match["name"] in (region.name, region.owner):
                return region.address + offset
        raise UsageError(f"There is no symbol {match['name']}.", remedy="/ filters the list by name.")

    async def find(self, target: str, start: int, pattern: bytes) -> int:
        areas = self._view.areas
        area = next((one for one in areas if one.address <= start < one.address + one.size), areas[-1])
        data = await self._read(target, area.address, area.size)
        at = data.find(pattern, start - area.address)
        if at < 0:
            at = data.find(pattern)
        if at < 0:
            raise ConsoleError(
                f"That is nowhere in {area.name}.", remedy="Look in another memory: m goes there."
            )
        return area.address + at

    async def write(self, target: str, address: int, data: bytes) -> None:
        machine = self._member(target).machine
        assert machine is not None
        await machine.write_memory(address, data)

    def _within(self, target: str, address: int, size: int) -> tuple[int, int]:
        """Cut at the end of what there is."""
        board = self._member(target).name.board
        assert board is not None
        for run in (board.flash, board.ram):
            if run.address <= address < run.end:
                return address, min(size, run.end - address)
        raise UsageError(f"There is no memory at {address:#010x}.", remedy="The map shows what there is.")

    async def _read(self, target: str, address: int, size: int) -> bytes:
        machine = self._member(target).machine
        assert machine is not None
        pieces = [
            await machine.read_memory(at, min(_PIECE, address + size - at))
            for at in range(address, address + size, _PIECE)
        ]
        return b"".join(pieces)

    def _member(self, target: str) -> Member:
        member = self._session.members.get(target)
        if member is None:
            raise UsageError(f"{target} is not up.", remedy="Its line in the fleet says why.")
        if member.machine is None or member.firmware is None:
            raise UsageError(f"{target} has no memory that can be read.", remedy="Choose an emulated board.")
        return member

    def _tell(self, view: MemoryView) -> None:
        self._view = replace(view, serial=self._view.serial + 1)
        self._post(MemoryChanged(self._view))
