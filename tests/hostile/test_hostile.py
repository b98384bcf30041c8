"""Modules that mean harm, on the real kernel beside a neighbour: each ends as it must, and the neighbour's
output is the same to the byte."""

from __future__ import annotations

import asyncio
import os
import shutil

import pytest
from attacks import ATTACKS, text_of
from bombs import BOMBS
from ground import opened, told
from wasmtime import wat2wasm

WHOLE = bool(os.environ.get("MMA_WHOLE"))
"""Everything on every board; otherwise a part on the small ones."""
PARTS = {"stm32f4": (0, 1), "microbit": (0, 4), "hifive1": (2, 4)}
"""(first, every) of the modules."""
PATIENCE = 1.0
"""Seconds that who never ends is let run."""


def modules() -> dict[str, tuple[bytes, str]]:
    """All, by name: the module, and its end."""
    return {name: (bytes(wat2wasm(text_of(one))), one.ends) for name, one in ATTACKS.items()} | BOMBS


def test_there_are_fifty() -> None:
    assert len(modules()) >= 50


@pytest.mark.end_to_end
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is missing: see mma doctor")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("board", PARTS)
async def test_each_ends_as_it_must_and_harms_nobody(board: str) -> None:
    first, every = (0, 1) if WHOLE else PARTS[board]
    chosen = list(modules().items())[first::every]
    wrong: list[str] = []
    async with opened(board) as ground:

        async def play(name: str, module: bytes, ends: str) -> None:
            ended = await ground.let_loose(module, PATIENCE if ends == "endless" else None)
            expected = ["killed"] if ends == "endless" else ends.split("|")
            if told(ended) not in expected or not (ended.message or told(ended) == "exit 0"):
                wrong.append(f"{name}: {told(ended)}, not {ends}: {ended.message}")

        async with asyncio.TaskGroup() as group:
            for name, (module, ends) in chosen:
                group.create_task(play(name, module, ends))
        wrong += await ground.settle()
    assert not wrong
