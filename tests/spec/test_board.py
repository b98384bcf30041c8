"""The same cases on an emulated board, through our compiler, the link and the real kernel; and those of the
specification where MMA_TESTSUITE names a checkout of WebAssembly/testsuite."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from board import opened
from known import ON_BOARDS, PARTLY, left_out
from test_spec import OFFICIAL, OWN
from units import units_of

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
            known = ON_BOARDS.get((path.parent.name, path.stem))
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            failures = await player.play(units_of(text, known.lines if known else ()))
            if failures:
                out[path.name] = failures
    return out


@on_board
@pytest.mark.timeout(600)
async def test_own_cases_on_stm32f4() -> None:
    assert await failed("stm32f4", OWN) == {}


@on_board
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("path", PLAYED, ids=lambda path: path.stem)
async def test_official_on_stm32f4(path: Path) -> None:
    assert await failed("stm32f4", [path]) == {}


@pytest.mark.parametrize("path", PLAYED, ids=lambda path: path.stem)
def test_official_modules_left_out_are_known(path: Path) -> None:
    script = units_of(path.read_text(encoding="utf-8", errors="surrogateescape"))
    assert bool(script.left_out) == (path.stem in PARTLY), script.left_out[:3]
