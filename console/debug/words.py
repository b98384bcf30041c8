"""Sentences of the debugger: why it stopped, what a trap was, what Mesos makes of a board that is held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.debug.view import Break, DebugView, Phase, Spot
from console.look.figures import age_text
from hal.abi import trap_words

if TYPE_CHECKING:
    from emulation.gdb.events import Stopped

_REASONS = {
    "end-stepping-range": "stepped",
    "function-finished": "the function returned",
    "location-reached": "reached",
    "signal-received": "paused",
    "attached": "stopped to attach",
    "reset": "reset",
    "recovered": "stopped; the stub had lost its way",
    "no-history": "at the beginning of the recorded run",
    "": "stopped",
}


def why(stop: Stopped, spot: Spot, breaks: Sequence[Break]) -> str:
    """Why and where, in half a line."""
    where = f"in {spot.function or 'unknown code'}"
    if spot.owner and spot.owner != "kernel":
        where += f" of {spot.owner}"
    if stop.reason == "breakpoint-hit":
        found = next((one for one in breaks if spot.address in one.addresses), None)
        hits = f", hit {found.hits}" if found is not None and found.hits else ""
        return f"breakpoint {where}{hits}"
    if "watchpoint" in stop.reason:
        change = f": {stop.old} → {stop.new}" if stop.new else ""
        return f"{stop.expression} written{change} {where}"
    words = _REASONS.get(stop.reason, stop.reason.replace("-", " "))
    if stop.result:
        words += f" {stop.result}"
    if stop.signal and stop.signal not in ("SIGINT", "SIGTRAP", "0"):
        words = f"{stop.signal} ({stop.reason})"
    return f"{words} {where}"


def trap_sentence(cause: int, status: int, spot: Spot) -> str:
    """What an executor did wrong."""
    what = trap_words(status) if cause == 2 else f"fault (status {status & 0xFFFFFFFF:#x})"
    return f"trap: {what} in {spot.function or 'unknown code'} of {spot.owner or 'an executor'}"


def held(view: DebugView, target: str) -> bool:
    """Whether the debugger holds this target: it runs nothing, and answers nobody."""
    return view.target == target and view.phase is Phase.STOPPED and view.held_since > 0


def held_text(view: DebugView, now: float) -> str:
    """How long a board has been held, and what the master makes of that."""
    seconds = max(0.0, now - view.held_since)
    told = f"Held by the debugger for {age_text(seconds)}; c there lets it run. "
    if not view.gives_up:
        return told + (
            "The gateway answers the master's pings for it, so its tasks stay as they are; launches and "
            "kills wait. Without --device_timeout the master never gives it up."
        )
    left = view.gives_up - seconds
    if left <= 0:
        return told + f"The master gives an agent up after {view.gives_up:g} s: its tasks are unreachable."
    return told + f"The master gives it up in {left:.0f} s, by --device_timeout and its own ping time-out."
