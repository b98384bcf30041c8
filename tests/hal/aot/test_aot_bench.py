"""What the translation costs on an emulated stm32f4, in instructions: the goals of `mma bench aot`."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from hal.aot import bench
from hal.boards import load_board
from hal.errors import ToolchainError


def run(one: bench.Bench) -> list[str]:
    """Boot it in QEMU until it says that it is done."""
    command = [
        "qemu-system-arm",
        "-M",
        "netduinoplus2",
        "-icount",
        "shift=0",
        "-nographic",
        "-monitor",
        "none",
    ]
    command += ["-serial", "stdio", "-kernel", str(one.elf)]
    lines: list[str] = []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                lines.append(line)
                if line.strip() in ("end", "fault"):
                    break
        finally:
            process.kill()
    return lines


@pytest.mark.end_to_end
@pytest.mark.skipif(not shutil.which("qemu-system-arm"), reason="needs qemu-system-arm")
def test_translation_costs_next_to_nothing() -> None:
    one = bench.build(load_board("stm32f4"))
    figures = bench.parse(one, run(one))
    assert [figure.kernel for figure in figures] == ["setup", *bench.KERNELS, *bench.MORE]
    assert all(figure.equal for figure in figures)
    assert bench.geometric_mean(figures) <= bench.GOAL_MEAN
    assert max(figure.ratio for figure in figures if figure.kernel in bench.KERNELS) <= bench.GOAL_EACH


def test_what_a_board_prints_becomes_figures() -> None:
    one = bench.build(load_board("stm32f4"))
    figures = bench.parse(one, ["noise", "1 2584 2584 100 110", "2 5 6 100 90", "end", "3 1 1 1 1"])
    assert figures == [bench.Figure("fib", 100, 110, True), bench.Figure("crc32", 100, 90, False)]
    assert bench.geometric_mean(figures) == pytest.approx(0.995, abs=0.001)
    with pytest.raises(ToolchainError, match="after 0 of 8 kernels"):
        bench.parse(one, ["fault"])
