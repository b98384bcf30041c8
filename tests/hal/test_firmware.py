"""The kernel's builder, and the budgets that it holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hal import firmware
from hal.boards import Board, board_names, load_board
from hal.errors import ToolchainError


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board("stm32f4")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MMA_CACHE", str(tmp_path))
    return tmp_path


def test_built_once(board: Board, cache: Path) -> None:
    first = firmware.build(board)
    stamp = first.elf.stat().st_mtime_ns
    again = firmware.build(board)
    assert first.elf.read_bytes()[:4] == b"\x7fELF"
    assert (again.elf, again.elf.stat().st_mtime_ns) == (first.elf, stamp)
    assert again.seconds < 0.5
    assert not list(cache.glob("firmware/.build-*")), "no scratch is left"


def test_options_make_another_kernel(board: Board, cache: Path) -> None:
    small = firmware.build(replace(board, options={**board.options, "slots": 2, "block": 64}))
    usual = firmware.build(board)
    assert small.digest != usual.digest
    assert firmware.sizes(small).ram < firmware.sizes(usual).ram - 1500


def test_budgets(board: Board) -> None:
    built = firmware.build(board)
    sizes = firmware.sizes(built)
    assert sizes.met
    assert (sizes.flash_budget, sizes.ram_budget) == (24 << 10, 4 << 10)
    assert sizes.ram + sizes.arena == board.ram.size
    assert sum(module.flash for module in sizes.modules) == sizes.flash
    assert sum(module.ram for module in sizes.modules) == sizes.ram
    names = {module.name: module for module in sizes.modules}
    assert names["kernel/coap"].flash > 500
    assert names["stack"].ram == board.options["stack"]
    assert abs(names["padding"].ram) < 64


@pytest.mark.parametrize("name", board_names())
def test_every_board_keeps_its_budget(name: str) -> None:
    sizes = firmware.sizes(firmware.build(load_board(name)))
    assert sizes.flash <= sizes.flash_budget
    assert sizes.ram <= sizes.ram_budget
    assert sizes.arena >= 8192, "an executor of 8 KB fits beside the kernel"


def test_symbols(board: Board) -> None:
    built = firmware.build(board)
    assert built.symbol("mma_arena_low") % 32 == 0
    with pytest.raises(KeyError):
        built.symbol("nobody")


def test_the_compiler_is_heard(board: Board, cache: Path) -> None:
    with pytest.raises(ToolchainError, match=r"The kernel does not compile: .*error: "):
        firmware.build(replace(board, options={**board.options, "slots": 0, "block": 0}))
    with pytest.raises(ToolchainError, match="no folder chips/z80"):
        firmware.build(replace(board, chip="z80"))
