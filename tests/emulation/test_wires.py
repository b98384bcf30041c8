"""Wires between boards: what may be wired, and real boards whose pins and UARTs are."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from emulation.errors import MachineError
from emulation.faults import LinkFaults
from emulation.wires import Harness, Wire, join_uarts

needs_renode = pytest.mark.skipif(
    shutil.which(os.environ.get("RENODE") or "renode") is None,
    reason="Renode is not installed: put the portable release (renode.io) on the PATH or name it in RENODE",
)
EMULATORS = ["qemu", pytest.param("renode", marks=[needs_renode, pytest.mark.timeout(300)])]


def test_a_wire_in_words() -> None:
    assert Wire.parse("a@qemu-2:1 -> b:12") == Wire("a@qemu-2", 1, "b", 12)
    assert Wire.parse("1->lamp:4", "here") == Wire("here", 1, "lamp", 4)
    assert str(Wire.parse("lamp:0 -> 3", "here")) == "lamp:0 -> here:3"
    with pytest.raises(MachineError, match=r"is no wire\. Write PIN -> BOARD:PIN"):
        Wire.parse("lamp", "here")
    with pytest.raises(MachineError, match=r"Write BOARD:PIN -> BOARD:PIN"):
        Wire.parse("1 -> lamp:4")


@pytest.mark.parametrize(
    ("boards", "wire", "why"),
    [
        ({"a": "stm32f4@qemu", "b": "hifive1@renode"}, "a:0 -> b:0", "one emulator to another"),
        ({"a": "stm32f4@qemu"}, "a:0 -> c:0", r"to no board c\. There is: a"),
        ({"a": "stm32f4@qemu"}, "a:0 -> a:16", "has no pin 16: they are 0 to 15"),
        ({"a": "hifive1@renode"}, "a:0 -> a:1", r"only registers\. hifive1@qemu has them"),
        ({"a": "stm32f4@qemu", "b": "lm3s6965evb@qemu"}, "a:0 -> b:0", "has no emulated pins"),
    ],
)
def test_what_cannot_be_wired_is_told(boards: dict[str, str], wire: str, why: str) -> None:
    with pytest.raises(MachineError, match=why):
        Harness(boards, [Wire.parse(wire)])


def test_two_wires_to_one_input_are_refused() -> None:
    wires = [Wire("a", 0, "a", 1), Wire("a", 2, "a", 1)]
    with pytest.raises(MachineError, match="Two wires lead to a:1"):
        Harness({"a": "stm32f4@qemu"}, wires)


@pytest.mark.end_to_end
@pytest.mark.parametrize("emulator", EMULATORS)
async def test_uarts_that_are_joined(emulator: str, elf: Path, qemu: None) -> None:
    harness = Harness({"one": f"stm32f4@{emulator}", "two": f"stm32f4@{emulator}"}, [])
    heard = {"one": 0, "two": 0}

    def tap(name: str) -> LinkFaults:
        def count(to_device: bool, data: bytes) -> None:
            heard[name] += 0 if to_device else len(data)

        return LinkFaults(tap=count)

    async def talk() -> None:
        goal = {name: count + 100 for name, count in heard.items()}
        async with asyncio.timeout(60):
            while any(heard[name] < goal[name] for name in goal):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async with (
        harness.open_machine("one", faults=tap("one")) as one,
        harness.open_machine("two", faults=tap("two")) as two,
    ):
        await one.start(elf)
        await two.start(elf)
        joined = asyncio.create_task(join_uarts(one, two))
        try:
            await talk()  # each sends back what it hears: what the one said at its start goes round and round
            await two.power_cut()
            await talk()
        finally:
            joined.cancel()
            await asyncio.gather(joined, return_exceptions=True)
