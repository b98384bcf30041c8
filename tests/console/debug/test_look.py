"""What changed since the stop before, however often a stop is looked at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from console.debug.look import Looker
from console.debug.view import Spot
from emulation.gdb.facts import Variable


async def test_a_change_stays_lit_until_the_next_stop() -> None:
    """An assignment, or opening something, looks again at the same stop."""
    now = {"n": "1", "m": "1"}

    async def variables(level: int, *, nested: bool = False) -> tuple[Variable, ...]:
        return tuple(Variable(name, value, "int", False) for name, value in now.items())

    session = SimpleNamespace(stops=1, stack=SimpleNamespace(variables=variables))
    looker = Looker(cast(Any, session), cast(Any, SimpleNamespace(at=lambda address: None)), None)

    async def lit(function: str = "main") -> list[str]:
        found, _ = await looker.variables(0, Spot(0x100, function, owner="kernel"))
        return [one.name for one in found if one.changed]

    assert await lit() == []
    session.stops, now["n"] = 2, "2"
    assert await lit() == ["n"]
    now["m"] = "7"
    assert await lit() == ["n", "m"]
    assert await lit() == ["n", "m"]
    session.stops = 3
    assert await lit() == []
    session.stops, now["n"] = 4, "9"
    assert await lit("other") == [], "another function has other variables"
