"""Sentences of the debugger: why it stopped, what a trap was, what Mesos makes of a board that is held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.debug.view import Break, DebugView, Phase, Spot
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


def held_text(view: DebugView, now: float) -> str:
    """How long a board has been silent, and what the master makes of that."""
    if view.phase is not Phase.STOPPED or not view.held_since:
        return ""
    seconds = max(0, int(now - view.held_since))
    return f"held {seconds} s"


def mesos_text(view: DebugView) -> str:
    """What the master sees meanwhile."""
    return (
        "While it is held, the gateway answers the master's pings for it: tasks stay as they are, launches "
        "and kills wait. Without the gateway's answers the master would give the agent up after "
        f"{view.ping_limit:g} s."
    )
