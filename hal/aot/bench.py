"""What the translation costs: the same kernels native and translated, on a board without an operating system.

    bench = build(board)                 an ELF that prints one line a kernel on the board's UART
    figures = parse(bench, lines)        after somebody ran it (QEMU's -icount shift=0 counts instructions)

Both sides are compiled by the same clang with -O2. The figures are ratios: the clock's unit is of no matter.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from hal import toolchain
from hal.aot.binary import read
from hal.aot.compiler import compile_for
from hal.aot.linker import link
from hal.aot.model import Layout, Machine
from hal.aot.runtime import keep
from hal.aot.translate import HOSTS, Harness
from hal.boards import Board
from hal.errors import BoardError, ToolchainError
from hal.guest import build_module

KERNELS = ("fib", "crc32", "matrix", "fir")
"""The kernels that the goals are about."""
MORE = ("crc32_any", "matrix_any", "fir_any")
"""The same on pointers and lengths that no compiler can see through."""

GOAL_MEAN = 1.05
"""Most that the geometric mean over KERNELS may be."""
GOAL_EACH = 1.25
"""Most that any of KERNELS may cost."""

_SCRIPT = """\
ENTRY(bench_reset)
SECTIONS {{
  .text {flash:#x} : {{ KEEP(*(.vectors)) *(.text .text.*) *(.rodata .rodata.*) . = ALIGN(8); }}
  bench_data_from = .;
  .data {ram:#x} : AT(bench_data_from) {{ bench_data = .; *(.data .data.*) bench_data_end = .; }}
  .bss : {{ *(.bss .bss.* COMMON) }}
  bench_stack = {stack:#x};
  /DISCARD/ : {{ *(.ARM.exidx*) *(.ARM.extab*) }}
}}
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """A benchmark to boot."""

    elf: Path
    kernels: tuple[str, ...]
    code_bytes: int
    """All kernels translated."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One kernel's times in ticks."""

    kernel: str
    native: int
    translated: int
    equal: bool
    """Both gave the same result."""

    @property
    def ratio(self) -> float:
        """What the translation costs; 1 is nothing."""
        return self.translated / max(self.native, 1)


def build(board: Board) -> Bench:
    """The benchmark for a board. BoardError if it has none; ToolchainError."""
    folder = toolchain.sdk() / "bench"
    if not (folder / f"{board.name}.c").exists():
        raise BoardError(f"There is no benchmark for {board.name}.", remedy="stm32f4 has one.")
    machine = Machine.of(board)
    module = build_module(folder / "kernels.c")
    one = compile_for(module, machine, Harness(HOSTS, ""))
    half = board.ram.address + board.ram.size // 2
    memory = half + -(-one.code_bytes // 8) * 8
    part = one.memory_part(one.wanted_memory)
    image = link(one, Layout(half, one.code_bytes, memory + part, 1024, memory, part))
    exports = read(module).exports
    names = ("setup", *KERNELS, *MORE)
    with image.elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        symbols = {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}
    pairs = "".join(f"{{bench_{name}, (void *){symbols[_export(exports, name)]:#x}}}, " for name in names)
    source = f"""typedef unsigned int u32;
{"".join(f"u32 bench_{name}(void);" for name in names)}
const struct {{ u32 (*native)(void); void *translated; }} kernels[] = {{ {pairs} }};
const u32 kernels_count = {len(names)};
const unsigned char image[] = {{ {",".join(map(str, image.stream))} }};
const u32 image_bytes = {len(image.stream)};
"""
    top = board.ram.address + board.ram.size
    script = _SCRIPT.format(flash=board.flash.address, ram=board.ram.address, stack=top)

    def make(work: Path) -> None:
        (work / "tables.c").write_text(source)
        (work / "bench.ld").write_text(script)
        plain = ["clang", f"--target={board.target}", *board.flags, "-O2", "-std=gnu11"]
        plain += ["-ffreestanding", "-nostdinc"]
        toolchain.must([*plain, "-c", folder / "kernels.c", "-o", "kernels.o"], folder=work)
        toolchain.must(
            [*plain, "-fno-builtin", "-c", folder / f"{board.name}.c", "-o", "board.o"], folder=work
        )
        toolchain.must([*plain, "-c", "tables.c", "-o", "tables.o"], folder=work)
        objects = ["board.o", "tables.o", "kernels.o"]
        toolchain.must(["ld.lld", "-T", "bench.ld", "-o", "bench.elf", *objects], folder=work)

    sources = (folder / "kernels.c").read_text() + (folder / f"{board.name}.c").read_text()
    words = (source, script, sources, board.target, *board.flags)
    key = hashlib.sha256("\0".join(words).encode()).hexdigest()[:40]
    return Bench(keep(f"bench-{key}", make) / "bench.elf", names, one.code_bytes)


def parse(bench: Bench, lines: Iterable[str]) -> list[Figure]:
    """Figures from the lines that a board printed, up to its `end`. ToolchainError if it faulted."""
    figures: list[Figure] = []
    for line in lines:
        words = line.split()
        if words == ["end"]:
            return figures
        if words == ["fault"]:
            break
        if len(words) == 5 and all(word.isdigit() for word in words):
            number, wanted, got, native, translated = map(int, words)
            figures.append(Figure(bench.kernels[number], native, translated, wanted == got))
    raise ToolchainError(f"The benchmark ended after {len(figures)} of {len(bench.kernels)} kernels.")


def geometric_mean(figures: Sequence[Figure], kernels: Sequence[str] = KERNELS) -> float:
    """Of the ratios of some kernels."""
    ratios = [figure.ratio for figure in figures if figure.kernel in kernels]
    return math.prod(ratios) ** (1 / len(ratios)) if ratios else math.nan


def _export(exports: dict[str, tuple[str, int]], name: str) -> str:
    return f"mma_export_{exports[f'bench_{name}'][1]}"
