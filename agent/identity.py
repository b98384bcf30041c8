"""Whose records are whose: a device that says who it is keeps its agent, on whatever port it comes back.

Records are kept under a name: that of the target by which the device first came. A device that says nothing
of itself, such as `host`, is its name.
"""

from __future__ import annotations

from collections.abc import Collection

from agent.store import Store


async def records_name(store: Store, target: str, identity: str, taken: Collection[str]) -> str:
    """Where the records of the device are that is reached as `target` and calls itself `identity` ("" for
    nothing). `taken` are those of the agents that live: two devices never share records."""
    if not identity:
        return _free(target, "another", taken)
    names = {name for (name,) in await store.read("SELECT name FROM agents WHERE identity = ?", identity)}
    if mine := names - set(taken):
        return target if target in mine else str(min(mine))
    rows = await store.read("SELECT identity FROM agents WHERE name = ?", target)
    others = bool(rows) and rows[0][0] not in ("", identity)
    return f"{target} {identity}" if others else _free(target, identity, taken)


def _free(target: str, mark: str, taken: Collection[str]) -> str:
    return f"{target} {mark}" if target in taken else target
