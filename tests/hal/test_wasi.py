"""Modules for WASI: every call that targets have answers alike on the host and on each board."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from guests import end_of, output_of, play, wasm

from emulation.targets import open_machine
from hal import aot, firmware, toolchain
from hal.aot import wasi
from hal.aot.binary import read
from hal.aot.compiler import compile_module
from hal.boards import board_names, load_board
from hal.errors import ModuleError
from hal.guest import build_module
from hal.host import HostTarget
from hal.mcu import McuTarget
from hal.target import Budget, Cause, Launch, Target

GUEST = Path(__file__).with_name("wasi_guest.c")
LONG = b"0123456789" * 30
LINES = (b"one", b"two", b"three", b"four", b"", b"six", LONG[:120], LONG[120:240], LONG[240:])
LINES += (b"task|two||", b"unfinished")

on_board = pytest.mark.end_to_end
TARGETS = ["host", *(pytest.param(name, marks=on_board) for name in board_names())]


@contextlib.asynccontextmanager
async def opened(name: str) -> AsyncIterator[Target]:
    """The host, or a board in QEMU."""
    if name == "host":
        host = HostTarget("host")
        await host.open()
        try:
            yield host
        finally:
            await host.close()
        return
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("QEMU is missing: see mma doctor")
    board = load_board(name)
    async with open_machine(f"{name}@qemu") as machine:
        await machine.start(firmware.build(board).elf)
        target = McuTarget(f"{name}@qemu", board, machine.connect)
        await target.open()
        try:
            yield target
        finally:
            await target.close()


@pytest.mark.parametrize("name", TARGETS)
async def test_every_call_answers(name: str) -> None:
    async with opened(name) as target:
        launch = Launch("a", build_module(GUEST), ("two", ""), Budget(log=512))
        events = await play(target, launch)
    ended = end_of(events)
    assert (ended.cause, hex(ended.status)) == (Cause.EXITED, hex(0)), ended.message
    assert output_of(events) == b"".join(line + b"\n" for line in LINES)


@pytest.mark.parametrize("name", TARGETS)
async def test_what_start_returns_ends_its_line(name: str) -> None:
    """_start comes before main where both are there, and a module may end without proc_exit."""
    text = """
    (module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (global (export "__heap_base") i32 (i32.const 64))
      (data (i32.const 0) "\\10\\00\\00\\00\\03\\00\\00\\00") (data (i32.const 16) "end")
      (func (export "main") (param i32 i32) (result i32) unreachable)
      (func (export "_start")
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
    async with opened(name) as target:
        events = await play(target, Launch("a", wasm(text)))
    assert end_of(events).status == 0, end_of(events).message
    assert output_of(events) == b"end\n"


def test_the_table_is_that_of_the_documentation() -> None:
    """46 functions in snapshot preview 1, those of the clock with 64 bits where it says timestamp."""
    assert len(wasi.FUNCTIONS) == 46
    assert not set(wasi.PROVIDED) & set(wasi.ABSENT)
    assert str(wasi.FUNCTIONS["path_open"]) == "(i32, i32, i32, i32, i32, i64, i64, i32, i32) -> (i32)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '"wasi_unstable" "fd_close" (func (param i32) (result i32))',
            "preview 1, the module wasi_snap",
        ),
        (
            '"wasi_snapshot_preview1" "fd_close" (func (param i64) (result i32))',
            "provide it as (i32)",
        ),
        ('"wasi_snapshot_preview1" "fly" (func)', "fly, which no target has"),
    ],
)
def test_other_wasi_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ModuleError) as caught:
        aot.validate(wasm(f'(module (import {text}) (func (export "main")))'))
    assert words in str(caught.value)


def test_memory_whose_end_nobody_tells_is_all_that_is_declared() -> None:
    """A C library has variables behind its initial data; __heap_base says how far they go."""
    text = """(module (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
      (memory 1) {} (data (i32.const 8) "data") (func (export "_start")))"""
    board = load_board("stm32f4")
    told = '(global (export "__heap_base") i32 (i32.const 3000))'
    assert compile_module(wasm(text.format("")), board).least_memory == 65536
    assert compile_module(wasm(text.format(told)), board).least_memory == 3000


@pytest.mark.end_to_end
@pytest.mark.parametrize("name", ["host", "stm32f4", "hifive1", "microbit"])
async def test_a_program_of_a_stock_toolchain(name: str, tmp_path: Path) -> None:
    """C with stdio and wasi-libc, as the compiler's own documentation has it built: nothing of it is ours."""
    (tmp_path / "puts.c").write_text(
        '#include <stdio.h>\nint main(void) { puts("hello, libc"); return 3; }\n'
    )
    words: list[str | Path] = ["cc", "-target", "wasm32-wasi", "-Os", "-Wl,-z,stack-size=1024"]
    words += ["-Wl,--export=__heap_base", "puts.c", "-o", "puts.wasm"]
    toolchain.must(words, folder=tmp_path, time_limit=600)
    module = (tmp_path / "puts.wasm").read_bytes()
    assert wasi.used(read(module))
    async with opened(name) as target:
        events = await play(target, Launch("a", module))
    assert (end_of(events).cause, end_of(events).status) == (Cause.EXITED, 3), end_of(events).message
    assert output_of(events) == b"hello, libc\n"
