"""Builds the device kernel for a board, and tells what each of its parts weighs.

All C sources of firmware/{kernel,arch/ARCH,chips/CHIP,boards/BOARD} are compiled and linked by the one
toolchain of hal.toolchain. Results are kept by content: a second build only hashes the sources, and a change
compiles only what it touches (hal.objects).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import string
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from hal import toolchain
from hal.boards import Board
from hal.errors import ToolchainError
from hal.objects import Objects, digest_of, headers_of
from hal.problems import Problem, listed, parse

_FLAGS = (
    "-std=gnu11",
    *("-Os", "-g", "-ffreestanding", "-fno-builtin", "-fno-common", "-fomit-frame-pointer"),
    *("-ffunction-sections", "-fdata-sections"),  # the linker drops what a board doesn't use
    *("-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wstrict-prototypes"),
)
_ARCH_FLAGS = {
    "cortex_m": ("-mfloat-abi=soft",),  # those registers are the executors'
    "riscv": ("-msmall-data-limit=0",),  # the linker script has no small data
}
ROOT = Path(str(resources.files("firmware"))).resolve()
"""The folder of the kernel's sources."""
_SUFFIXES = (".c", ".S")
_FOLDERS = ("kernel", "arch", "chips", "boards")
_DEFAULT_STACK = 1024


@dataclass(frozen=True, slots=True)
class Firmware:
    """A kernel built for a board."""

    board: Board
    elf: Path
    """With debug information; flash it, or boot it in an emulator."""
    map: Path
    """The linker's map."""
    digest: str
    """Names it in the cache: hex SHA-256 over all that went in."""
    seconds: float
    """What the build took now; next to nothing where it was kept."""

    def symbol(self, name: str) -> int:
        """The address of a symbol. KeyError if there is none."""
        with self.elf.open("rb") as file:
            table = ELFFile(file).get_section_by_name(".symtab")
            found = table.get_symbol_by_name(name) if isinstance(table, SymbolTableSection) else None
            if not found:
                raise KeyError(name)
            return int(found[0]["st_value"])


@dataclass(frozen=True, slots=True)
class Module:
    """One source file's share of the kernel, in bytes."""

    name: str
    """Such as kernel/coap; `stack` is the kernel's own stack."""
    flash: int
    ram: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a kernel weighs, in bytes, by module (largest first) and in all."""

    modules: tuple[Module, ...]
    flash: int
    ram: int
    arena: int
    """RAM that is left for executors."""
    flash_budget: int
    ram_budget: int

    @property
    def met(self) -> bool:
        """Both budgets hold."""
        return self.flash <= self.flash_budget and self.ram <= self.ram_budget


def sources(board: Board) -> Iterator[Path]:
    """Every source file of a board's kernel, sorted."""
    root = ROOT
    for folder in _folders(board):
        if not (root / folder).is_dir():
            raise ToolchainError(
                f"The firmware has no folder {folder} for board {board.name}.",
                remedy="Add it as docs/porting.md says.",
            )
        yield from sorted(path for path in (root / folder).iterdir() if path.suffix in _SUFFIXES)


def files() -> tuple[Path, ...]:
    """Every source and header of every board's kernel, sorted."""
    found = (path for folder in _FOLDERS for path in sorted((ROOT / folder).rglob("*")))
    return tuple(path for path in found if holds(path))


def holds(path: Path, board: Board | None = None) -> bool:
    """A file is a source or header of the kernel; of that board's, where one is named."""
    if not path.is_relative_to(ROOT):
        return False
    folder = path.parent.relative_to(ROOT).as_posix()
    if board is None:
        return folder.split("/")[0] in _FOLDERS and path.suffix in (*_SUFFIXES, ".h", ".ld")
    return folder in _folders(board) or (path.suffix in (".h", ".ld") and holds(path))


