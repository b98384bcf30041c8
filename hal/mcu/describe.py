"""What a device offers, in Mesos's words: its own facts and its board's page."""

from __future__ import annotations

from hal.boards import Board
from hal.link import DeviceFacts
from hal.target import MEBIBYTE, Description, Items, Ranges, Resource, Scalar


def describe(name: str, board: Board, facts: DeviceFacts) -> Description:
    """Resources and attributes of the device `name`."""
    resources: list[Resource] = [
        Scalar("cpus", 1.0),
        Scalar("mem", facts.arena_bytes * 1000 // MEBIBYTE / 1000),  # down: Mesos must not offer more
        Scalar("flash_kb", board.flash.size / 1024),
    ]
    if facts.gpio:
        resources.append(Ranges("gpio", ((0, facts.gpio - 1),)))
    if facts.sensors:
        resources.append(Items("sensors", frozenset(facts.sensors)))
    attributes = {
        "board": board.name,
        "mcu": board.mcu,
        "isa": board.isa,
        "firmware": f"mma {facts.kernel}",
        "isolation": facts.isolation,
        "clock_mhz": f"{facts.clock / 1e6:g}",
        "executors": str(facts.executors),
    }
    return Description(name, tuple(resources), attributes, facts.arena_bytes)
