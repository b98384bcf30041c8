"""The machine that a run was made on, in one line: without it, times mean nothing."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
from importlib import metadata


def machine_line() -> str:
    """Such as `AMD EPYC, 2 cores, Linux x86_64, Python 3.11.2, QEMU 7.2.22, zig 0.17.0`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = f"{platform.system()} {platform.machine()}"
    words = [_processor(), f"{cores} cores", system, f"Python {platform.python_version()}"]
    qemu = _qemu()
    words += [f"QEMU {qemu}"] if qemu else []
    with contextlib.suppress(metadata.PackageNotFoundError):
        words.append(f"zig {metadata.version('ziglang')}")
    return ", ".join(words)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return " ".join(value.split())
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def _qemu() -> str:
    program = shutil.which("qemu-system-arm")
    if program is None:
        return ""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    words = done.stdout.split()  # QEMU emulator version 7.2.22 (Debian ...)
    return words[3] if len(words) > 3 else ""
