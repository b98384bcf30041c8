"""Executors in the eyes of the debugger: their symbols come and go, and breakpoints wait for them by name."""

from __future__ import annotations

import contextlib
import logging
import re
from dataclasses import dataclass, field

from emulation.gdb.errors import GdbError, GdbRefused
from emulation.gdb.session import Session
from hal.mcu import Placed

log = logging.getLogger(__name__)


def task_of(key: str) -> str:
    """The Mesos task of an executor's key, which is framework id + "/" + task id."""
    return key.rpartition("/")[2]


@dataclass(slots=True)
class Named:
    """A breakpoint at a function of executors, by its WebAssembly name; `numbers` are GDB's, by executor."""

    name: str
    condition: str = ""
    temporary: bool = False
    enabled: bool = True
    numbers: dict[str, str] = field(default_factory=dict)


class Tenants:
    """What GDB was told of the executors on one target."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, Placed] = {}
        self.named: dict[str, Named] = {}

    @property
    def known(self) -> tuple[Placed, ...]:
        """Those whose symbols GDB has."""
        return tuple(self._known.values())

    async def add(self, placed: Placed) -> None:
        """One is in its slot: its symbols, and the breakpoints that waited for it."""
        await self.remove(*(one.key for one in self.known if _overlap(one, placed) or one.key == placed.key))
        await self._session.symbols.add(placed.image.elf)
        self._known[placed.key] = placed
        for named in self.named.values():
            await self._insert(named, placed)

    async def keep(self, present: tuple[Placed, ...]) -> None:
        """Forget those that left; take those that GDB was not told of."""
        keys = {one.key for one in present}
        await self.remove(*(key for key in self._known if key not in keys))
        for one in present:
            if one.key not in self._known:
                await self.add(one)

    async def remove(self, *keys: str) -> None:
        """Forget symbols and addresses."""
        for key in keys:
            gone = self._known.pop(key)
            for named in self.named.values():
                number = named.numbers.pop(key, None)
                if number is not None:
                    await self._quietly(self._session.breakpoints.delete(number))
            if not any(one.image.elf == gone.image.elf for one in self.known):
                await self._quietly(self._session.symbols.remove(gone.image.elf))

    async def break_at(self, name: str, condition: str = "") -> Named:
        """Stop in the functions of that name, now and in executors to come."""
        named = self.named[name] = Named(name, condition)
        for placed in self.known:
            await self._insert(named, placed)
        return named

    async def drop(self, name: str) -> None:
        """No longer."""
        named = self.named.pop(name)
        for number in named.numbers.values():
            await self._quietly(self._session.breakpoints.delete(number))

    async def enable(self, name: str, on: bool) -> None:
        """Switch it on or off."""
        named = self.named[name]
        named.enabled = on
        for number in named.numbers.values():
            await self._session.breakpoints.enable(number, on)

    def has(self, name: str) -> bool:
        """Some executor has a function of that name."""
        return any(name == symbol[2] for placed in self.known for symbol in placed.image.symbols)

    def at(self, address: int) -> Placed | None:
        """Whose code an address is in."""
        for one in self.known:
            if one.place.code <= address < one.place.code + one.parts.code:
                return one
        return None

    async def _insert(self, named: Named, placed: Placed) -> None:
        found = (f"*{address:#x}" for address, _, name, _ in placed.image.symbols if name == named.name)
        place = next(found, c_name(placed, named.name))  # what was inlined has no symbol, but GDB knows it
        with contextlib.suppress(GdbRefused):
            made = await self._session.breakpoints.insert(
                place, condition=named.condition, enabled=named.enabled
            )
            named.numbers[placed.key] = made.number

    async def _quietly(self, work: object) -> None:
        try:
            await work  # type: ignore[misc]
        except GdbError as error:
            log.debug("while forgetting an executor: %s", error)


def c_name(placed: Placed, name: str) -> str:
    """What hal.aot calls a function of an executor in C, and so does GDB."""
    for index, known in enumerate(placed.image.functions):
        if known == name:
            return f"f{index}_" + re.sub(r"[^A-Za-z0-9_]", "_", name)[:60]
    return name


def _overlap(one: Placed, other: Placed) -> bool:
    return one.place.code < other.place.code + other.place.taken and (
        other.place.code < one.place.code + one.place.taken
    )
