"""Plays the units of a script on an emulated board: our compiler and linker, the link, the real kernel."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from pieces import MOST_STEPS, Piece, arguments, c_of, piece
from player import HOSTS, PRELUDE
from units import Script, Unit, trap_is

from emulation.targets import open_machine
from hal import aot, firmware
from hal.abi import EndCause, State, Trap
from hal.aot.compiler import compile_for
from hal.aot.translate import Harness
from hal.boards import Board, load_board
from hal.errors import BudgetError, ModuleError
from hal.link import Create, DeviceFacts, ExecutorState, Link

MOST_STACK, LEAST_STACK = 16 << 10, 1536
MUCH = 2
"""The part of the room that is enough for memory: a smaller piece would not leave it much more."""
STEP_BYTES = 100
"""About what a step takes in an image."""
LOG = RESULT = 64
LIMIT = 60.0
"""Seconds for one run; it takes some 50 ms."""

ROOM, STACK = "past the room there is", "deeper than the stack"
_SHORT = {Trap.BUDGET: ROOM, Trap.STACK: STACK}


@dataclass(frozen=True, slots=True)
class Ready:
    """A piece compiled, with the sizes of its slot."""

    piece: Piece
    object: aot.Object
    code: int
    stack: int
    memory: int


@dataclass(slots=True)
class Played:
    """What of a script was not as it should be, by the steps' lines and texts."""

    failures: list[str] = field(default_factory=list)
    short: dict[str, list[int]] = field(default_factory=dict)
    """Lines of the steps for which the board is too small, by what they lack."""


