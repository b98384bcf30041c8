"""The benchmark of the translation: what its image says is read, and what a peer needs is made."""

from __future__ import annotations

import pytest
import wasmtime

from hal.aot import bench
from hal.aot.binary import read
from hal.aot.validate import validate_core
from hal.boards import load_board
from hal.errors import ToolchainError
from hal.guest import build_module


def test_what_a_board_prints_becomes_figures() -> None:
    one = bench.build(load_board("stm32f4"))
    assert 0 < one.module_bytes < one.code_bytes
    lines = [
        "noise",
        "1 2584 2584 0 168000 184800 0",
        "2 5 6 0 1680 1344 0",
        "memory 77",
        "end",
        "3 1 1 1 1 1 1",
    ]
    result = bench.parse(one, lines)
    assert result.figures == (
        bench.Figure("fib", 125_000, 137_500, 0, True),
        bench.Figure("crc32", 1250, 1000, 0, False),
    )
    assert result.interpreter_memory == 77
    assert result.of(["crc32"])[0].ratio == pytest.approx(0.8)
    assert bench.mean([2, 8]) == pytest.approx(4)
    with pytest.raises(ToolchainError, match="after 0 of 17 kernels"):
        bench.parse(one, ["fault"])


def test_an_interpreters_wrong_result_is_seen() -> None:
    one = bench.build(load_board("stm32f4"))
    right, wrong = (bench.parse(one, [f"1 7 7 {found} 10 10 300", "end"]).figures[0] for found in (7, 8))
    assert right.equal
    assert not wrong.equal


def test_a_module_for_runtimes_that_know_standard_pages_only() -> None:
    module = build_module(b"static char data[300]; int main(void) { return data[7]; }", kind="c")
    plain = bench.standard_pages(module)
    validate_core(plain)
    assert read(module).memories[0].page == 1
    assert (read(plain).memories[0].page, read(plain).memories[0].minimum) == (65536, 1)
    assert wasmtime.Module(wasmtime.Engine(), plain).exports
