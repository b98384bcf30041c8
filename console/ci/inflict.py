"""Faults and stimuli from outside, done to a target: for `mma run --fault`, `mma ci` and the console.

In words, as a person types them: `link cut`, `link drop=0.01 delay=0.05`, `link good`, `power_cut 0.5`,
`reset`, `pin 4 high`, `sensor temp0 41.5`, `drift 0.1`, `wear 8`; and `at 0.5` before it for the time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from console.ci import timeline as act
from console.errors import ConsoleError, UsageError
from emulation.faults import LinkFaults
from emulation.machine import Capability, Machine

KINDS = ("link", "power_cut", "reset", "pin", "sensor", "drift", "wear")
_SECOND = {"pin": "level", "sensor": "value"}
_LEVELS = {"high": True, "1": True, "low": False, "0": False}
_RESTARTS = (act.CutPower, act.WearFlash)


def parse_words(text: str) -> act.Step:
    """A fault in words as a Step. UsageError says what is wrong."""
    words = text.split()
    table: dict[str, object] = {}
    if words[:1] == ["at"]:
        table["at"], words = _value("at", words[1] if len(words) > 1 else ""), words[2:]
    if not words or words[0] not in KINDS:
        raise UsageError(f"{text!r} is no fault.", remedy=f"It begins with one of: {', '.join(KINDS)}.")
    kind, rest = words[0], words[1:]
    pairs = {
        key: _value(key, value) for key, equals, value in (word.partition("=") for word in rest) if equals
    }
    plain = [word for word in rest if "=" not in word]
    if kind == "link" and not plain:
        if not pairs:
            raise UsageError("A link is cut, good, or has values: link drop=0.01 delay=0.05.")
        table[kind] = pairs
    else:
        table |= pairs
        table[kind] = _main(kind, plain)
        if kind in _SECOND and len(plain) > 1:
            table[_SECOND[kind]] = _value(_SECOND[kind], plain[1])
    if len(plain) > (2 if kind in _SECOND else 1):
        raise UsageError(f"{text!r} has too many words.")
    return act.parse_step(table)


def _main(kind: str, plain: Sequence[str]) -> object:
    """The value of the kind itself."""
    if kind == "reset":
        return True
    if not plain:
        if kind == "power_cut":
            return 0.0
        raise UsageError(f"{kind} needs a value.")
    return plain[0] if kind in ("link", "sensor") else _value(kind, plain[0])


def _value(key: str, text: str) -> object:
    if key == "level":
        if text not in _LEVELS:
            raise UsageError(f"A level is high or low, not {text!r}.")
        return _LEVELS[text]
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError:
        raise UsageError(f"{key} needs a number, not {text!r}.") from None


async def inflict(action: act.Action, machine: Machine | None, faults: LinkFaults | None) -> None:
    """Do it now. ConsoleError or Unsupported says why it cannot be done."""
    if isinstance(action, act.SpoilLink):
        if faults is None:
            raise ConsoleError("This target has no link that could be spoilt.")
        for name in ("cut", "drop", "flip", "duplicate", "delay"):
            setattr(faults, name, getattr(action, name))
        return
    if machine is None:
        raise ConsoleError("This target is not emulated: that cannot be done to it.")
    require = machine.capabilities.require
    if isinstance(action, act.SetSensor):
        require(Capability.SENSORS)
        await machine.set_sensor(action.sensor, action.value)
    elif isinstance(action, act.DrivePin):
        require(Capability.DRIVE_PINS)
        await machine.drive_pin(action.pin, action.level)
    elif isinstance(action, act.CutPower):
        require(Capability.POWER_CUT)
        await machine.power_cut(action.seconds)
    elif isinstance(action, act.Reset):
        require(Capability.RESET)
        await machine.reset()
    elif isinstance(action, act.Drift):
        await machine.drift(action.share)
    elif isinstance(action, act.WearFlash):
        await machine.wear(action.cells, seed=faults.seed if faults is not None else 0)
    else:
        raise UsageError(f"{type(action).__name__} is nothing that is done to a board.")


async def clock_of(machine: Machine | None) -> float:
    """Seconds that passed for a board: virtual ones where its emulator tells them, else the host's."""
    if machine is not None and Capability.VIRTUAL_TIME in machine.capabilities:
        return (await machine.counters()).virtual_time or 0.0
    return time.monotonic()


async def wait_until(moment: float, machine: Machine | None) -> None:
    """Until a board's clock has come to `moment`."""
    while (left := moment - await clock_of(machine)) > 0:  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(left)


async def inflict_all(
    steps: Sequence[act.Step],
    machine: Machine | None,
    faults: LinkFaults | None,
    tell: Callable[[str], None],
) -> None:
    """Each at its time, counted from now."""
    base = await clock_of(machine)
    for step in sorted(steps, key=lambda one: one.at):
        await wait_until(base + step.at, machine)
        tell(f"fault at {step.at:g} s: {step}")
        await inflict(step.action, machine, faults)
        if restarts(step.action):
            base = await clock_of(machine) - step.at  # its clock began anew


def restarts(action: act.Action) -> bool:
    """The board's clock begins anew with it."""
    return isinstance(action, _RESTARTS)