def build(board: Board) -> Firmware:
    """Build a board's kernel, or take the kept one. ToolchainError with the compiler's words if it fails.

    Blocks for up to a second: call it in a thread (asyncio.to_thread) from an event loop.
    """
    began = time.perf_counter()
    paths = tuple(sources(board))
    flags = _flags(board)
    digest = _digest(board, paths, flags)
    folder = toolchain.cache_folder() / "firmware" / f"{board.name}-{digest[:16]}"
    if not (folder / "kernel.elf").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".build-", dir=folder.parent))
        try:
            _compile(board, paths, flags, scratch)
            _keep(scratch, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return Firmware(board, folder / "kernel.elf", folder / "kernel.map", digest, time.perf_counter() - began)


def sizes(firmware: Firmware) -> Sizes:
    """What each module of a built kernel takes, from the linker's map; padding and tables count too."""
    flash: dict[str, int] = {}
    ram: dict[str, int] = {}
    for piece in pieces(firmware):
        section, size, name = piece.section, piece.size, piece.module
        if section in (".text", ".data"):
            flash[name] = flash.get(name, 0) + size
        if section in (".data", ".bss", ".noinit", ".stack"):
            ram[name] = ram.get(name, 0) + size
    with firmware.elf.open("rb") as file:
        elf = ELFFile(file)
        total = {section.name: int(section["sh_size"]) for section in elf.iter_sections()}
    all_flash = total[".text"] + total[".data"]
    arena = firmware.board.ram.end - firmware.symbol("mma_arena_low")
    all_ram = firmware.board.ram.size - arena
    ram["stack"] = total[".stack"]
    flash["padding"] = all_flash - sum(flash.values())
    ram["padding"] = all_ram - sum(ram.values())
    modules = (Module(name, flash.get(name, 0), ram.get(name, 0)) for name in flash.keys() | ram.keys())
    ordered = sorted(modules, key=lambda module: (-module.flash, -module.ram, module.name))
    board = firmware.board
    return Sizes(tuple(ordered), all_flash, all_ram, arena, board.flash_budget, board.ram_budget)


def _folders(board: Board) -> tuple[str, ...]:
    return ("kernel", f"arch/{board.arch}", f"chips/{board.chip}", f"boards/{board.name}")


def _flags(board: Board) -> list[str]:
    options = {"baud": board.baud, **board.options}
    return [
        f"--target={board.target}",
        *board.flags,
        *_ARCH_FLAGS.get(board.arch, ()),
        *_FLAGS,
        f'-DMMA_BOARD="{board.name}"',
        *(f"-D{'MMA_' + name.upper()}={value}" for name, value in sorted(options.items())),
    ]


def _digest(board: Board, paths: tuple[Path, ...], flags: list[str]) -> str:
    root = ROOT
    sink = hashlib.sha256(repr((board, flags, *_identity())).encode())
    for path in (*paths, *_headers()):
        sink.update(f"{path.relative_to(root)}\0".encode())
        sink.update(path.read_bytes())
    return sink.hexdigest()


def _headers() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*") if path.suffix in (".h", ".ld"))


def _identity() -> tuple[str, int]:
    """Which compiler it is."""
    return str(toolchain.zig()), toolchain.zig().stat().st_mtime_ns


def _compile(board: Board, paths: tuple[Path, ...], flags: list[str], scratch: Path) -> None:
    root = ROOT
    targets = [scratch / _object_name(path.relative_to(root)) for path in paths]
    headers = {path.relative_to(root).as_posix(): digest_of(path) for path in _headers()}
    folder = toolchain.cache_folder() / "objects"
    objects = Objects(folder, root, repr((flags, _identity())), headers)
    include = [f"-I{root}", f"-I{root / 'arch' / board.arch}", f"-isystem{toolchain.headers()}"]

    def one(source: Path, target: Path) -> tuple[Problem, ...]:
        begun, kept = objects.find(source)
        if kept is not None:
            target.write_bytes(kept)
            return ()
        words = ["-fno-caret-diagnostics", "-fdiagnostics-print-source-range-info"]
        words += [f"-ffile-prefix-map={root}=firmware"]
        told = target.with_suffix(".d")
        words += ["-MMD", "-MF", str(told)]
        result = toolchain.run(["clang", *flags, *include, *words, "-c", source, "-o", target])
        if result.ok:
            included = headers_of(told.read_text(encoding="utf-8"))
            objects.keep(source, begun, included, target.read_bytes())
            return ()
        text = result.errors.strip()[:200] or f"clang ended with status {result.status}"
        return parse(result.errors) or (Problem(str(source), 0, 0, "error", text),)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        problems = tuple(
            dict.fromkeys(problem for found in pool.map(one, paths, targets) for problem in found)
        )
    objects.prune()
    if problems:  # those of a header come from every file that includes it
        raise ToolchainError(f"The kernel does not compile: {listed(problems, 3)}", problems=problems)
    script = scratch / "kernel.ld"
    script.write_text(_link_script(board), encoding="utf-8")
    elf, mapped = scratch / "kernel.elf", scratch / "kernel.map"
    options = ["--gc-sections", "-z", "max-page-size=4", f"--Map={mapped}"]
    toolchain.must(["ld.lld", "-T", script, *options, "-o", elf, *targets])


def _keep(scratch: Path, folder: Path) -> None:
    for path in (*scratch.glob("*.o"), *scratch.glob("*.d")):
        path.unlink()
    try:
        scratch.replace(folder)
    except OSError:  # another process built the same meanwhile
        if not (folder / "kernel.elf").exists():
            raise


def _link_script(board: Board) -> str:
    template = (ROOT / "arch" / "link.ld").read_text(encoding="utf-8")
    return string.Template(template).substitute(
        placeholders="placeholders",
        flash_address=hex(board.flash.address),
        flash_size=hex(board.flash.size),
        ram_address=hex(board.ram.address),
        ram_size=hex(board.ram.size),
        stack=board.options.get("stack", _DEFAULT_STACK),
    )


def _object_name(source: Path) -> str:
    return "-".join(source.parts) + ".o"


@dataclass(frozen=True, slots=True)
class Piece:
    """One input section where the linker put it, at its run-time address; `section` is the output section."""

    section: str
    address: int
    size: int
    module: str


def pieces(firmware: Firmware) -> tuple[Piece, ...]:
    """Where each module's parts lie, in the linker's order."""
    return tuple(_pieces(firmware.map.read_text(encoding="utf-8")))


def kept(board: Board) -> tuple[Firmware, ...]:
    """The kernels of a board that were built before and are still there, the newest first."""
    folders = (toolchain.cache_folder() / "firmware").glob(f"{board.name}-*")
    made = [
        folder for folder in folders if (folder / "kernel.elf").exists() and (folder / "kernel.map").exists()
    ]
    made.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    return tuple(
        Firmware(board, one / "kernel.elf", one / "kernel.map", one.name.rpartition("-")[2], 0.0)
        for one in made
    )


_LINE = re.compile(r"^\s*([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)\s+\d+ (.*)$")


def _pieces(text: str) -> Iterator[Piece]:
    """Every input section in a map of lld."""
    section = ""
    for line in text.splitlines():
        found = _LINE.match(line)
        if not found:
            continue
        address, size, words = int(found[1], 16), int(found[2], 16), found[3]
        depth = len(words) - len(words.lstrip())
        words = words.strip()
        if depth == 0:
            section = words
        elif depth == 8 and ":(" in words:
            name = words.split(":(")[0].rsplit("/", 1)[-1]
            yield Piece(section, address, size, _module_name(name))


def _module_name(name: str) -> str:
    name = re.sub(r"\.(c|S)\.o$", "", name)
    return name.replace("-", "/") if "-" in name else "constants"
