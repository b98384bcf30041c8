"""Large modules are compiled in a process of their own, with limits."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from hal.aot import apart, compiler
from hal.boards import load_board
from hal.errors import ModuleError, ToolchainError

LARGE, SMALL = (
    bytes(wat2wasm(f'(module (func (export "main") {"(drop (i32.const 1))" * count}))'))
    for count in (12_000, 12)
)
BOARD = load_board("stm32f4")


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty one."""
    monkeypatch.setenv("MMA_CACHE", str(tmp_path))


@pytest.fixture
def no_translator(monkeypatch: pytest.MonkeyPatch) -> None:
    """None in this process."""

    def translate(*_: object, **__: object) -> None:
        raise AssertionError("the translator runs in the gateway's process")

    monkeypatch.setattr(compiler, "translate", translate)


@pytest.mark.usefixtures("no_translator")
def test_the_gateway_s_process_translates_nothing_large() -> None:
    assert len(LARGE) > apart.LARGE
    first = apart.compile_apart(LARGE, BOARD)
    assert first.code_bytes > 0
    assert apart.compile_apart(LARGE, BOARD) == first
    with pytest.raises(AssertionError, match="translator"):
        apart.compile_apart(SMALL, BOARD)


@pytest.mark.usefixtures("no_translator")
@pytest.mark.parametrize("binary", [LARGE[:-9], b"no module" * 9000])
def test_what_is_wrong_with_a_large_module_is_said_as_of_a_small_one(binary: bytes) -> None:
    with pytest.raises(ModuleError, match=r"not valid: unexpected|does not begin with"):
        apart.compile_apart(binary, BOARD)


def test_it_is_stopped_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "TIME_LIMIT", 0.05)
    with pytest.raises(ToolchainError, match=r"took longer than 0.05 s.*smaller"):
        apart.compile_apart(LARGE, BOARD)


def test_it_has_no_more_memory_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "MEMORY_LIMIT", 100 << 20)
    with pytest.raises(ToolchainError, match="more memory than it is allowed"):
        apart.compile_apart(LARGE, BOARD)


async def test_however_many_compile_other_threads_are_free() -> None:
    go = threading.Event()
    waiting = [asyncio.create_task(apart.beside(go.wait, 60)) for _ in range(100)]
    try:
        async with asyncio.timeout(30):
            assert await asyncio.to_thread(lambda: 7) == 7
    finally:
        go.set()
        await asyncio.gather(*waiting)
