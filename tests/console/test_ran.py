"""The command log hears what was run, from every thread, while it listens."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from console.ran import LONGEST, listening
from console.state.events import Ran
from console.state.logbook import ALL, COMMANDS, LogBook
from hal import toolchain


async def test_a_build_is_told_with_its_whole_line(tmp_path: Path) -> None:
    heard: list[Ran] = []
    with listening(heard.append):
        await asyncio.to_thread(toolchain.run, ["version"], folder=tmp_path)
        await asyncio.sleep(0)
    assert [one.kind for one in heard] == ["build"]
    assert heard[0].line.startswith(f"cd {tmp_path}; ")
    assert heard[0].line.endswith(" version")
    toolchain.run(["version"])
    await asyncio.sleep(0)
    assert len(heard) == 1
    assert not logging.getLogger("mma.ran").handlers


async def test_a_module_in_a_line_is_cut() -> None:
    heard: list[Ran] = []
    with listening(heard.append):
        logging.getLogger("mma.ran.http").info("POST %s", "x" * 10_000)
        await asyncio.sleep(0)
    assert len(heard[0].line) < LONGEST + 50
    assert heard[0].line.endswith("8,005 characters more")


def test_the_log_keeps_it_apart_and_clean() -> None:
    book = LogBook()
    book.ran("gdb", "-exec-next\x1b[2J\n", 1.0)
    assert [line.text for line in book.ring(COMMANDS)] == ["-exec-next\\x1b[2J"]
    assert len(book.ring(ALL)) == 0
