"""The Renode backend: its texts and wire here, and a real Renode where there is one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import threading
import xmlrpc.server
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import bare
import pytest
from waiting import until

from emulation.errors import EnvironmentMissing, MachineDied, MachineError, Unsupported
from emulation.machine import Capability, Machine, State
from emulation.renode import RenodeMachine, parse_elapsed, parse_version
from emulation.robot import RenodeRefused, Robot
from emulation.targets import open_machine
from emulation.unmodelled import Access, TellsUnmodelled
from hal.boards import board_names, load_board
from hal.firmware import build


def test_elapsed_time() -> None:
    assert parse_elapsed("Elapsed Virtual Time: 00:00:00.050000000\nElapsed Host Time: 00:00:01") == 0.05
    assert parse_elapsed("Elapsed Virtual Time: 1.02:03:04") == 93784
    with pytest.raises(MachineError, match="makes no sense"):
        parse_elapsed("bogus")


def test_version() -> None:
    assert parse_version("Renode, version 1.16.1.13382 (d66b0c2a-202602)") == (1, 16, 1, 13382)
    assert parse_version("Renode v1.13.3") == (1, 13, 3)
    assert parse_version("nothing") == ()


@pytest.mark.parametrize("name", board_names())
def test_pins_on_the_page_are_those_of_the_firmware(name: str) -> None:
    source = (Path(__file__).parents[2] / "firmware" / "boards" / name / "board.c").read_text()
    table = re.sub(r"//.*", "", source.partition("mma_board_pins[] = {")[2].partition("};")[0])
    pins = [
        (ord(port or "A") - ord("A")) * 16 + int(number)
        for port, number in re.findall(r"(?:PIN\('([A-Z])', +)?(\d+)", table)
    ]
    assert pins
    for emulator in load_board(name).emulators.values():
        assert emulator.get("gpio", {"pins": pins})["pins"] == pins


async def test_absent_renode_is_told(elf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENODE", "/no/such/renode")
    with pytest.raises(EnvironmentMissing, match=r"no program /no/such/renode\. .*portable release"):
        await open_machine("stm32f4@renode").start(elf)


async def test_a_renode_that_ends_at_once_is_told(elf: Path) -> None:
    machine = RenodeMachine(load_board("stm32f4"), program="false")
    with pytest.raises(MachineDied, match=r"stm32f4@renode: false exited with status 1"):
        await machine.start(elf)
    assert machine.state is State.OFF


# -- the robot port, as Renode answers on it ---------------------------------------------------------


@pytest.fixture
def robot_port() -> Iterator[int]:
    """A server with the answers that Renode 1.16.1 was seen to give."""

    def run_keyword(name: str, arguments: list[str]) -> dict[str, str]:
        if name != "ExecuteCommand":
            return {"status": "FAIL", "error": f"Keyword {name} not found\n"}
        if arguments == ["sysbus.cpu PC"]:
            return {"status": "PASS", "return": "0x8000068\n"}
        if arguments == ["dump 0"]:
            return {"status": "PASS", "return": "\b"}  # no valid XML, like the real one's
        return {"status": "FAIL", "error": "There was an error executing command\nNo such command\n"}

    server = xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False)
    server.register_function(run_keyword)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


async def test_robot_port(robot_port: int) -> None:
    robot = Robot(robot_port)
    try:
        assert await robot.execute("sysbus.cpu PC") == "0x8000068\n"
        with pytest.raises(RenodeRefused, match="Renode refused `bogus`: No such command"):
            await robot.execute("bogus")
        with pytest.raises(MachineError, match="is no XML"):
            await robot.execute("dump 0")
        assert await robot.execute("sysbus.cpu PC")
    finally:
        await robot.close()
    dead = Robot(1)
    try:
        with pytest.raises(ConnectionError):
            await dead.execute("pause")
    finally:
        await dead.close()


# -- a real one ----------------------------------------------------------------------------------------


needs_renode = pytest.mark.skipif(
    shutil.which(os.environ.get("RENODE") or "renode") is None,
    reason="Renode is not installed: put the portable release (renode.io) on the PATH or name it in RENODE",
)


@pytest.fixture
async def machine(elf: Path) -> AsyncIterator[Machine]:
    async with open_machine("stm32f4@renode") as machine:
        await machine.start(elf)
        yield machine


async def count(machine: Machine) -> int:
    return int.from_bytes(await machine.read_memory(bare.COUNT, 4), "little")


@needs_renode
@pytest.mark.end_to_end
async def test_same_program_as_in_qemu(machine: Machine) -> None:
    reader, writer = await machine.connect()
    assert await reader.readline() == b"boot 1\n"
    writer.write(bytes(range(256)))
    assert await reader.readexactly(256) == bytes(range(256))
    await machine.pause()
    first = await count(machine)
    await asyncio.sleep(0.1)
    assert await count(machine) == first
    await machine.write_memory(bare.SCRATCH, bytes(range(200)))
    assert await machine.read_memory(bare.SCRATCH, 200) == bytes(range(200))
    registers = await machine.read_registers()
    assert 0x08000000 <= registers["pc"] < 0x08001000
    await machine.write_register("r7", 0x1234)
    assert (await machine.read_registers())["r7"] == 0x1234
    await machine.resume()
    await machine.reset()
    assert await reader.readline() == b"boot 2\n"


@needs_renode
@pytest.mark.end_to_end
@pytest.mark.timeout(300)
async def test_time_and_instructions_are_exact(elf: Path) -> None:
    seen = []
    for _ in range(2):
        async with open_machine("stm32f4@renode", icount=3) as machine:
            await machine.start(elf, paused=True)
            await machine.run_for(0.01)
            seen.append(await machine.counters())
    assert seen[0] == seen[1]
    assert seen[0].virtual_time == pytest.approx(0.01)
    assert seen[0].instructions
    assert seen[0].instructions <= 0.01 / 8e-9


@needs_renode
@pytest.mark.end_to_end
async def test_snapshot_goes_back(machine: Machine, tmp_path: Path) -> None:
    streams = await machine.connect()
    assert await streams[0].readline() == b"boot 1\n"
    await machine.pause()
    await machine.write_memory(bare.SCRATCH, b"before")
    before = await machine.counters()
    await machine.save(tmp_path / "a snapshot")
    await machine.write_memory(bare.SCRATCH, b"after!")
    await machine.run_for(0.01)
    await machine.restore(tmp_path / "a snapshot")
    assert await machine.read_memory(bare.SCRATCH, 6) == b"before"
    assert await machine.counters() == before
    await machine.resume()
    _, writer = streams = await machine.connect()
    writer.write(b"alive")
    assert await streams[0].readexactly(5) == b"alive"


@needs_renode
@pytest.mark.end_to_end
async def test_pins_and_sensors(machine: Machine) -> None:
    assert {Capability.DRIVE_PINS, Capability.READ_PINS, Capability.SENSORS} <= machine.capabilities.supported
    await machine.write_memory(0x40020C00, (0x01000000).to_bytes(4, "little"))  # GPIOD_MODER: 12 is an output
    await machine.write_memory(0x40020C14, (1 << 12).to_bytes(4, "little"))
    assert await machine.read_pin(0)
    assert not await machine.read_pin(1)
    await machine.drive_pin(4, True)
    assert (await machine.read_memory(0x40020010, 4))[0] & 1
    with pytest.raises(Unsupported, match="stand-in"):
        await machine.set_sensor("temp0", 30.0)
    with pytest.raises(MachineError, match="no sensor 'humidity'"):
        await machine.set_sensor("humidity", 1.0)


@needs_renode
@pytest.mark.end_to_end
async def test_says_how_it_died(machine: Machine) -> None:
    assert machine.pid is not None
    os.kill(machine.pid, signal.SIGKILL)
    assert "was ended by SIGKILL" in await machine.wait_died()
    with contextlib.suppress(MachineError):
        await machine.pause()
    assert machine.state is State.DIED


@needs_renode
@pytest.mark.end_to_end
@pytest.mark.timeout(300)
async def test_its_clock_drifts_and_its_flash_wears(machine: Machine) -> None:
    await machine.drift(0.5)
    states = set[State]()
    async with asyncio.timeout(60):
        while states != {State.RUNNING, State.PAUSED}:
            states.add(machine.state)
            await asyncio.sleep(0.01)
    await machine.drift(0)
    assert machine.state is State.RUNNING
    flash = await machine.read_memory(machine.board.flash.address, 512)
    await machine.wear(8, seed=1)
    worn = await machine.read_memory(machine.board.flash.address, 512)
    changed = [old ^ new for old, new in zip(flash, worn, strict=True)]
    assert sum(one.bit_count() for one in changed) == 8
    assert all(new & one for one, new in zip(changed, worn, strict=True) if one)  # erased reads as 1


@needs_renode
@pytest.mark.end_to_end
async def test_each_instruction_is_counted(elf: Path) -> None:
    """Exactly, by the program's own count and by Renode's sum."""
    async with open_machine("stm32f4@renode", counts=True) as machine:
        await machine.start(elf, paused=True)
        assert await machine.executed() == {}
        await machine.run_for(0.01)
        executed = await machine.executed()
        turns = await count(machine)
        assert turns > 100
        assert turns in executed.values()
        assert (await machine.counters()).instructions == sum(executed.values())
        with pytest.raises(Unsupported, match="saves nothing while"):
            await machine.save(Path("nowhere"))
    uncounted = open_machine("stm32f4@renode")
    with pytest.raises(Unsupported, match="only where it was started to"):
        await uncounted.executed()


@needs_renode
@pytest.mark.end_to_end
async def test_what_it_has_no_model_for_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """DBGMCU of the STM32F4, by our kernel, with the instruction; however often its log is begun anew."""
    monkeypatch.setattr("emulation.renode_watch._LOG_LIMIT", 100)
    freeze = Access("0xe0042008", "write", 0xE0042008)
    async with open_machine("stm32f4@renode") as machine:
        await machine.start(build(load_board("stm32f4")).elf, paused=True)
        assert isinstance(machine, TellsUnmodelled)
        async with machine.unmodelled() as tally:
            await machine.run_for(0.05)
            await until(lambda: freeze in tally.counts)
            assert tally.counts[freeze].count == 1
            assert 0x08000000 <= tally.counts[freeze].pc < 0x08100000
            rcc = next(one for one in tally.counts if one.what == "rcc+0x74")
            assert rcc.address == 0x40023874
        async with machine.unmodelled() as tally:
            await machine.read_memory(0x50000000, 4)
            await until(lambda: Access("0x50000000", "read", 0x50000000) in tally.counts)
