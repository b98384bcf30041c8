"""A board behind a debug probe and on a serial port: QEMU's micro:bit, pyOCD, and GDB."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from emulation.targets import open_machine
from hal import firmware, keys
from hal.boards import load_board
from hal.probe.flash import flat
from tests.hal.probe.dap_double import Dap, DoubleProbe, serve
from tests.hal.probe.qemu_core import QemuCore
from tests.hal.serial_board import SerialBoard

pytestmark = pytest.mark.end_to_end
BOARD = load_board("microbit")
PARTS = {0xE000E000: 0x008, 0xE0002000: 0x00B}  # a Cortex-M0's SCS and breakpoint unit


@dataclass
class Bench:
    """Where its probe and its port are."""

    probe: str
    port: Path


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setenv("MMA_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    async with open_machine("microbit@qemu") as machine:
        await machine.start(firmware.build(BOARD).elf)
        assert machine.gdb is not None
        async with SerialBoard(machine, tmp_path) as board:
            core = await asyncio.to_thread(QemuCore, machine.gdb, 0x410CC200, PARTS)
            probe = DoubleProbe(Dap(core), "QEMU0001")
            server = await asyncio.to_thread(serve, probe)
            yield Bench(f"remote:localhost:{server.port}", board.port)
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(core.close)


async def mma(*words: str) -> tuple[int, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "console.cli",
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
    )
    try:
        async with asyncio.timeout(100):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_pyocds_algorithm_writes_the_emulated_flash(bench: Bench) -> None:
    """QEMU loads its image anew at each reset: what is seen here is before that, by reading back."""
    code, out, err = await mma("flash", "microbit", "--probe", bench.probe, "--key", "attic", "--json")
    assert code == 0, err
    result = json.loads(out.splitlines()[-1])
    built = flat(firmware.build(BOARD).elf, BOARD)
    sector = built.index(keys.DEVELOPMENT) // 1024 * 1024
    assert result["sectors"] == [[sector, 1024]]
    code, out, err = await mma("run", "fib", "--args", "9", "--target", f"microbit@{bench.port}")
    assert code == 0, err
    assert "fib(9) = 34" in out


async def test_an_executor_is_debugged_through_the_probe(bench: Bench) -> None:
    words = ["--probe", bench.probe, "--run", "fib", "--args", "5", "--break", "fib", "--json"]
    code, out, err = await mma("debug", f"microbit@{bench.port}", *words, "-x", "delete", "--timeout", "90")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0, out + err
    assert [row["event"] for row in rows] == ["stopped", "gdb", "ended"]
    assert rows[0]["at"]["function"] == "fib"
    assert [one["function"] for one in rows[0]["stack"]][:2] == ["fib", "main"]
    assert rows[0]["stack"][0]["arguments"] == "n=5"
    assert rows[-1]["output"] == "5"


async def test_gdb_itself_sees_the_kernel(bench: Bench) -> None:
    words = ["--probe", bench.probe, "--batch", "-x", "print $pc != 0", "-x", "info symbol mma_device_key"]
    code, out, err = await mma("debug", "microbit", *words)
    assert code == 0, out + err
    assert "$1 = 1" in out
    assert "mma_device_key" in out
    code, out, err = await mma("run", "fib", "--args", "9", "--target", f"microbit@{bench.port}")
    assert code == 0, err  # it runs on


async def test_another_kernel_is_told(bench: Bench, tmp_path: Path) -> None:
    code, _, err = await mma("debug", "stm32f4", "--probe", bench.probe, "--batch")
    assert code == 1
    assert "This is no stm32f405: its CPUID is 0x4100c200" in err
    code, _, err = await mma("debug", "microbit", "--probe", "none", "--batch")
    assert code == 3
    assert "There is no probe none" in err
