"""The one cross compiler: clang and lld inside the `ziglang` wheel, run with limits.

Raw subcommands of its binary (`zig clang`, `zig ld.lld`, `zig wasm-ld`, `zig build-lib`) start in some ten
milliseconds; `zig cc` would put its own build cache in between.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import platformdirs

from hal.errors import ToolchainError

ran = logging.getLogger("mma.ran.build")

TIME_LIMIT = 60.0
"""Seconds that one tool may take. A module made to be slow to compile must not stop the gateway."""
MEMORY_LIMIT = 2 << 30
"""Bytes of address space that one tool may take (clang itself maps some 300 MB)."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a tool ended: its exit status and its words."""

    status: int
    output: str
    errors: str

    @property
    def ok(self) -> bool:
        """It did what it was told."""
        return self.status == 0


@cache
def zig() -> Path:
    """The binary of the ziglang wheel. ToolchainError if it is not installed."""
    spec = importlib.util.find_spec("ziglang")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / ("zig.exe" if sys.platform == "win32" else "zig")
        if binary.exists():
            return binary
    raise ToolchainError("The compiler is missing.", remedy="Install it: pip install 'ziglang>=0.17,<0.18'.")


def headers() -> Path:
    """clang's own freestanding headers (stdint.h, stddef.h, stdbool.h ...)."""
    return zig().parent / "lib" / "include"


def sdk() -> Path:
    """The guest's folder: mma.h, abi.h, executor/ and examples/."""
    return Path(str(resources.files("firmware"))) / "sdk"


def cache_folder() -> Path:
    """Where compiled things are kept between runs; MMA_CACHE overrides it."""
    folder = Path(os.environ.get("MMA_CACHE") or platformdirs.user_cache_dir("mesos-micro-agent"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run(
    arguments: Sequence[str | Path],
    *,
    folder: Path | None = None,
    time_limit: float = TIME_LIMIT,
    text: str = "",
) -> Result:
    """Run `zig ARGUMENTS` in a folder with `text` on its input, within the limits.

    A tool that ends by itself gives a Result whatever its status; ToolchainError if it is missing, or
    ran out of time or memory.
    """
    command = [str(zig()), *map(str, arguments)]
    ran.info("%s%s", f"cd {folder}; " if folder else "", shlex.join(command))
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise ToolchainError(f"The compiler does not start: {error}.", remedy="Reinstall ziglang.") from error
    with process:
        _limit_memory(process.pid)
        try:
            output, errors = process.communicate(text, timeout=time_limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise ToolchainError(
                f"`zig {arguments[0]}` took longer than {time_limit:g} s and was stopped.",
                remedy="Make the module smaller.",
            ) from None
        except BaseException:
            process.kill()
            raise
    if process.returncode < 0:
        raise ToolchainError(
            f"`zig {arguments[0]}` died of signal {-process.returncode}.",
            remedy="It may have needed more memory than it is allowed; make the module smaller.",
        )
    return Result(process.returncode, output, errors)


def must(
    arguments: Sequence[str | Path],
    *,
    folder: Path | None = None,
    text: str = "",
    time_limit: float = TIME_LIMIT,
) -> str:
    """As run(), and ToolchainError with the tool's first words unless it succeeds."""
    result = run(arguments, folder=folder, text=text, time_limit=time_limit)
    if not result.ok:
        lines = [line for line in result.errors.splitlines() if "error" in line] or result.errors.splitlines()
        raise ToolchainError(f"`zig {arguments[0]}` failed: {'; '.join(lines[:3]) or result.status}.")
    return result.output


def _limit_memory(pid: int) -> None:
    """Cap a child's address space where the system can (Linux): no preexec_fn, it isn't safe with threads."""
    if sys.platform == "linux":
        import resource

        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
