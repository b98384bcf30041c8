"""What a module calls that its task's resources must grant, and do not: told before a launch, by its imports.

Whether a granted pin is the right one only the module knows: it computes which it asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from console.fit.budgets import Ask

_WHAT = {"gpio": ("pin", "--gpio 0-3"), "sensors": ("sensor", "--sensor temp0")}


@dataclass(frozen=True, slots=True)
class Ungranted:
    """A Mesos resource, `gpio` or `sensors`, of which a task asks nothing though its module makes `calls`."""

    resource: str
    calls: tuple[str, ...]

    @property
    def text(self) -> str:
        """What will happen."""
        *most, last = self.calls
        calls = f"{', '.join(most)} and {last}" if most else last
        end = "they will be denied" if most else "it will be denied"
        return f"calls {calls}, but no {_WHAT[self.resource][0]} is granted: {end}"

    @property
    def remedy(self) -> str:
        """For the command line."""
        return f"Grant one by {_WHAT[self.resource][1]}, say."


def ungranted(module: bytes, ask: Ask) -> tuple[Ungranted, ...]:
    """What would be denied at each call; nothing of a module that cannot be read, which others tell."""
    granted = {"gpio": bool(ask.gpio), "sensors": bool(ask.sensors)}
    return tuple(Ungranted(name, calls) for name, calls in _guarded(module) if not granted[name])


@lru_cache(maxsize=16)
def _guarded(module: bytes) -> tuple[tuple[str, tuple[str, ...]], ...]:
    from hal.aot.binary import read
    from hal.aot.imports import guarded
    from hal.errors import ModuleError

    try:
        return tuple(guarded(read(module)).items())
    except ModuleError:
        return ()
