"""The kernel's hardware-free C, built for this computer: as a library for ctypes, and as a fuzzer."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from pathlib import Path

from hal import toolchain

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[1] / "firmware"
PURE = ("slip", "sha256", "cbor", "coap", "ring", "loader", "arena")
SERVER = (
    *PURE,
    "calls",
    "executor",
    "executors",
    "link",
    "pins",
    "resources",
    "rules",
    "scheduler",
    "server",
)
PLAN = FIRMWARE / "arch" / "cortex_m" / "plan.c"
_DEFINES = ["-DMMA_MPU=1", "-DMMA_SLOTS=4", "-DMMA_BLOCK=256"]
_INCLUDES = [f"-I{FIRMWARE}", f"-I{HERE / 'host'}"]


def library(folder: Path) -> ctypes.CDLL:
    """The pure parts, with traps on undefined behaviour."""
    target = f"--target={platform.machine()}-linux-gnu"
    objects: list[Path] = []
    for source in (*(FIRMWARE / "kernel" / f"{name}.c" for name in PURE), PLAN):
        objects.append(folder / f"{source.stem}.o")
        checks = ["-fsanitize=undefined", "-fsanitize-trap=all"]
        options = [target, "-std=gnu11", "-O1", "-fPIC", "-Wall", "-Wextra", "-Werror", *checks]
        system = f"-isystem{toolchain.headers()}"
        toolchain.must(["clang", *options, *_DEFINES, *_INCLUDES, system, "-c", source, "-o", objects[-1]])
    toolchain.must(["ld.lld", "-shared", "-o", folder / "pure.so", *objects])
    return ctypes.CDLL(str(folder / "pure.so"))


def fuzzer(folder: Path) -> Path | None:
    """The whole server with its sanitizers, or None where there is no GCC with them."""
    gcc = shutil.which("gcc")
    if gcc is None:
        return None
    sources = [HERE / "host" / "fuzz.c", PLAN, *(FIRMWARE / "kernel" / f"{name}.c" for name in SERVER)]
    options = ["-std=gnu11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [gcc, *options, *_DEFINES, *_INCLUDES, "-o", folder / "fuzz", *sources]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode and "cannot find" in result.stderr:
        return None
    assert result.returncode == 0, result.stderr
    return folder / "fuzz"
