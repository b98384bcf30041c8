"""What this computer has of what mma needs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from console.errors import ConsoleError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing: `state` is "missing" where the main job needs it, "optional" where only more would work."""

    name: str
    state: Literal["ok", "missing", "optional"]
    detail: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Everything, in the order in which the main job needs it."""
    return [*_python(), *_packages(), *_compiler(), *_emulators(), *_master(), *_debuggers(), *_boards()]


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    state: Literal["ok", "missing"] = "ok" if sys.version_info >= (3, 11) else "missing"
    yield Finding("python", state, f"{version}, {sys.executable}", "Install Python 3.11 or newer.")


def _packages() -> Iterator[Finding]:
    """Every requirement of this distribution."""
    try:
        wanted = importlib.metadata.requires("mesos-micro-agent") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding("python packages", "optional", "running from a checkout", "`make install` adds `mma`.")
        return
    absent = []
    count = 0
    for requirement in wanted:
        if "extra ==" in requirement:
            continue
        count += 1
        name = "".join(char if char.isalnum() or char in "-_." else " " for char in requirement).split()[0]
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            absent.append(name)
    if absent:
        yield Finding("python packages", "missing", f"without {', '.join(absent)}", "Run `make install`.")
    else:
        yield Finding("python packages", "ok", f"all {count} are installed")


def _compiler() -> Iterator[Finding]:
    from hal import toolchain
    from hal.errors import HalError

    try:
        zig = toolchain.zig()
        said = _first_line([str(zig), "version"])
        yield Finding("compiler (zig)", "ok", f"{said}, {zig}")
    except (HalError, OSError) as error:
        yield Finding("compiler (zig)", "missing", str(error), "Run `make install`.")


def _emulators() -> Iterator[Finding]:
    yield _program("qemu-system-arm", "apt install qemu-system-arm", needed=True)
    yield _program("qemu-system-riscv32", "apt install qemu-system-misc", needed=False)
    wanted = os.environ.get("RENODE") or "renode"
    renode = shutil.which(wanted)
    remedy = "Unpack a portable release of Renode and set RENODE to its `renode`."
    if renode is None:
        told = "not found" if wanted == "renode" else f"RENODE is {wanted}, which is no program"
        yield Finding("renode", "optional", f"{told}; QEMU is the default", remedy)
    else:
        yield Finding("renode", "ok", f"{renode}; while it runs, its ports are open to every network", remedy)


def _master() -> Iterator[Finding]:
    from emulation.errors import EnvironmentMissing
    from emulation.master import check_platform, is_installed

    try:
        check_platform()
    except EnvironmentMissing as error:
        yield Finding("mesos master", "missing", error.message, error.remedy)
        return
    here = "in the cache" if is_installed() else "will be downloaded once (27 MB)"
    yield Finding("mesos master", "ok", f"Apache Mesos 1.11.0, {here}")


def _debuggers() -> Iterator[Finding]:
    yield _program("gdb-multiarch", "apt install gdb-multiarch", needed=False)


def _boards() -> Iterator[Finding]:
    from console.fleet import udev
    from hal.errors import ProbeError
    from hal.probe import find

    if not find.installed():
        yield Finding("pyocd", "optional", "not found", f"{find.PYOCD} (to flash and debug real boards)")
    else:
        try:
            probes = ", ".join(f"{one.uid} ({one.title})" for one in find.present()) or "no probe plugged in"
        except ProbeError as error:
            probes = str(error)
        yield Finding("pyocd", "ok", f"{importlib.metadata.version('pyocd')}, {probes}")
    for name, access in (("udev rules", udev.probe_access()), ("serial ports", udev.serial_access())):
        state: Literal["ok", "optional"] = "optional" if access.missing else "ok"
        yield Finding(name, state, access.missing or access.detail, access.remedy)


def _program(name: str, remedy: str, *, needed: bool) -> Finding:
    path = shutil.which(name)
    if path is None:
        return Finding(name, "missing" if needed else "optional", "not found", remedy)
    try:
        return Finding(name, "ok", _first_line([path, "--version"]), remedy)
    except (OSError, ConsoleError) as error:
        return Finding(name, "missing" if needed else "optional", str(error), remedy)


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except subprocess.SubprocessError as error:
        raise ConsoleError(f"{command[0]} does not run: {error}.") from error
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else command[0]
