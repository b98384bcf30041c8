"""What happens around a task, and when: stimuli, faults, kills, and looks at pins and logs.

Times are virtual seconds since the task began to run, where the emulator tells virtual time; else the host's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.errors import UsageError


@dataclass(frozen=True, slots=True)
class SetSensor:
    """From now on a sensor reads `value`, in its unit."""

    sensor: str
    value: float


@dataclass(frozen=True, slots=True)
class DrivePin:
    """Hold an input at a level: a button, or a pin that is stuck."""

    pin: int
    level: bool


@dataclass(frozen=True, slots=True)
class SpoilLink:
    """From now on the link is this bad (emulation.faults.LinkFaults); all zero is a good one again."""

    cut: bool = False
    drop: float = 0.0
    flip: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class CutPower:
    """RAM is lost; the board comes back after so many host seconds."""

    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Reset:
    """Pull the reset line, as a brown-out does: RAM stays."""


@dataclass(frozen=True, slots=True)
class Drift:
    """From now on the board's clock loses that share of its time; 0 is right again."""

    share: float


@dataclass(frozen=True, slots=True)
class WearFlash:
    """So many cells of the flash read as erased from now on, by the scenario's seed; the power is cut."""

    cells: int


@dataclass(frozen=True, slots=True)
class Kill:
    """Ask Mesos to kill the task."""

    grace: float = 0.0


@dataclass(frozen=True, slots=True)
class ExpectPin:
    """An output must have this level within so many seconds."""

    pin: int
    level: bool
    within: float = 1.0


@dataclass(frozen=True, slots=True)
class ExpectLog:
    """A line of the executor's log must hold `text` within so many seconds; earlier ones count."""

    text: str
    within: float = 1.0


Fault = SetSensor | DrivePin | SpoilLink | CutPower | Reset | Drift | WearFlash
"""What is done to a board from outside."""

Action = Fault | Kill | ExpectPin | ExpectLog


@dataclass(frozen=True, slots=True)
class Step:
    """An action at its time."""

    at: float
    action: Action
    on: str = ""
    """Of the case's boards the one that it concerns; empty for its own."""

    def __str__(self) -> str:
        values = (getattr(self.action, one.name) for one in dataclasses.fields(self.action))
        where = ("on", self.on) if self.on else ()
        return " ".join((type(self.action).__name__, *(f"{value}" for value in values), *where))


_KINDS: Mapping[str, tuple[type, str | None]] = {
    "sensor": (SetSensor, "sensor"),
    "pin": (DrivePin, "pin"),
    "link": (SpoilLink, None),
    "power_cut": (CutPower, "seconds"),
    "reset": (Reset, None),
    "drift": (Drift, "share"),
    "wear": (WearFlash, "cells"),
    "kill": (Kill, None),
    "expect_pin": (ExpectPin, "pin"),
    "expect_log": (ExpectLog, "text"),
}
"""The key that tells the kind of a step, and the field that its value is."""


def parse_step(table: Mapping[str, Any]) -> Step:
    """{ at = 0.5, sensor = "temp0", value = 41.5 } as a Step. UsageError says what is wrong."""
    kinds = [key for key in _KINDS if key in table]
    if len(kinds) != 1:
        raise UsageError(f"A step does one of: {', '.join(_KINDS)}.", remedy=f"This one has {dict(table)}.")
    kind = kinds[0]
    made, main = _KINDS[kind]
    rest = {key: value for key, value in table.items() if key not in ("at", "on", kind)}
    value = table[kind]
    if kind == "link":
        rest |= _link(value)
    elif main is not None:
        rest[main] = value
    elif value is not True:
        raise UsageError(f"Write {kind} = true.")
    fields = {one.name: one.type for one in dataclasses.fields(made)}
    for key in rest:
        if key not in fields:
            raise UsageError(f"A step with {kind} has {key!r}, which means nothing there.")
    try:
        action = made(**{key: _convert(str(fields[key]), key, one) for key, one in rest.items()})
    except TypeError as error:
        missing = [name for name in fields if name not in rest]
        raise UsageError(f"A step with {kind} lacks {', '.join(missing)}.") from error
    at = table.get("at", 0.0)
    if isinstance(at, bool) or not isinstance(at, int | float) or at < 0:
        raise UsageError("A step's `at` is a number of seconds.")
    on = table.get("on", "")
    if not isinstance(on, str):
        raise UsageError("A step's `on` is the name of a board.")
    return Step(float(at), action, on)


def _link(value: object) -> dict[str, object]:
    if value == "cut":
        return {"cut": True}
    if value == "good":
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    raise UsageError('A link is "cut", "good", or a table such as { drop = 0.001 }.')


def _convert(kind: str, key: str, value: object) -> object:
    if kind == "bool":
        if value in (0, 1, True, False):
            return bool(value)
        raise UsageError(f"{key} must be true or false.")
    if kind in ("float", "int"):
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or (kind == "int" and value != int(value))
        ):
            raise UsageError(f"{key} must be a number.")
        return int(value) if kind == "int" else float(value)
    if not isinstance(value, str):
        raise UsageError(f"{key} must be text.")
    return value
