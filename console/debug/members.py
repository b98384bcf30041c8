"""What a variable is made of: members, elements, or what it points to, as deep as somebody opened it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from console.debug.view import Value
from emulation.gdb.errors import GdbError
from emulation.gdb.session import Session

MOST = 64
"""Members or elements of one value that are shown."""
DEEPEST = 12
"""Levels: a list that ends in itself has no last one."""
_UNTOLD = re.compile(r"\{\.\.\.\}|\[\d+\]")
"""What a variable object says of a record or an array."""
_BRACKETS = re.compile(r"\(((?:\w|->|\.|\[\d+\])+)\)")


class Members(Protocol):
    """Reads them while the target is stopped."""

    async def of(self, value: Value) -> tuple[Value, ...]:
        """Those of a value that opens; `path` is theirs. GdbError where they cannot be read."""
        ...


@dataclass(slots=True)
class Opened:
    """Which values are open: those that somebody chose by their paths, and all above a `depth`."""

    depth: int = 0
    paths: set[str] = field(default_factory=set)

    def turn(self, path: str) -> None:
        """Open it, or close it with all that is in it."""
        if path in self.paths:
            self.paths = {one for one in self.paths if one != path and not _is_in(one, path)}
        else:
            self.paths.add(path)

    def has(self, value: Value) -> bool:
        """Whether it is one of them; pointers are followed only where somebody chose to."""
        return value.key in self.paths or (value.depth < self.depth and not value.type.endswith("*"))


async def flattened(
    values: Iterable[Value], members: Members, opened: Opened, lit: Callable[[str, str], bool]
) -> tuple[Value, ...]:
    """The values, each with what is in it behind it if it is open. `lit(key, text)` tells whether one
    changed."""
    rows: list[Value] = []
    for value in values:
        if not value.opens or value.depth >= DEEPEST or not opened.has(value):
            rows.append(value)
            continue
        rows.append(replace(value, opened=True))
        try:
            inner = await members.of(value)
        except GdbError as error:
            inner = (Value("", f"– {error.message.rstrip('.')}"),)  # noqa: RUF001
        below = (replace(one, depth=value.depth + 1, watched=value.watched) for one in inner)
        shown = [replace(one, changed=lit(one.key, one.text + one.detail)) for one in below]
        rows += await flattened(shown, members, opened, lit)
    return tuple(rows)


class KernelMembers:
    """By GDB's variable objects, in a frame of the stack."""

    def __init__(self, session: Session, level: int) -> None:
        self._session = session
        self._level = level

    async def of(self, value: Value) -> tuple[Value, ...]:
        """GDB knows where it is, be it in memory or in registers."""
        variables = self._session.variables
        made = await variables.create(value.path, floating=False, frame=self._level)
        try:
            rows = await self._below(made.name)
        finally:
            await variables.delete(made.name)
        if made.children > MOST:
            rows = (*rows, Value("…", f"{made.children - MOST} more"))
        return rows

    async def _below(self, handle: str) -> tuple[Value, ...]:
        rows: list[Value] = []
        for one in await self._session.variables.children(handle, 0, MOST):
            if one.expression.startswith("<anonymous"):  # its members are those of what it is in
                rows += await self._below(one.name)
                continue
            path = without_brackets(await self._session.variables.path(one.name))
            name = f"[{one.expression}]" if one.expression.isdecimal() else one.expression
            text = one.value
            if _UNTOLD.fullmatch(text):
                text = await self._session.data.evaluate(path, frame=self._level)
            rows.append(Value(name, text, one.type, path=path, opens=one.openable))
        return tuple(rows)


def joined(path: str, step: str) -> str:
    """A member's path: `n` and `->at` give `n->at`; what begins with `*` is put in brackets."""
    return f"({path}){step}" if path.startswith("*") else f"{path}{step}"


def without_brackets(path: str) -> str:
    """As a person writes it: GDB puts brackets around each level, `((executor)->context).sp`."""
    while (found := _BRACKETS.sub(r"\1", path)) != path:
        path = found
    return path


def _is_in(path: str, outer: str) -> bool:
    """`n->at.x` is in `n` and in `n->at`."""
    bare, around = (re.sub(r"[()*&]", "", one) for one in (path, outer))
    return bare.startswith(around) and bare[len(around) : len(around) + 1] in (".", "-", "[")
