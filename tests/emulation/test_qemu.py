"""The QEMU backend against a real QEMU and a program on bare metal."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import bare
import pytest
from waiting import gone, until, wait_until

from emulation.errors import EnvironmentMissing, MachineDied, MachineError, Unsupported
from emulation.faults import LinkFaults
from emulation.machine import Capability, Machine, State
from emulation.qemu import QemuMachine
from emulation.targets import open_machine, parse_target
from hal.boards import load_board
from hal.errors import BoardError
from hal.firmware import build

pytestmark = pytest.mark.usefixtures("qemu")


@pytest.fixture
async def machine(elf: Path) -> AsyncIterator[Machine]:
    async with open_machine("stm32f4@qemu") as machine:
        await machine.start(elf)
        yield machine


async def line(machine: Machine) -> bytes:
    reader, _ = await machine.connect()
    return await asyncio.wait_for(reader.readline(), 5)


async def count(machine: Machine) -> int:
    return int.from_bytes(await machine.read_memory(bare.COUNT, 4), "little")


async def test_boot_text_is_not_lost_and_bytes_go_both_ways(elf: Path) -> None:
    async with open_machine("stm32f4@qemu") as machine:
        await machine.start(elf, paused=True)
        assert machine.state is State.PAUSED
        await machine.resume()
        await asyncio.sleep(0.1)
        reader, writer = await machine.connect()
        assert await reader.readline() == b"boot 1\n"
        writer.write(bytes(range(256)))
        assert await reader.readexactly(256) == bytes(range(256))
        reader, writer = await machine.connect()  # takes over
        writer.write(b"again")
        assert await reader.readexactly(5) == b"again"
    assert machine.state is State.OFF
    assert machine.pid is None


async def test_pause_memory_registers(machine: Machine) -> None:
    assert await line(machine) == b"boot 1\n"
    await machine.pause()
    first = await count(machine)
    await asyncio.sleep(0.05)
    assert await count(machine) == first
    await machine.write_memory(bare.SCRATCH, bytes(range(200)))
    assert await machine.read_memory(bare.SCRATCH, 200) == bytes(range(200))
    registers = await machine.read_registers()
    assert 0x08000000 <= registers["pc"] < 0x08001000
    await machine.resume()
    await asyncio.sleep(0.05)
    assert await count(machine) > first


async def test_reset_keeps_ram_and_power_cut_does_not(machine: Machine) -> None:
    reader, _ = await machine.connect()
    assert await reader.readline() == b"boot 1\n"
    await machine.reset()
    assert await reader.readline() == b"boot 2\n"
    await machine.power_cut(0.05)
    assert await line(machine) == b"boot 1\n"


async def test_runs_for_a_virtual_time(machine: Machine) -> None:
    await machine.pause()
    before = (await machine.counters()).virtual_time or 0
    await machine.run_for(0.1)
    assert machine.state is State.PAUSED
    spent = ((await machine.counters()).virtual_time or 0) - before
    assert 0.1 <= spent < 2  # the machine may be busy: the upper bound only tells seconds from hours
    await machine.resume()
    with pytest.raises(MachineError, match="is running"):
        await machine.run_for(0.1)


async def test_icount_time_is_told(elf: Path) -> None:
    async with open_machine("stm32f4@qemu", icount=10) as machine:  # 1,024 ns for each instruction
        await machine.start(elf, paused=True)
        await machine.run_for(0.2)
        spent = (await machine.counters()).virtual_time or 0
        assert 0.15 < spent < 5  # not at once on a busy machine, but it tells the time at which it did
        # reset, prints, then loops of 6 instructions: far fewer than the some 100,000 a free QEMU would do
        assert 0.15 / 1.024e-6 / 12 < await count(machine) < spent / 1.024e-6 / 4


async def test_gdb_stops_it_and_lets_go(machine: Machine, elf: Path) -> None:
    assert machine.gdb is not None
    gdb = await asyncio.create_subprocess_exec(
        *("gdb-multiarch", "-q", "-nx", "-batch", "-ex", f"target remote {machine.gdb}"),
        *("-ex", 'printf "pc %d\\n", $pc >= 0x08000000', "-ex", "shell sleep 0.3", str(elf)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = asyncio.create_task(gdb.communicate())
    await until(lambda: machine.state is State.PAUSED)  # told by QEMU's STOP event
    assert b"pc 1" in (await output)[0]
    await until(lambda: machine.state is State.RUNNING)


async def test_says_how_it_died(machine: Machine) -> None:
    assert machine.pid is not None
    os.kill(machine.pid, signal.SIGKILL)
    assert await machine.wait_died() == "stm32f4@qemu: qemu-system-arm was ended by SIGKILL."
    assert machine.state is State.DIED
    with pytest.raises(MachineDied, match="SIGKILL"):
        await machine.pause()
    with pytest.raises(ConnectionError, match="SIGKILL"):  # what tries again
        await machine.connect()


async def test_locked_up_core_tells_it(elf: Path, tmp_path: Path) -> None:
    async with open_machine("stm32f4@qemu") as machine:
        await machine.start(bare.broken(elf, tmp_path), paused=True)
        with contextlib.suppress(MachineDied):
            await machine.resume()
        assert re.search(r"Lockup: .* at pc 0x", await machine.wait_died())


async def test_errors_say_what_to_do(machine: Machine, elf: Path, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="already on"):
        await machine.start(elf)
    with pytest.raises(MachineError, match=r"no firmware image .*Build it first"):
        await machine.load(tmp_path / "none.elf")
    await machine.stop()
    with pytest.raises(MachineError, match="is off"):
        await machine.pause()
    with pytest.raises(EnvironmentMissing, match=r"qemu-system-nowhere is not installed\. .*apt install"):
        await QemuMachine(load_board("stm32f4"), program="qemu-system-nowhere").start(elf)
    (tmp_path / "bad.elf").write_text("no ELF at all")
    with pytest.raises(MachineError, match=r"bad\.elf is no ELF file"):
        await machine.start(tmp_path / "bad.elf")
    with pytest.raises(MachineDied, match=r"false exited with status 1"):
        await QemuMachine(load_board("stm32f4"), program="false").start(elf)
    assert machine.state is State.OFF
    await machine.start(elf)
    assert await line(machine) == b"boot 1\n"


async def test_what_it_lacks_it_says(machine: Machine) -> None:
    for capability, call in (
        (Capability.SNAPSHOT, machine.save(Path("x"))),
        (Capability.WRITE_REGISTERS, machine.write_register("r0", 1)),
    ):
        assert capability not in machine.capabilities
        with pytest.raises(Unsupported) as raised:
            await call
        assert str(raised.value) == machine.capabilities.why_not(capability)


async def test_sensors_are_those_of_the_kernels_stand_in(machine: Machine) -> None:
    with pytest.raises(MachineError, match="no sensor 'humidity'"):
        await machine.set_sensor("humidity", 1.0)
    with pytest.raises(Unsupported, match="stand-in"):
        await machine.set_sensor("temp0", 20.0)
    await machine.stop()
    firmware = await asyncio.to_thread(build, load_board("stm32f4"))
    await machine.start(firmware.elf)
    place = firmware.symbol("mma_stand_in")
    assert await machine.read_memory(place, 8) == struct.pack("<4si", b"MMIN", 21_500)
    await machine.set_sensor("temp0", -12.25)
    assert await machine.read_memory(place, 8) == struct.pack("<4si", b"MMIN", -12_250)


async def test_pins_are_those_of_the_kernels_stand_in(machine: Machine) -> None:
    for call in (machine.drive_pin(4, True), machine.read_pin(0)):
        with pytest.raises(Unsupported, match="stand-in"):
            await call
    await machine.stop()
    firmware = await asyncio.to_thread(build, load_board("stm32f4"))
    await machine.start(firmware.elf, paused=True)
    place = firmware.symbol("mma_stand_in")
    for level in (True, False):
        await machine.drive_pin(4, level)
        inputs, outputs, _, driven = struct.unpack("<4I", await machine.read_memory(place + 20, 16))
        assert (inputs, outputs, driven) == (level << 4, 0, 1 << 4)
    await machine.write_memory(place + 24, struct.pack("<I", 1 << 3))
    assert [await machine.read_pin(pin) for pin in range(5)] == [False, False, False, True, False]
    with pytest.raises(MachineError, match="has no pin 16"):
        await machine.drive_pin(16, True)


async def test_faults_on_the_link(elf: Path) -> None:
    faults = LinkFaults(seed=1)
    async with open_machine("stm32f4@qemu", faults=faults) as machine:
        await machine.start(elf)
        reader, writer = await machine.connect()
        assert await reader.readline() == b"boot 1\n"
        faults.duplicate = 1.0
        writer.write(b"a")
        assert await reader.readexactly(4) == b"aaaa"  # once on the way there, once on the way back
        writer.close()


def test_targets() -> None:
    assert parse_target("stm32f4") == ("stm32f4", "qemu")
    assert parse_target("stm32f4@renode") == ("stm32f4", "renode")
    with pytest.raises(MachineError, match=r"no emulator 'bochs'\. There is: stm32f4@qemu"):
        parse_target("stm32f4@bochs")
    with pytest.raises(BoardError):
        parse_target("stm32f5@qemu")


_OWNER = """
import asyncio, sys
from pathlib import Path
from emulation.targets import open_machine
async def main():
    machine = open_machine("stm32f4@qemu")
    await machine.start(Path(sys.argv[1]))
    print(machine.pid, Path(machine.gdb).parent, flush=True)
    await asyncio.sleep(100)
