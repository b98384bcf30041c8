"""The same cases on an emulated board, through our compiler, the link and the real kernel; and those of the
specification where MMA_TESTSUITE names a checkout of WebAssembly/testsuite."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from board import opened
from known import LEFT_OUT, NOT_SMALL, PARTLY, SHORT, SMALL, TWINS, known_lines, left_out
from test_spec import OFFICIAL, OWN
from units import units_of

BOARDS = ("stm32f4", *SMALL)
WHOLE = bool(os.environ.get("MMA_WHOLE"))
FEW = {"bounds", "control", "convert", "float", "integer"}
"""Our own cases that are played on the small boards too, unless the whole is wanted: what differs by CPU."""
PLAYED = [path for path in OFFICIAL if not left_out(path.stem)]


def on_board(test: Callable[..., Any]) -> Any:
    """Marks a test that needs an emulated board."""
    missing = shutil.which("qemu-system-arm") is None
    return pytest.mark.end_to_end(pytest.mark.skipif(missing, reason="QEMU is missing: see mma doctor")(test))


async def failed(board: str, paths: Sequence[Path]) -> dict[str, list[str]]:
    """What failed on a board, by script; a script that passes is not there."""
    out = {}
    async with opened(board) as player:
        for path in paths:
            folder = path.parent.name
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            played = await player.play(units_of(text, known_lines(board, folder, path.stem)))
            failures = played.failures
            if board not in SMALL or (folder, path.stem) not in SHORT:
                failures += [f"lines {lines}: {lack}" for lack, lines in played.short.items()]
            if failures:
                out[path.name] = failures
    return out


@on_board
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("board", BOARDS)
async def test_own_cases(board: str) -> None:
    chosen = OWN if WHOLE or board not in SMALL else [path for path in OWN if path.stem in FEW]
    assert await failed(board, chosen) == {}


@on_board
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("board", "path"),
    [
        (board, path)
        for board in BOARDS
        for path in PLAYED
        if board not in SMALL or path.stem not in NOT_SMALL
    ],
    ids=lambda one: getattr(one, "stem", one),
)
async def test_official(board: str, path: Path) -> None:
    assert await failed(board, [path]) == {}


@pytest.mark.parametrize("path", PLAYED, ids=lambda path: path.stem)
def test_official_modules_left_out_are_known(path: Path) -> None:
    script = units_of(path.read_text(encoding="utf-8", errors="surrogateescape"))
    assert bool(script.left_out) == (path.stem in PARTLY), script.left_out[:3]


@pytest.mark.parametrize(
    "path", [path for path in OFFICIAL if path.stem in LEFT_OUT], ids=lambda path: path.stem
)
def test_official_scripts_left_out_have_nothing_to_play(path: Path) -> None:
    script = units_of(path.read_text(encoding="utf-8", errors="surrogateescape"))
    assert not script.units or path.stem in TWINS
