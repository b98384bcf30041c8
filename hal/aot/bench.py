"""What the translation costs: the same kernels native and translated, on a board without an operating system.

    bench = build(board)                 an ELF that prints one line a kernel on the board's UART
    result = parse(bench, lines)         after somebody ran it, in QEMU with -icount shift=SHIFT

Both sides are compiled by the same clang with -O2. An interpreter, given by its sources, runs beside them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from hal import toolchain
from hal.aot.binary import read
from hal.aot.compiler import compile_for
from hal.aot.linker import link
from hal.aot.model import PAGE, Layout, Machine
from hal.aot.runtime import builtins, keep
from hal.aot.translate import HOSTS, Harness
from hal.boards import Board
from hal.errors import BoardError, ToolchainError
from hal.guest import build_module

KERNELS = ("fib", "crc32", "matrix", "fir", "sort", "base64", "pid", "list", "small", "state", "crc16")
"""The kernels that the goals are about."""
MORE = ("crc32_any", "matrix_any", "fir_any", "sort_any", "base64_any")
"""Some again, on pointers and lengths that no compiler can see through."""

GOAL_MEAN = 1.05
"""Most that the geometric mean over KERNELS may be."""
GOAL_EACH = 1.25
"""Most that any kernel may cost."""
GOAL_INTERPRETER = 30.0
"""Least by which an interpreter must be slower in the mean."""

SHIFT = 3
"""QEMU's -icount shift: an instruction takes 2**SHIFT ns. 24 bits of ticks hold the longest kernel."""
CLOCK = 168_000_000
"""Ticks a second on the one board that has a benchmark (stm32f4's core clock in QEMU)."""

RAM = 192 << 10
"""Bytes of the board's RAM: 128 and 64 KB, which QEMU has in one piece."""
STACK = 12 << 10
"""Bytes of RAM for the stack: the interpreter compiles recursively."""
HEAP = 96 << 10
"""Bytes of RAM that the interpreter may use, with the module's memory."""

_SCRIPT = """\
ENTRY(bench_reset)
SECTIONS {{
  .text {flash:#x} : {{ KEEP(*(.vectors)) *(.text .text.*) *(.rodata .rodata.*) . = ALIGN(8); }}
  bench_data_from = .;
  .data {ram:#x} : AT(bench_data_from) {{ bench_data = .; *(.data .data.*) bench_data_end = .; }}
  .bss : {{ *(.bss .bss.* COMMON) }}
  ASSERT(. <= {image:#x}, "the kernels' data and the interpreter's heap meet the image")
  bench_stack = {stack:#x};
  /DISCARD/ : {{ *(.ARM.exidx*) *(.ARM.extab*) }}
}}
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A peer: C sources that firmware/sdk/bench/NAME.c makes callable."""

    name: str
    folder: Path
    """All its .c files and headers."""
    digest: str
    """Names its version."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A benchmark to boot. Sizes are of all kernels together, in bytes."""

    elf: Path
    kernels: tuple[str, ...]
    code_bytes: int
    """Translated."""
    native_bytes: int
    memory_bytes: int
    """Linear memory and state of the translated module; stack apart."""
    module_bytes: int
    """The WebAssembly module."""
    interpreter_bytes: int
    """The interpreter's own code and constants; 0 without one."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One kernel's times in instructions."""

    kernel: str
    native: int
    translated: int
    interpreted: int
    """0 without an interpreter."""
    equal: bool
    """All gave the same result."""

    @property
    def ratio(self) -> float:
        """What the translation costs; 1 is nothing."""
        return self.translated / max(self.native, 1)


@dataclass(frozen=True, slots=True)
class Result:
    """A whole run."""

    figures: tuple[Figure, ...]
    interpreter_memory: int
    """RAM that the interpreter took beside the module's memory, in bytes."""

    def of(self, kernels: Sequence[str]) -> list[Figure]:
        """Some kernels'."""
        return [figure for figure in self.figures if figure.kernel in kernels]


