"""Levels of pins over time, and the VCD file of them."""

from __future__ import annotations

import os
import shutil

import pytest
from waiting import until

from emulation.errors import EnvironmentMissing, Unsupported
from emulation.machine import Capability
from emulation.pins import Edge, PinTrace
from emulation.targets import open_machine
from hal.boards import load_board
from hal.firmware import build

EMULATORS = [
    "qemu",
    pytest.param(
        "renode",
        marks=[
            pytest.mark.skipif(
                shutil.which(os.environ.get("RENODE") or "renode") is None,
                reason="Renode is not installed: put the portable release on the PATH or in RENODE",
            ),
            pytest.mark.end_to_end,
            pytest.mark.timeout(300),
        ],
    ),
]


def read_vcd(text: str) -> tuple[str, dict[str, list[tuple[int, str]]]]:
    """The timescale, and each signal's changes, as IEEE 1364-2005 has it."""
    head, _, body = text.partition("$enddefinitions $end")
    names: dict[str, str] = {}
    words = head.split()
    scale = " ".join(words[words.index("$timescale") + 1 : words.index("$end")])
    for at, word in enumerate(words):
        if word == "$var":
            kind, width, key, name, end = words[at + 1 : at + 6]
            assert (kind, width, end) == ("wire", "1", "$end")
            assert key not in names
            names[key] = name
    changes: dict[str, list[tuple[int, str]]] = {name: [] for name in names.values()}
    now = -1
    for word in body.split():
        if word.startswith("#"):
            assert int(word[1:]) > now
            now = int(word[1:])
        elif word not in ("$dumpvars", "$end"):
            changes[names[word[1:]]].append((now, word[0]))
    return scale, changes


def test_a_vcd_file_goes_on_over_a_power_cut() -> None:
    trace = PinTrace("my board", 3)
    trace.powered()
    trace.wrote(0.5, 0b011)
    trace.wrote(0.5, 0b011)
    trace.wrote(0.75, 0b010)
    trace.turned(0.6, 2, True)
    trace.turned(0.9, 2, True)
    trace.powered()
    trace.wrote(0.25, 0b001)
    trace.ended(1.0)
    assert trace.edges[-2:] == [Edge(0.9, 1, False), Edge(1.15, 0, True)]
    text = trace.vcd()
    scale, changes = read_vcd(text)
    assert scale == "1 ns"
    assert "$scope module my_board $end" in text
    assert changes == {
        "gpio0": [(0, "x"), (500000000, "1"), (750000000, "0"), (1150000000, "1")],
        "gpio1": [(0, "x"), (500000000, "1"), (900000000, "0")],
        "gpio2": [(0, "x"), (600000000, "1")],
    }
    assert text.endswith("#1900000000\n")


@pytest.mark.parametrize("emulator", EMULATORS)
async def test_driven_inputs_are_heard_once(emulator: str) -> None:
    board = load_board("hifive1")
    trace = PinTrace.of(board)
    assert trace is not None
    elf = build(board).elf
    async with open_machine(f"hifive1@{emulator}", pins=trace) as machine:
        if emulator == "qemu":
            with pytest.raises(Unsupported, match="watches the pins"):
                machine.capabilities.require(Capability.GDB)
        try:
            await machine.start(elf)
        except EnvironmentMissing:
            pytest.skip("pins are recorded from Renode 1.16.1 on")
        await machine.drive_pin(3, True)
        await machine.drive_pin(3, True)
        await until(lambda: len(trace.edges) == 1)
        await machine.drive_pin(3, False)
        now = (await machine.counters()).virtual_time
    _, changes = read_vcd(trace.vcd())
    assert [level for _, level in changes["gpio3"]] == ["x", "1", "0"]
    assert now is not None
    assert 0 <= changes["gpio3"][1][0] <= changes["gpio3"][2][0] <= round(now * 1e9)
