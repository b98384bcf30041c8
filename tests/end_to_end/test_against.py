"""One scenario on an emulator and on a board: QEMU, and QEMU behind a pty."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from emulation.targets import open_machine
from hal import firmware
from hal.boards import load_board
from tests.hal.serial_board import SerialBoard

pytestmark = pytest.mark.end_to_end

PAGE = """
[scenario]
name = "both"
targets = ["stm32f4@qemu"]
[[case]]
name = "counts"
module = "fib"
args = "15"
[case.expect]
result = "610"
[[case]]
name = "feels"
module = "feels.c"
sensors = ["temp0"]
"""
GUEST = """
#include "mma.h"
int main(void) {
    int32_t value = 0;
    mma_sensor_read("temp0", &value);
    mma_log_text("awake");
    mma_log_text(value > 30000 ? "it is hot" : "it is cool");
    return 0;
}
"""


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Path]:
    """A board that is warmer than the emulated one."""
    async with open_machine("stm32f4@qemu") as machine:
        await machine.start(firmware.build(load_board("stm32f4")).elf)
        await machine.set_sensor("temp0", 41.5)
        async with SerialBoard(machine, tmp_path) as board:
            yield board.port


async def mma(*words: str) -> tuple[int, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "console.cli", *words, stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_first_divergence_is_shown(port: Path, tmp_path: Path) -> None:
    page = tmp_path / "both.toml"
    page.write_text(PAGE)
    (tmp_path / "feels.c").write_text(GUEST)
    words = ["ci", str(page), "--against", f"stm32f4@{port}", "--artifacts", str(tmp_path / "kept")]
    code, out, err = await mma(*words, "-k", "counts", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0, out + err
    assert [row["verdict"] for row in rows[:2]] == ["passed", "passed"]
    assert rows[2]["event"] == "compared"
    assert rows[2]["same"] is True
    assert rows[2]["agreed"] > 4

    code, out, err = await mma(*words, "-k", "feels", "--junit", str(tmp_path / "out.xml"))
    assert code == 1, out + err
    assert (
        f"feels: stm32f4@qemu and stm32f4@{port} come apart at line 2 of its log: "
        f"stm32f4@qemu has 'it is cool', stm32f4@{port} has 'it is hot'"
    ) in out
    assert "before that both had line 1 of its log 'awake'" in out
    suite = ElementTree.parse(tmp_path / "out.xml").getroot().findall("testsuite")[-1]
    assert (suite.get("name"), suite.get("failures")) == (f"against stm32f4@{port}", "1")
    assert len(list((tmp_path / "kept" / "both").iterdir())) == 2
