"""How often each instruction of a QEMU guest ran, by a small plugin of its TCG (counts.c): exact, no samples.

The plugin is built when it is first needed, for the QEMU that is there. It keeps its counts in a file that is
read here at any time.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from emulation.errors import EnvironmentMissing
from hal import toolchain
from hal.errors import HalError

_SOURCE = Path(__file__).with_suffix(".c")
_SLOT = 16  # struct slot: an address + 1, a count


def plugin(program: str) -> Path:
    """The plugin for a QEMU program. EnvironmentMissing where it cannot be built or loaded."""
    return _build(_interface(program))


@functools.cache
def _interface(program: str) -> int:
    """The plugin interface to be built for: QEMU 9.0 takes none before 2, 8.2 none after 1."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r"version (\d+)\.", done.stdout)
    return 1 if found is None or int(found[1]) < 9 else 2


@functools.cache
def _build(interface: int) -> Path:
    key = hashlib.sha256(_SOURCE.read_bytes() + f"{interface} {sys.platform}".encode()).hexdigest()[:16]
    path = toolchain.cache_folder() / f"qemu-counts-{key}.so"
    if path.exists():
        return path
    words: list[str | Path] = ["cc", "-shared", "-fPIC", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
    words += ["-fvisibility=hidden", f"-DMMA_PLUGIN_VERSION={interface}"]
    if sys.platform == "darwin":  # QEMU's own functions are found when it loads the plugin
        words.append("-Wl,-undefined,dynamic_lookup")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        try:
            result = toolchain.run([*words, _SOURCE, "-o", made])
        except HalError as error:
            raise EnvironmentMissing(f"QEMU's instructions cannot be counted: {error}") from error
        if not made.exists():
            said = (result.errors.strip().splitlines() or ["no reason given"])[0]
            raise EnvironmentMissing(f"QEMU's instructions cannot be counted: building the plugin: {said}.")
        os.replace(made, path)
    return path


def read_counts(path: Path) -> Mapping[int, int]:
    """Of the plugin's file: how often the instruction at each address ran."""
    words = memoryview(path.read_bytes()).cast("Q")
    keys, counts = words[0::2].tolist(), words[1::2].tolist()
    return {key - 1: count for key, count in zip(keys, counts, strict=True) if key and count}


def read_sum(path: Path) -> int:
    """How many instructions ran."""
    return sum(memoryview(path.read_bytes()).cast("Q")[1::2].tolist())
