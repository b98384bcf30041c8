"""Breakpoints and watchpoints. A running target is held for a moment where GDB needs that."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from emulation.gdb import parse
from emulation.gdb.core import Core
from emulation.gdb.errors import GdbError
from emulation.gdb.facts import Breakpoint
from emulation.gdb.mi import Fields


class Access(Enum):
    """What a watchpoint waits for; the value is GDB's option."""

    WRITE = ""
    READ = "-r"
    ANY = "-a"


_ACCESS = {"read watchpoint": Access.READ, "acc watchpoint": Access.ANY}


class Breakpoints:
    """Made, changed and listed; every change is also an event."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def known(self) -> tuple[Breakpoint, ...]:
        """All, by number, as GDB last told."""
        return tuple(sorted(self._core.breakpoints.values(), key=lambda item: int(item.number)))

    async def insert(
        self,
        location: str,
        *,
        condition: str = "",
        ignore: int = 0,
        temporary: bool = False,
        hardware: bool = False,
        enabled: bool = True,
        pending: bool = False,
    ) -> Breakpoint:
        """Set one at `function`, `file:line` or `*address`.

        `ignore` hits pass first; `hardware` is for code in flash of a real board; `pending` accepts a
        location that no symbols have yet, as in an executor not yet loaded. GdbRefused.
        """
        options = [*(["-t"] if temporary else []), *(["-h"] if hardware else [])]
        options += [*(["-f"] if pending else []), *([] if enabled else ["-d"])]
        options += [*(["-c", condition] if condition else []), *(["-i", str(ignore)] if ignore else [])]
        async with self._core.paused():
            reply = await self._core.command("-break-insert", *options, location)
        found = parse.breakpoint_(reply.fields.fields("bkpt"))
        self._core.note_breakpoint(found)
        return found

    async def watch(
        self, expression: str, access: Access = Access.WRITE, *, condition: str = "", ignore: int = 0
    ) -> Breakpoint:
        """Stop when the value of an expression is written, read, or either. GdbRefused."""
        async with self._core.paused():
            reply = await self._core.command(
                "-break-watch", *([access.value] if access.value else []), expression
            )
            made = next(item for name in reply.fields.values if (item := reply.fields.fields(name)).values)
            number = made.text("number")
            if condition:
                await self._core.command("-break-condition", number, condition)
            if ignore:
                await self._core.command("-break-after", number, str(ignore))
            await self._read()
        return self._get(number)

    async def delete(self, *numbers: str) -> None:
        """Remove some. GdbError where there is no such number."""
        for number in numbers:
            self._get(number)  # GDB itself only grumbles in its log
        async with self._core.paused():
            await self._core.command("-break-delete", *numbers)
        for number in numbers:
            self._core.forget_breakpoint(number)

    async def enable(self, number: str, on: bool = True) -> Breakpoint:
        """Switch one on or off; also one place of several, by its number such as "2.1"."""
        return await self._change(number, f"-break-{'enable' if on else 'disable'}", number)

    async def set_condition(self, number: str, condition: str) -> Breakpoint:
        """Stop only if an expression is not zero; "" always."""
        return await self._change(number, "-break-condition", number, *([condition] if condition else []))

    async def set_ignore(self, number: str, count: int) -> Breakpoint:
        """Let `count` more hits pass."""
        return await self._change(number, "-break-after", number, str(count))

    async def list_(self) -> tuple[Breakpoint, ...]:
        """Ask GDB for all, with their hit counts."""
        await self._read()
        return self.known

    async def restore(self, wanted: Iterable[Breakpoint]) -> list[str]:
        """After GDB was replaced: set them again, under new numbers. What could not be, in words."""
        failed: list[str] = []
        for old in wanted:
            self._core.forget_breakpoint(old.number)
            try:
                if old.watch:
                    access = _ACCESS.get(old.kind, Access.WRITE)
                    new = await self.watch(old.what, access, condition=old.condition, ignore=old.ignore)
                else:
                    new = await self.insert(
                        old.what,
                        condition=old.condition,
                        ignore=old.ignore,
                        temporary=old.temporary,
                        hardware=old.kind == "hw breakpoint",
                        pending=True,
                    )
                if not old.enabled:
                    await self.enable(new.number, False)
            except GdbError as error:
                failed.append(f"{old.what}: {error}")
        return failed

    async def _change(self, number: str, *command: str) -> Breakpoint:
        async with self._core.paused():
            await self._core.command(*command)
            await self._read()
        return self._get(number.partition(".")[0])

    async def _read(self) -> None:
        """Take GDB's table; tell what differs from what was known."""
        reply = await self._core.command("-break-list")
        rows = reply.fields.fields("BreakpointTable").items("body")
        table = {row.text("number"): parse.breakpoint_(row) for row in _without_places(rows)}
        for number in self._core.breakpoints.keys() - table.keys():
            self._core.forget_breakpoint(number)
        for number, found in table.items():
            if self._core.breakpoints.get(number) != found:
                self._core.note_breakpoint(found)

    def _get(self, number: str) -> Breakpoint:
        found = self._core.breakpoints.get(number)
        if found is None:
            raise GdbError(f"There is no breakpoint {number}.", remedy="List them first.")
        return found


def _without_places(rows: list[Fields]) -> list[Fields]:
    """A GDB before MI 3 lists the places of a breakpoint as rows of their own."""
    return [row for row in rows if "." not in row.text("number")]
