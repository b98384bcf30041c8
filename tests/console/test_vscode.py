"""The files for VS Code: what they name exists, and an emulated board is debugged just as they say."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from console.cli import mma

FOLDER = Path(__file__).parents[2] / "docs" / "vscode"
TASKS: list[dict[str, Any]] = json.loads((FOLDER / "tasks.json").read_text())["tasks"]
LAUNCHES: list[dict[str, Any]] = json.loads((FOLDER / "launch.json").read_text())["configurations"]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task["label"])
def test_every_task_is_a_command_line_that_mma_takes(task: dict[str, Any], tmp_path: Path) -> None:
    assert task["command"] == "mma"
    (tmp_path / "file").touch()
    words = [
        word.replace("${file}", str(tmp_path / "file")).replace("${workspaceFolder}", str(tmp_path))
        for word in task["args"]
    ]
    group: click.Command = mma
    while isinstance(group, click.Group):
        command = group.get_command(click.Context(group), words.pop(0))
        assert command is not None
        group = command
    group.make_context(group.name or "", words)  # raises what is wrong with them
    assert task.get("dependsOn") in {None, *(one["label"] for one in TASKS)}


def test_every_launch_has_its_task() -> None:
    served = {task["label"]: task["args"][-1] for task in TASKS if "--serve" in task["args"]}
    for launch in LAUNCHES:
        port = served[launch["preLaunchTask"]]
        assert launch["miDebuggerServerAddress"].endswith(f":{port}")
        assert launch["miDebuggerPath"] == "gdb-multiarch"


@pytest.mark.skipif(
    not (shutil.which("gdb-multiarch") and shutil.which("qemu-system-arm")), reason="see mma doctor"
)
@pytest.mark.timeout(300)
async def test_an_emulated_board_is_debugged_as_the_files_say(tmp_path: Path) -> None:
    launch = LAUNCHES[0]
    by_label = {task["label"]: task for task in TASKS}
    task = by_label[launch["preLaunchTask"]]

    def words_of(one: dict[str, Any]) -> list[str]:
        words = [word.replace("${workspaceFolder}", str(tmp_path)) for word in one["args"]]
        return [sys.executable, "-m", "console.cli", *("0" if word == "3333" else word for word in words)]

    pipe = asyncio.subprocess.PIPE
    build = await asyncio.create_subprocess_exec(
        *words_of(by_label[task["dependsOn"]]), stdout=pipe, stderr=pipe
    )
    await build.communicate()
    assert build.returncode == 0
    board = await asyncio.create_subprocess_exec(
        *words_of(task), stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert board.stdout is not None
        async with asyncio.timeout(240):
            while not re.search(
                task["problemMatcher"]["background"]["endsPattern"], line := await _line(board)
            ):
                pass
            address = line.split("attach at ")[1].split(",")[0]
            setup = [
                one["text"].replace("${workspaceFolder}", str(FOLDER.parents[1]))
                for one in launch["setupCommands"]
            ]
            lines = [
                *setup,
                f"target remote {address}",
                "break mma_main",
                "continue",
                "backtrace 1",
                "detach",
            ]
            gdb = await asyncio.create_subprocess_exec(
                launch["miDebuggerPath"],
                *("-q", "-nx", "-batch", str(tmp_path / "kernel.elf")),
                *(word for text in lines for word in ("-ex", text)),
                stdout=pipe,
                stderr=asyncio.subprocess.STDOUT,
                env=os.environ,
            )
            out, _ = await gdb.communicate()
            assert await board.wait() == 0, "it ends when GDB leaves"
    finally:
        if board.returncode is None:
            board.kill()
    assert "#0  mma_main" in out.decode(), out.decode()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, "it ended before"
    return line.decode()