def build(board: Board, interpreter: Interpreter | None = None) -> Bench:
    """The benchmark for a board. BoardError if it has none; ToolchainError."""
    folder = toolchain.sdk() / "bench"
    if not (folder / f"{board.name}.c").exists():
        raise BoardError(f"There is no benchmark for {board.name}.", remedy="stm32f4 has one.")
    machine = Machine.of(board)
    module = build_module(folder / "kernels.c", flags=("-g0",))
    one = compile_for(module, machine, Harness(HOSTS, ""))
    part = one.memory_part(one.wanted_memory)
    code_part = -(-one.code_bytes // 8) * 8
    top = board.ram.address + RAM
    place = top - STACK - part - code_part & ~7
    memory = place + code_part
    image = link(one, Layout(place, one.code_bytes, memory + part, STACK, memory, part))
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
const unsigned char image[] = {_bytes(image.stream)};
const u32 image_bytes = {len(image.stream)};
"""
    if interpreter:
        plain_module = build_module(folder / "kernels.c", flags=("-mcpu=mvp", "-msign-ext"))
        source += f"""const unsigned char bench_module[] = {_bytes(standard_pages(plain_module))};
const u32 bench_module_bytes = sizeof bench_module;
const u32 bench_module_memory = {read(plain_module).memories[0].minimum};
const char *const bench_exports[] = {{ {", ".join(f'"bench_{name}"' for name in names)} }};
"""
    script = _SCRIPT.format(flash=board.flash.address, ram=board.ram.address, image=place, stack=top)
    peer = _interpreter(interpreter, machine, board) if interpreter else []
    options = ["--gc-sections", "-T", "bench.ld"]

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
        objects: list[str | Path] = ["board.o", "tables.o", "kernels.o", *peer, builtins(machine)]
        toolchain.must(["ld.lld", *options, "-o", "bench.elf", *objects], folder=work)

    sources = b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())
    words = (source, script, interpreter.digest if interpreter else "", board.target, *board.flags)
    key = hashlib.sha256("\0".join(words).encode() + sources).hexdigest()[:40]
    made = keep(f"bench-{key}", make)
    others = [made / name for name in ("board.o", "tables.o", "kernels.o")]
    return Bench(
        elf=made / "bench.elf",
        kernels=names,
        code_bytes=one.code_bytes,
        native_bytes=_code_bytes([made / "kernels.o"]),
        memory_bytes=part,
        module_bytes=len(module),
        interpreter_bytes=_code_bytes([made / "bench.elf"]) - _code_bytes(others) if peer else 0,
    )


def parse(bench: Bench, lines: Iterable[str]) -> Result:
    """The result from the lines that a board printed, up to its `end`. ToolchainError if it faulted."""
    figures: list[Figure] = []
    memory = 0
    for line in lines:
        words = line.split()
        if words == ["end"]:
            return Result(tuple(figures), memory)
        if words == ["fault"]:
            break
        if len(words) == 2 and words[0] == "memory":
            memory = int(words[1])
        if len(words) == 7 and all(word.isdigit() for word in words):
            number, wanted, got, found, *times = map(int, words)
            native, translated, interpreted = map(_instructions, times)
            equal = wanted == got and (not interpreted or wanted == found)
            figures.append(Figure(bench.kernels[number], native, translated, interpreted, equal))
    raise ToolchainError(f"The benchmark ended after {len(figures)} of {len(bench.kernels)} kernels.")


def mean(ratios: Iterable[float]) -> float:
    """The geometric one."""
    values = list(ratios)
    return math.prod(values) ** (1 / len(values)) if values else math.nan


def standard_pages(module: bytes) -> bytes:
    """A module whose memory has pages of one byte, as one that asks for a standard page: for runtimes that
    don't know the custom-page-sizes proposal. They must be told the true size apart."""
    declared = read(module).memories[0].minimum
    found = module.index(b"\x01\x08" + _leb(declared) + b"\x00")  # one memory, of a custom page size 2**0
    head = found - 1
    old = module[head : found + 3 + len(_leb(declared))]
    new = bytes((3, 1, 0, -(-declared // PAGE)))
    return module.replace(old, new, 1)


def _leb(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def _instructions(ticks: int) -> int:
    return round(ticks * 1e9 / CLOCK / (1 << SHIFT))


def _bytes(data: bytes) -> str:
    return "{" + ",".join(map(str, data)) + "}"


def _export(exports: dict[str, tuple[str, int]], name: str) -> str:
    return f"mma_export_{exports[f'bench_{name}'][1]}"


def _interpreter(peer: Interpreter, machine: Machine, board: Board) -> list[Path]:
    """Its objects. What it wants of a C library it finds declared in zig's musl headers."""
    library = toolchain.headers().parent / "libc" / "include"
    words: list[str | Path] = ["clang", f"--target={board.target}", *board.flags, "-O3", "-std=gnu11", "-w"]
    words += ["-ffreestanding", "-nostdinc", "-isystem", toolchain.headers(), "-I", peer.folder]
    words += ["-isystem", library / "arm-linux-musl", "-isystem", library / "generic-musl"]
    words += ["-fomit-frame-pointer", "-ffunction-sections", f"-DBENCH_HEAP={HEAP}"]
    words += ["-Dd_m3VerboseErrorMessages=0"]
    glue = toolchain.sdk() / "bench" / f"{peer.name}.c"
    sources = [glue, *sorted(peer.folder.glob("*.c"))]

    def make(work: Path) -> None:
        for source in sources:
            toolchain.must([*words, "-c", source, "-o", f"{source.stem}.o"], folder=work)

    key = hashlib.sha256(f"{peer.digest}{words}".encode() + glue.read_bytes()).hexdigest()[:40]
    made = keep(f"bench-{peer.name}-{key}", make)
    return [made / f"{source.stem}.o" for source in sources]


def _code_bytes(objects: Iterable[Path]) -> int:
    """Code and constants."""
    total = 0
    for path in objects:
        with path.open("rb") as file:
            for section in ELFFile(file).iter_sections():
                flags = section["sh_flags"]
                if flags & SH_FLAGS.SHF_ALLOC and not flags & SH_FLAGS.SHF_WRITE:
                    total += int(section["sh_size"])
    return total