asyncio.run(main())
"""


def test_killed_owner_leaves_no_qemu(elf: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, elf], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid, folder = owner.stdout.readline().split()
    assert Path(folder).is_dir()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert gone(int(pid))
    assert wait_until(lambda: not Path(folder).exists())


@pytest.mark.parametrize(
    ("page", "enable", "inputs", "drive"),
    [
        pytest.param(
            {
                "system": "qemu-system-riscv32",
                "arguments": ["-M", "sifive_e", "-bios", "none"],
                "gpio": {
                    "pins": [5],
                    "width": 32,
                    "output": [0x1001200C],
                    "input": ["/machine/soc unnamed-gpio-in"],
                },
            },
            [(0x10012004, 1 << 5)],  # input_en
            0x10012000,
            [(0x10012008, 1 << 5), (0x1001200C, 1 << 5)],  # output_en, output_val
            id="hifive1",
        ),
        pytest.param(
            {
                "system": "qemu-system-arm",
                "arguments": ["-M", "microbit"],
                "gpio": {
                    "pins": [5],
                    "width": 32,
                    "output": [0x50000504],
                    "input": ["/machine/nrf51 unnamed-gpio-in"],
                },
            },
            [(0x50000714, 0)],  # PIN_CNF[5]: input, connected
            0x50000510,
            [(0x50000714, 3), (0x50000508, 1 << 5)],  # output; OUTSET
            id="microbit",
        ),
    ],
)
async def test_pins_of_chips_that_qemu_models(
    elf: Path,
    page: dict[str, object],
    enable: list[tuple[int, int]],
    inputs: int,
    drive: list[tuple[int, int]],
) -> None:
    if shutil.which(str(page["system"])) is None:
        pytest.skip(f"{page['system']} is not installed: apt install qemu-system-misc")
    board = dataclasses.replace(load_board("stm32f4"), emulators={"qemu": page})
    async with QemuMachine(board) as machine:
        await machine.start(elf, paused=True)  # without -kernel nothing runs: registers are set from here

        async def write(registers: list[tuple[int, int]]) -> None:
            for address, value in registers:
                await machine.write_memory(address, value.to_bytes(4, "little"))

        await write(enable)
        for level in (True, False, True):
            await machine.drive_pin(0, level)
            assert bool((await machine.read_memory(inputs, 4))[0] & 1 << 5) is level
        assert not await machine.read_pin(0)
        await write(drive)
        assert await machine.read_pin(0)
        with pytest.raises(MachineError, match="has no pin 1"):
            await machine.drive_pin(1, True)