class BoardPlayer:
    """One emulated board. Use `opened()`.

    A board ends an executor at its first trap. So one run does all steps of a piece that return and compares
    their results on the spot; each step that must trap gets a run of its own, after the steps before it.
    """

    def __init__(self, board: Board, link: Link, facts: DeviceFacts) -> None:
        self._board = board
        self._link = link
        self._facts = facts
        self._count = 0
        self._room = facts.largest_free - LOG - RESULT - (512 if facts.isolation == "mpu" else 32)
        """Bytes for code, stack and memory; the rest is what alignment may cost."""
        self._played = Played()
        self.runs = 0

    async def play(self, script: Script) -> Played:
        """Play all units."""
        self._played = Played()
        for unit in script.units:
            await self._play(unit)
        return self._played

    async def _play(self, unit: Unit) -> None:
        if unit.trap:
            await self._play_start(unit)
        dead: set[int] = set()
        most = min(MOST_STEPS, max(1, self._room // STEP_BYTES))
        work = [(at, min(at + most, len(unit.steps))) for at in reversed(range(0, len(unit.steps), most))]
        while work:
            one = piece(unit, *work.pop(), dead)
            try:
                ready = await asyncio.to_thread(self._compile, one)
                if ready is None:
                    work += reversed(one.halves)
                    continue
                hungry = await self._judge(ready, dead)
            except BudgetError:
                self._lacks(unit, ROOM, range(one.begin, one.end))
            except ModuleError as error:
                self._played.failures.append(f"line {unit.line}: module: {error}")
                return
            else:
                work += [(number, number + 1) for number in reversed(hungry)]

    async def _play_start(self, unit: Unit) -> None:
        """A module that must trap at its start."""
        try:
            ready = await asyncio.to_thread(self._compile, piece(unit, 0, 0, ()))
            assert ready is not None
            end = await self._run(ready, arguments(ready.piece, -1, 0, ()))
        except ModuleError:
            return  # what traps at once never starts
        except BudgetError:
            self._played.short.setdefault(ROOM, []).append(unit.line)
            return
        if not _trapped(end, unit.trap):
            self._played.failures.append(f"line {unit.line}: module: {_told(end)}")

    async def _judge(self, ready: Ready, dead: set[int]) -> list[int]:
        """Do a piece's steps. Answers those that lack room, but may have it in a smaller piece."""
        one, unit = ready.piece, ready.piece.unit
        hungry: list[int] = []
        first = one.first
        while first < len(one.numbers):
            end = await self._run(ready, arguments(one, -1, first, dead))
            if end.cause is EndCause.EXIT:
                if end.status:
                    self._fails(unit, one.numbers[end.status - 1], "a wrong result")
                first = end.status or len(one.numbers)
                continue
            number = one.numbers[await self._find_end(ready, end, first, dead)]
            dead.add(number)
            self._ended(ready, number, end, hungry)
        for place, number in enumerate(one.numbers[one.first :], one.first):
            trap = unit.steps[number].trap
            if trap:
                end = await self._run(ready, arguments(one, place, place, dead))
                if not _trapped(end, trap):
                    self._ended(ready, number, end, hungry)
        dead -= set(hungry)
        return sorted(hungry)

    def _ended(self, ready: Ready, number: int, end: ExecutorState, hungry: list[int]) -> None:
        """A step ended the executor in a way that it must not."""
        one = ready.piece
        lack = _SHORT.get(Trap(end.status)) if end.cause is EndCause.TRAP else None
        if not lack:
            self._fails(one.unit, number, _told(end))
        elif one.halves and (lack == STACK or ready.memory < self._room // MUCH):
            hungry.append(number)
        else:
            self._lacks(one.unit, lack, [number])

    def _fails(self, unit: Unit, number: int, how: str) -> None:
        step = unit.steps[number]
        self._played.failures.append(f"line {step.line}: {step.text}: {how}")

    def _lacks(self, unit: Unit, lack: str, numbers: Iterable[int]) -> None:
        self._played.short.setdefault(lack, []).extend(unit.steps[number].line for number in numbers)

    async def _find_end(self, ready: Ready, end: ExecutorState, first: int, dead: set[int]) -> int:
        """Place of the step that ended the executor though it must not."""
        count = len(ready.piece.numbers)
        if 1 <= end.memory <= count and not (ready.object.grows and ready.object.page_bytes == 1):
            return end.memory - 1  # the script told
        low, high = 0, count - 1  # it ends at `high` at the latest, and not before `low`
        while low < high:
            middle = (low + high) // 2
            rest = set(ready.piece.numbers[middle + 1 :])
            if (
                await self._run(ready, arguments(ready.piece, -1, first, dead | rest))
            ).cause is EndCause.EXIT:
                low = middle + 1
            else:
                high = middle
        return high

    def _compile(self, one: Piece) -> Ready | None:
        """Compile it and split the room. None if a smaller piece would leave it the memory that it wants."""
        harness = Harness(HOSTS, PRELUDE, c_of(one))
        made = compile_for(one.unit.binary, aot.Machine.of(self._board), harness)
        code = self._up(made.code_bytes + made.arguments_bytes(("9999", "9999", "x" * len(one.numbers))))
        least_stack = self._up(max(LEAST_STACK, made.stack_margin + 512))
        linear = made.declared_memory
        if made.grows:
            linear = self._room if made.maximum_memory is None else made.maximum_memory
        wanted = self._up(max(made.memory_part(linear), len(one.numbers)))
        rest = self._room - code - least_stack
        if one.halves and rest < min(made.memory_part(made.declared_memory), self._room // MUCH):
            return None
        memory = min(wanted, rest // self._facts.alignment * self._facts.alignment)
        if memory < made.instance_bytes:
            raise BudgetError("The board is too small.", missing=made.instance_bytes - memory, where="memory")
        stack = min(MOST_STACK, self._room - code - memory) // self._facts.alignment * self._facts.alignment
        return Ready(one, made, code, stack, memory)

    def _up(self, size: int) -> int:
        return -(-size // self._facts.alignment) * self._facts.alignment

    async def _run(self, ready: Ready, arguments: tuple[str, ...]) -> ExecutorState:
        """One executor from its creation to its end."""
        self.runs += 1
        self._count += 1
        key = self._count.to_bytes(8, "little")
        wish = Create(key, ready.code, ready.stack, ready.memory, LOG, RESULT, share=1000)
        place = await self._link.create(wish)
        try:
            layout = aot.Layout(place.code, ready.code, place.stack, ready.stack, place.memory, ready.memory)
            image = await asyncio.to_thread(aot.link, ready.object, layout, arguments)
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
