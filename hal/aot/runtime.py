"""What executors are linked with: the C runtime of firmware/sdk/executor/ and the compiler's builtins.

Both are compiled once a machine and kept in the user's cache. Builtins (64-bit division, soft floats) come
from zig's compiler_rt and take a few seconds the first time; only modules that need them wait for that.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hal import toolchain
from hal.aot.model import Machine
from hal.errors import ToolchainError

FLAGS = (
    "-std=gnu11",
    "-O2",
    "-ffreestanding",
    "-nostdinc",
    "-fno-strict-aliasing",
    "-fwrapv",
    "-ffp-contract=off",  # WebAssembly rounds after every operation
    "-fno-math-errno",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-optimize-sibling-calls",  # endless recursion must end in a trap, not become a loop
    "-fomit-frame-pointer",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-fno-stack-protector",
    "-fno-pic",
    "-fno-ident",
    "-gdwarf-4",
    "-gline-tables-only",  # for call chains: it changes no code
)
"""For the translated C and the runtime alike."""

BUILTIN_STACK = 200
"""Bytes of stack that a builtin may use: more than any of compiler_rt's that executors call."""


BUILTIN_LIMIT = 600.0
"""Seconds that building the builtins may take: some on a quiet machine, minutes on a crowded one; once."""

MOST_KEPT = 1000
"""Objects and images in the cache, some 20 KB each."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The compiled runtime of one machine."""

    objects: tuple[Path, ...]
    stack: int
    """Largest frame among its functions, in bytes."""


def flags(machine: Machine) -> list[str]:
    """clang's words for C of executors."""
    own: list[str] = []
    if machine.target.startswith("riscv"):
        own = ["-msmall-data-limit=0"]
    elif machine.target.startswith("thumb"):
        # Loops over linear memory have all their arrays behind one base; left alone, clang's loop strength
        # reduction then shares one pointer among them, with offsets that no Thumb instruction holds.
        own = ["-mllvm", "-lsr-preferred-addressing-mode=postindexed"]
    return [f"--target={machine.target}", *machine.flags, *own, *FLAGS]


@cache
def sources_digest() -> str:
    """Names the translator, the executor's C sources and the compiler: part of every cache key."""
    digest = hashlib.sha256(str(toolchain.zig().stat().st_size).encode())
    sources = [*Path(__file__).parent.glob("*.py"), *(toolchain.sdk() / "executor").iterdir()]
    for path in [toolchain.sdk() / "abi.h", *sorted(sources)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def runtime(machine: Machine) -> Runtime:
    """The runtime for a machine, compiled if it isn't in the cache. ToolchainError if that fails."""
    names = ["memory", "float"] + (["x86_64"] if machine.target.startswith("x86_64") else [])

    def build(folder: Path) -> None:
        for name in names:
            source = toolchain.sdk() / "executor" / f"{name}.c"
            words: list[str | Path] = [
                *flags(machine),
                "-Os",
                "-fno-builtin",
                "-fstack-usage",
                "-c",
                source,
                "-o",
                f"{name}.o",
            ]
            toolchain.must(["clang", *words], folder=folder)

    folder = keep(f"runtime-{_machine_digest(machine)}", build)
    frames = [size for name in names for size in frame_sizes(folder / f"{name}.su").values()]
    return Runtime(tuple(folder / f"{name}.o" for name in names), max(frames))


def builtins(machine: Machine) -> Path:
    """zig's compiler_rt for a machine, as an archive."""

    def build(folder: Path) -> None:
        source = toolchain.zig().parent / "lib" / "compiler_rt.zig"
        words: list[str | Path] = [
            "build-lib",
            source,
            *_zig_target(machine),
            "-O",
            "ReleaseSmall",
            "-fstrip",
            "-fno-unwind-tables",
        ]
        words += ["-fsingle-threaded", "-fno-stack-check", "-fno-stack-protector", "-ffunction-sections"]
        words += ["--cache-dir", "work", "--global-cache-dir", "work", "-femit-bin=builtins.a"]
        toolchain.must(words, folder=folder, time_limit=BUILTIN_LIMIT)
        shutil.rmtree(folder / "work", ignore_errors=True)

    return keep(f"builtins-{_machine_digest(machine)}", build) / "builtins.a"


def kept(name: str) -> bool:
    """Whether the cache has that folder."""
    return (toolchain.cache_folder() / "aot" / name).is_dir()


def keep(name: str, build: Callable[[Path], None]) -> Path:
    """A folder of the cache, built unless it is there. Builders may run side by side: the first one stays."""
    folder = toolchain.cache_folder() / "aot" / name
    if folder.is_dir():
        with contextlib.suppress(OSError):
            os.utime(folder)  # so that it isn't among the oldest
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        build(work)
        try:
            os.rename(work, folder)
        except OSError:
            if not folder.is_dir():
                raise ToolchainError(f"The cache folder {folder.parent} can't be written.") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _forget_oldest(folder.parent)
    return folder


def _forget_oldest(parent: Path) -> None:
    """Keep the cache from growing for ever: objects and images that were not used for longest go."""
    ages = []
    for folder in parent.iterdir():
        if not folder.name.startswith((".new-", "runtime-", "builtins-")):
            with contextlib.suppress(OSError):
                ages.append((folder.stat().st_mtime, folder))
    for _, folder in sorted(ages)[: max(0, len(ages) - MOST_KEPT)]:
        shutil.rmtree(folder, ignore_errors=True)


def frame_sizes(path: Path) -> dict[str, int]:
    """Bytes of stack by C function, from clang's -fstack-usage: `file:line:name<tab>bytes<tab>kind`."""
    sizes = {}
    for line in path.read_text().splitlines() if path.exists() else ():  # no file, no functions
        place, size, _ = line.split("\t")
        sizes[place.rsplit(":", 1)[1]] = int(size)
    return sizes


def _machine_digest(machine: Machine) -> str:
    words = "\0".join((sources_digest(), machine.target, *machine.flags))
    return hashlib.sha256(words.encode()).hexdigest()[:32]


def _zig_target(machine: Machine) -> list[str]:
    """clang's words for a machine in zig's own."""
    words = dict(flag.split("=", 1) for flag in machine.flags if "=" in flag)
    if machine.target.startswith("thumb"):
        cpu = words.get("-mcpu", "generic").replace("-", "_")
        return ["-target", "thumb-freestanding-eabi", "-mcpu", cpu]
    if machine.target.startswith("riscv32"):
        extensions = "+".join(words.get("-march", "rv32i").split("_")[0].removeprefix("rv32i"))
        return ["-target", "riscv32-freestanding", "-mcpu", f"generic_rv32+{extensions}".rstrip("+")]
    return ["-target", f"{machine.target.split('-')[0]}-freestanding"]
