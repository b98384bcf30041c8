"""`mma build --sizes`: what a module takes on every board, as a launch there would find it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.cli import invoke
from console.fit.boards import on_boards
from hal.boards import board_names, load_board
from hal.guest import build


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, dict[str, object]], str]:
    assert invoke(["build", *words, "--sizes", "--json"]) == 0
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    return {one["board"]: one for one in events if one["event"] == "board"}, err


def test_each_board_tells_each_part(capsys: pytest.CaptureFixture[str]) -> None:
    found, _ = rows(capsys, "fib")
    assert set(found) == set(board_names())
    for one in found.values():
        assert one["total"] >= sum(
            int(str(one[part])) for part in ("code", "stack", "memory", "log", "result")
        )
        assert one["trouble"] is None
        assert 1 <= int(str(one["at_once"])) <= load_board(str(one["board"])).options["slots"]
    assert not any(one["stack_reckoned"] for one in found.values()), "fib calls itself"


def test_a_stack_without_recursion_is_reckoned(capsys: pytest.CaptureFixture[str]) -> None:
    found, _ = rows(capsys, "blink")
    assert all(one["stack_reckoned"] for one in found.values())


def test_what_a_small_board_cannot_hold_is_said_in_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "large.c"
    source.write_text(
        "static volatile char data[20000];\n"
        "int main(void) { for (int i = 0; i < 20000; i++) data[i] = 1; return data[7]; }\n"
    )
    by_board = {one.board: one for one in on_boards(build(source).module)}
    small = by_board["microbit"]
    assert small.parts is not None
    assert small.at_once == 0
    assert small.trouble == (
        f"It takes {small.parts.total - small.room:,} bytes more than there are for executors."
    )
    assert by_board["stm32f4"].at_once >= 1
    assert invoke(["build", str(source), "-s"]) == 0
    assert f"microbit: {small.trouble}" in capsys.readouterr().out


def test_why_a_module_is_refused_is_said_beside_the_compilers_warnings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "main.c"
    source.write_text("int main(int count, char **words) { return count; }\n")
    assert invoke(["build", str(source)]) == 1
    err = capsys.readouterr().err
    assert "warning: unused parameter 'words'" in err
    assert "mma: The module's main is (i32, i32) -> (i32)" in err
