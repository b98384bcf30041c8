"""Plays the units of a script on an emulated board: our compiler and linker, the link, the real kernel."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from player import HOSTS, PRELUDE
from units import Script, Unit, c_of, failing, trap_is

from emulation.targets import open_machine
from hal import aot, firmware
from hal.abi import EndCause, State, Trap
from hal.aot.compiler import compile_for
from hal.aot.translate import Harness
from hal.boards import Board, load_board
from hal.errors import BudgetError, ModuleError
from hal.link import Create, DeviceFacts, ExecutorState, Link

STACK = 16 << 10
MOST_ARGUMENTS = 24
LOG = RESULT = 64
LIMIT = 60.0
"""Seconds for one run; it takes some 50 ms."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A unit compiled, with the sizes of its slot."""

    object: aot.Object
    memory: int
    """Bytes of the memory part."""


class BoardPlayer:
    """One emulated board. Use `opened()`."""

    def __init__(self, board: Board, link: Link, facts: DeviceFacts) -> None:
        self._board = board
        self._link = link
        self._facts = facts
        self._count = 0
        self.runs = 0

    async def play(self, script: Script) -> list[str]:
        """Play all units; what failed, by the steps' texts."""
        failures: list[str] = []
        for unit in script.units:
            try:
                failures += await self._play(unit)
            except (BudgetError, ModuleError) as error:
                failures.append(f"line {unit.line}: module: {error}")
        return failures

    async def _play(self, unit: Unit) -> list[str]:
        try:
            ready = await asyncio.to_thread(self._compile, unit)
        except ModuleError:
            if unit.trap:
                return []  # what traps at once never starts
            raise
        if unit.trap:
            end = await self._run(ready, ())
            return [] if _trapped(end, unit.trap) else [f"line {unit.line}: module: {_told(end)}"]
        wrong: list[int] = []
        dead: list[int] = []
        first, last = 0, len(unit.steps) - 1
        while first <= last:
            end = await self._steps(ready, first, last, dead)
            if end.cause is EndCause.EXIT:
                wrong += [end.status - 1] if end.status else []
                first = end.status or last + 1
            else:
                dead.append(await self._find_end(ready, first, last, dead))
        for number in unit.traps:
            end = await self._run(ready, (str(number), "-1", "9999", *map(str, dead)))
            if not _trapped(end, unit.steps[number].trap):
                wrong.append(number)
        return failing(unit, sorted({*wrong, *dead}))

    async def _steps(self, ready: Ready, first: int, last: int, dead: list[int]) -> ExecutorState:
        return await self._run(ready, ("-1", str(first), str(last), *map(str, dead)))

    async def _find_end(self, ready: Ready, first: int, last: int, dead: list[int]) -> int:
        """The step that ends the executor though it must not, by halving."""
        low, high = 0, last  # it ends at `high` at the latest, and not before `low`
        while low < high:
            middle = (low + high) // 2
            if (await self._steps(ready, first, middle, dead)).cause is EndCause.EXIT:
                low = middle + 1
            else:
                high = middle
        return high

    def _compile(self, unit: Unit) -> Ready:
        harness = Harness(HOSTS, PRELUDE, c_of(unit))
        made = compile_for(unit.binary, aot.Machine.of(self._board), harness)
        code = made.code_bytes + made.arguments_bytes(("9999",) * MOST_ARGUMENTS)
        room = self._facts.largest_free - code - STACK - LOG - RESULT - 512  # what alignment may cost
        linear = made.declared_memory
        if made.grows:
            linear = room if made.maximum_memory is None else made.maximum_memory
        return Ready(made, min(made.memory_part(linear), room // 8 * 8))

    async def _run(self, ready: Ready, arguments: tuple[str, ...]) -> ExecutorState:
        """One executor from its creation to its end."""
        self.runs += 1
        self._count += 1
        made, alignment = ready.object, self._facts.alignment

        def up(size: int) -> int:
            return -(-size // alignment) * alignment

        code = up(made.code_bytes + made.arguments_bytes(arguments))
        key = self._count.to_bytes(8, "little")
        wish = Create(key, code, STACK, up(ready.memory), LOG, RESULT, share=1000)
        place = await self._link.create(wish)
        try:
            layout = aot.Layout(place.code, code, place.stack, STACK, place.memory, up(ready.memory))
            image = await asyncio.to_thread(aot.link, made, layout, arguments)
            await self._link.upload(place.slot, image.stream)
            await self._link.start(place.slot, image.stream, image.entry, image.initial_memory)
            async with asyncio.timeout(LIMIT):
                while (end := await self._link.executor(place.slot)).state is not State.ENDED:  # noqa: ASYNC110
                    await asyncio.sleep(0.002)
            return end
        finally:
            await self._link.delete(place.slot)


def _trapped(end: ExecutorState, wanted: str) -> bool:
    return end.cause is EndCause.TRAP and trap_is(wanted, end.status)


def _told(end: ExecutorState) -> str:
    what = f"{end.cause.name} {end.status:#x}"
    if end.cause is EndCause.TRAP:
        what = f"trap {Trap(end.status).name}"
    return f"ended by {what} at {end.pc:#x}"


@contextlib.asynccontextmanager
async def opened(name: str) -> AsyncIterator[BoardPlayer]:
    """A board with its kernel, in its default emulator."""
    board = load_board(name)
    async with open_machine(name) as machine:
        await machine.start((await asyncio.to_thread(firmware.build, board)).elf)
        link = Link(name, machine.connect, baud=board.baud)
        facts = await link.open()
        try:
            yield BoardPlayer(board, link, facts)
        finally:
            await link.close()
