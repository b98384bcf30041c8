"""The files for VS Code: their command lines are taken by mma, and their launches fit their tasks."""

from __future__ import annotations

import json
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
