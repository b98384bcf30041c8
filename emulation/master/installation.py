"""Installs the Mesos master into the user's cache: once downloaded, unpacked and linked to its stubs.

    CACHE/mesos-1.11.0/libmesos.so        122 MB, as Apache built it
    CACHE/mesos-1.11.0/launcher-HASH/     the launcher and the stubs, built by zig; HASH is of their sources

Every folder appears by a rename when it is complete; two at once do the work twice and one wins.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from emulation.errors import EnvironmentMissing
from emulation.master import openssl, stubs
from emulation.master.download import FILE, Progress, download

TLS = "tls"
"""The folder of those stubs that lead to OpenSSL."""
_MEMBER = "_scheduler.so"
_TRIPLE = "x86_64-linux-gnu"
_OLDEST_GLIBC = "2.17"  # the newest that libmesos asks for, so the launcher runs wherever it does


@dataclass(frozen=True, slots=True)
class Installation:
    """What runs a master: `launcher libmesos stub...`."""

    launcher: Path
    libmesos: Path
    stubs: tuple[Path, ...]
    cram_md5: bool
    """SASL's library and its CRAM-MD5 plug-in are there, so that agents and frameworks can authenticate."""

    @property
    def command(self) -> list[str]:
        return [str(path) for path in (self.launcher, self.libmesos, *self.stubs)]

    @property
    def command_with_tls(self) -> list[str]:
        """With this system's OpenSSL in the place of the stubs for it."""
        real = self.launcher.parent / TLS
        chosen = [real / path.name if path.name in openssl.LIBRARIES else path for path in self.stubs]
        return [str(path) for path in (self.launcher, self.libmesos, *chosen)]


def check_platform() -> None:
    """EnvironmentMissing unless Apache's build can run here: glibc Linux on x86-64."""
    system, machine = platform.system(), platform.machine()
    if system == "Linux" and machine in ("x86_64", "AMD64") and sys.maxsize > 2**32:
        if platform.libc_ver()[0] == "glibc":
            return
        system = "Linux without glibc"
    raise EnvironmentMissing(
        f"Apache's Mesos master runs on x86-64 Linux with glibc only, and this is {system} on {machine}.",
        remedy="Point to a master elsewhere: --master HOST:PORT or --master zk://….",
    )


def cache_folder() -> Path:
    """Where the master is kept; MMA_CACHE overrides it (the same as the HAL's)."""
    return Path(os.environ.get("MMA_CACHE") or platformdirs.user_cache_dir("mesos-micro-agent"))


async def install(progress: Progress | None = None) -> Installation:
    """The installed master, downloaded and built if need be. EnvironmentMissing says what is in the way."""
    check_platform()
    cancelled = threading.Event()
    try:
        return await asyncio.to_thread(_install, cache_folder() / "mesos-1.11.0", progress, cancelled)
    except OSError as error:
        raise EnvironmentMissing(
            f"The Mesos master cannot be installed: {error}.", remedy="MMA_CACHE names another folder for it."
        ) from error
    finally:
        cancelled.set()


def is_installed() -> bool:
    """True when a start needs no download."""
    return (cache_folder() / "mesos-1.11.0" / "libmesos.so").exists()


def _install(folder: Path, progress: Progress | None, cancelled: threading.Event) -> Installation:
    libmesos = folder / "libmesos.so"
    if not libmesos.exists():
        folder.mkdir(parents=True, exist_ok=True)
        archive = folder / FILE
        if not archive.exists():
            download(archive, progress, cancelled)
        _unpack(archive, libmesos)
        archive.unlink(missing_ok=True)
    built = folder / f"launcher-{_recipe()}"
    if not built.exists():
        _build(libmesos, built)
    sasl = _has_sasl()
    libraries = sorted(built.glob("*.so*"))
    kept = tuple(path for path in libraries if not (sasl and path.name == stubs.SASL))
    return Installation(built / "launcher", libmesos, kept, sasl and _has_cram_md5())


def _recipe() -> str:
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for name in ("installation.py", "launcher.c", "openssl.py", "stubs.py"):
        digest.update((here / name).read_bytes())
    return digest.hexdigest()[:12]


def _has_sasl() -> bool:
    try:
        ctypes.CDLL(stubs.SASL)
    except OSError:
        return False
    return True


def _has_cram_md5() -> bool:
    folders = (f"/usr/lib/{_TRIPLE}/sasl2", "/usr/lib64/sasl2", "/usr/lib/sasl2")
    return any(any(Path(folder).glob("libcrammd5.so*")) for folder in folders)


def _unpack(archive: Path, libmesos: Path) -> None:
    with tempfile.TemporaryDirectory(dir=libmesos.parent, prefix="unpack-") as scratch:
        file = Path(scratch) / libmesos.name
        with tarfile.open(archive) as tar:
            member = next((each for each in tar if each.name.endswith("/" + _MEMBER)), None)
            content = tar.extractfile(member) if member else None
            if content is None:
                raise EnvironmentMissing(f"{archive.name} has no {_MEMBER} in it.")
            with file.open("wb") as out:
                shutil.copyfileobj(content, out, 1 << 20)
        file.replace(libmesos)


def _build(libmesos: Path, built: Path) -> None:
    symbols = stubs.undefined_symbols(libmesos)
    with tempfile.TemporaryDirectory(dir=built.parent, prefix="build-") as scratch:
        folder = Path(scratch) / "done"
        folder.mkdir()
        _zig(
            *("cc", "-target", f"{_TRIPLE}.{_OLDEST_GLIBC}", "-std=c11", "-O1", "-s"),
            *("-Wall", "-Wextra", "-Werror"),
            *(str(Path(__file__).with_name("launcher.c")), "-ldl", "-o", str(folder / "launcher")),
        )
        (folder / TLS).mkdir()
        for library in (*stubs.STUBBED, stubs.SASL, stubs.PYTHON):
            versions = stubs.version_script(symbols, library)
            _build_stub(stubs.source(symbols, library), versions, folder / library)
        for library in openssl.LIBRARIES:
            versions = stubs.version_script(symbols, library)
            _build_stub(openssl.source(symbols, library), versions, folder / TLS / library)
        try:
            folder.rename(built)
        except OSError:
            if not built.exists():  # else somebody was quicker
                raise


def _build_stub(source: str, versions: str, to: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="mma-stub-") as scratch:
        text, script = Path(scratch) / "stub.c", Path(scratch) / "stub.map"
        text.write_text(source)
        script.write_text(versions)
        obj = str(text.with_suffix(".o"))
        _zig("clang", f"--target={_TRIPLE}", "-fPIC", "-w", "-ffreestanding", "-c", str(text), "-o", obj)
        more = ["--version-script", str(script)] if versions else []
        _zig("ld.lld", "-shared", "-soname", to.name, *more, obj, "-o", str(to))


def _zig(*arguments: str) -> None:
    result = subprocess.run([sys.executable, "-m", "ziglang", *arguments], capture_output=True, text=True)
    if result.returncode:
        said = (result.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise EnvironmentMissing(
            f"The master's launcher cannot be built: {said}.", remedy="Is the ziglang wheel installed?"
        )
