"""Watched expressions that can be opened: GDB's variable objects. They need a stopped target."""

from __future__ import annotations

from dataclasses import replace

from emulation.gdb import parse
from emulation.gdb.core import Core
from emulation.gdb.facts import Watched

FORMATS = ("natural", "decimal", "hexadecimal", "octal", "binary", "zero-hexadecimal")


class Variables:
    """Each expression has a handle, its `name`; children are named `parent.member`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: dict[str, Watched] = {}

    @property
    def known(self) -> tuple[Watched, ...]:
        """All that were created or opened, with their last values."""
        return tuple(self._known.values())

    async def create(self, expression: str, *, floating: bool = True, frame: int = 0) -> Watched:
        """Follow an expression in whatever frame is selected (`floating`), or in one until it returns."""
        self._core.require_stopped()
        place = [] if floating else ["--thread", self._thread(), "--frame", str(frame)]
        reply = await self._core.command("-var-create", *place, "-", "@" if floating else "*", expression)
        made = parse.watched(reply.fields, expression)
        self._known[made.name] = made
        return made

    async def children(self, name: str, start: int = 0, count: int = 100) -> tuple[Watched, ...]:
        """Members or elements, from `start` on."""
        self._core.require_stopped()
        reply = await self._core.command(
            "-var-list-children", "--all-values", name, str(start), str(start + count)
        )
        found = tuple(map(parse.watched, reply.fields.items("children")))
        self._known.update((child.name, child) for child in found)
        return found

    async def update(self) -> tuple[Watched, ...]:
        """Read all anew; those that changed, or went out of scope."""
        self._core.require_stopped()
        self._known = {name: replace(item, changed=False) for name, item in self._known.items()}
        reply = await self._core.command("-var-update", "--all-values", "*")
        changed: list[Watched] = []
        for item in reply.fields.items("changelist"):
            old = self._known.get(item.text("name"))
            if old is None:
                continue
            new = replace(
                old,
                value=item.text("value", old.value),
                type=item.text("new_type", old.type),
                children=item.integer("new_num_children", old.children),
                in_scope=item.text("in_scope", "true") == "true",
                changed=True,
            )
            self._known[new.name] = new
            changed.append(new)
        return tuple(changed)

    async def assign(self, name: str, value: str) -> str:
        """Write an expression's value into it; what it reads as then."""
        self._core.require_stopped()
        return (await self._core.command("-var-assign", name, value)).fields.text("value")

    async def set_format(self, name: str, format_: str) -> str:
        """Show it in one of FORMATS; what it reads as then."""
        reply = await self._core.command("-var-set-format", name, format_)
        value = reply.fields.text("value")
        if name in self._known and value:
            self._known[name] = replace(self._known[name], value=value)
        return value

    async def path(self, name: str) -> str:
        """The full expression of a child, such as `((where).x)`."""
        return (await self._core.command("-var-info-path-expression", name)).fields.text("path_expr")

    async def delete(self, name: str) -> None:
        """Follow it no longer, nor its children."""
        await self._core.command("-var-delete", name)
        for known in [known for known in self._known if known == name or known.startswith(f"{name}.")]:
            del self._known[known]

    def forget(self) -> None:
        """GDB was replaced; its handles are gone."""
        self._known.clear()

    def _thread(self) -> str:
        return (self._core.last.thread if self._core.last is not None else "") or "1"
