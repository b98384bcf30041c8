"""A board on a serial port as a target like any other: a pty in front of the real kernel."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emulation.master import Master
from emulation.targets import open_machine
from hal import firmware
from hal.boards import load_board
from tests.hal.serial_board import SerialBoard

pytestmark = pytest.mark.end_to_end

SCENARIO = Path(__file__).parents[2] / "examples" / "ci" / "alarm.toml"


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Path]:
    async with open_machine("stm32f4@qemu") as machine:
        await machine.start(firmware.build(load_board("stm32f4")).elf)
        async with SerialBoard(machine, tmp_path) as board:
            yield board.port


async def start(*words: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "console.cli", *words, stdout=pipe, stderr=pipe
    )


async def mma(*words: str) -> tuple[int, list[dict[str, object]]]:
    process = await start(*words)
    out, err = await process.communicate()
    assert process.returncode is not None, err
    return process.returncode, [json.loads(line) for line in out.splitlines()]


async def test_one_scenario_comes_out_the_same_in_qemu_and_on_a_port(port: Path, tmp_path: Path) -> None:
    words = ("ci", str(SCENARIO), "-k", "endless", "--json", "--artifacts", str(tmp_path / "kept"))
    code, emulated = await mma(*words)
    assert code == 0, emulated
    code, real = await mma(*words, "-t", f"stm32f4@{port}")
    assert code == 0, real
    assert [found["digest"] for found in real] == [found["digest"] for found in emulated]


async def agent_id(master: Master, port: str, folder: Path) -> str:
    """The id of the agent of what is on a port, in one life of a gateway."""
    words = ("--target", f"microbit@{port}", "--work_dir", str(folder), "--json")
    process = await start("agent", "--master", master.address, *words)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            while b"as agent" not in (line := await process.stdout.readline()):
                assert line, (await process.communicate())[1]
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 30)
        return line.decode().partition("as agent ")[2].split('"')[0]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_chip_with_an_id_of_its_own_is_the_same_agent_on_another_port(tmp_path: Path) -> None:
    """The nRF51 has one (FICR.DEVICEID), in QEMU too."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    async with Master() as master, open_machine("microbit@qemu") as machine:
        await machine.start(firmware.build(load_board("microbit")).elf)
        found = []
        for name in ("one", "other"):
            async with SerialBoard(machine, tmp_path / name) as board:
                found.append(await agent_id(master, str(board.port), tmp_path / "work"))
    assert found[0]
    assert found[0] == found[1]


async def test_attach_brings_its_agent_up(port: Path) -> None:
    process = await start("attach", "stm32f4", "--port", str(port), "--json")
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            while b"registered at" not in (line := await process.stdout.readline()):
                assert line, (await process.communicate())[1]
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
