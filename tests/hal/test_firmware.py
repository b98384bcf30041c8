"""The kernel's builder, and the budgets that it holds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hal import firmware, objects, toolchain
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


@pytest.fixture
def kernel(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a kernel's sources that may be changed."""
    root = tmp_path / "source" / "firmware"
    shutil.copytree(firmware.ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(firmware, "ROOT", root)
    return root


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that the compiler was given since the list was cleared."""
    names: list[str] = []
    run = toolchain.run

    def spy(words: Sequence[str | Path], **more: Any) -> toolchain.Result:
        if "-c" in words:
            names.append(Path(words[words.index("-c") + 1]).name)
        return run(words, **more)

    monkeypatch.setattr(toolchain, "run", spy)
    return names


def change(path: Path, name: str) -> None:
    """Add a function that is in the object."""
    path.write_text(path.read_text() + f"\nextern int {name}(void);\nint {name}(void) {{ return 7; }}\n")


def test_a_change_compiles_what_it_touches(board: Board, kernel: Path, compiled: list[str]) -> None:
    first = firmware.build(board)
    assert len(compiled) == len(tuple(firmware.sources(board)))
    compiled.clear()
    change(kernel / "kernel" / "coap.c", "mma_changed")
    second = firmware.build(board)
    assert compiled == ["coap.c"]
    assert second.digest != first.digest
    header = kernel / "kernel" / "coap.h"
    header.write_text(header.read_text() + "\n// a word\n")
    compiled.clear()
    firmware.build(board)
    users = {path.name for path in firmware.sources(board) if '"kernel/coap.h"' in path.read_text()}
    assert users <= set(compiled)
    assert len(compiled) < len(tuple(firmware.sources(board)))
    compiled.clear()
    firmware.build(replace(board, options={**board.options, "slots": 2}))
    assert len(compiled) == len(tuple(firmware.sources(board))), "other flags make other objects"


def test_kept_objects_link_to_the_same_kernel(board: Board, kernel: Path, cache: Path) -> None:
    """To the byte, and each module's share is still known."""
    first = firmware.build(board)
    parts = firmware.sizes(first).modules
    elf = first.elf.read_bytes()
    shutil.rmtree(cache / "firmware")
    again = firmware.build(board)
    assert again.elf.read_bytes() == elf
    assert firmware.sizes(again).modules == parts


def test_a_damaged_or_missing_object_is_made_anew(
    board: Board, kernel: Path, cache: Path, compiled: list[str]
) -> None:
    elf = firmware.build(board).elf.read_bytes()
    damaged, missing, *_ = sorted((cache / "objects").glob("*.o"))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    missing.unlink()
    for path in (cache / "objects").glob("*.headers"):
        path.write_bytes(path.read_bytes()[:40])
        break
    shutil.rmtree(cache / "firmware")
    compiled.clear()
    assert firmware.build(board).elf.read_bytes() == elf
    assert 2 <= len(compiled) <= 3, "a list of headers may be that of one of the two objects"


def test_what_was_saved_while_it_was_compiled_is_not_kept(
    board: Board, kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows of which text that object is."""
    source = kernel / "kernel" / "coap.c"
    before, run = source.read_text(), toolchain.run

    def late(words: Sequence[str | Path], **more: Any) -> toolchain.Result:
        done = run(words, **more)
        if source in words:
            source.write_text(before)  # what was compiled is another
        return done

    monkeypatch.setattr(toolchain, "run", late)
    change(source, "mma_changed")
    firmware.build(board)
    monkeypatch.setattr(toolchain, "run", run)
    assert b"mma_changed" not in firmware.build(board).elf.read_bytes()
    change(source, "mma_changed")
    assert b"mma_changed" in firmware.build(board).elf.read_bytes()


def test_old_objects_go(tmp_path: Path) -> None:
    for name in range(objects.MOST + 5):
        path = tmp_path / f"{name}.o"
        path.touch()
        os.utime(path, (name, name))
    objects.Objects(tmp_path, tmp_path, "", {}).prune()
    assert len(list(tmp_path.iterdir())) == objects.MOST
    assert not (tmp_path / "4.o").exists()


def test_dependencies_are_read_as_make_does() -> None:
    text = "out.o: /a/x.c /a/my\\ headers/y.h \\\n  /a/z.h\n"
    assert objects.headers_of(text) == [Path("/a/my headers/y.h"), Path("/a/z.h")]


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
