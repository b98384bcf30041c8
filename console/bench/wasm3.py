"""The peer of `aot`: the sources of the interpreter wasm3, from PyPI's pywasm3, kept in the user's cache."""

from __future__ import annotations

import tarfile
from pathlib import Path

from emulation.master.download import Release, download
from hal.aot.bench import Interpreter
from hal.aot.runtime import keep
from hal.errors import ToolchainError

RELEASE = Release(
    title="wasm3",
    project="pywasm3",
    file="pywasm3-0.5.0.tar.gz",
    sha256="5a47c8a39f7f6ae71b3316b2e5d86c9d0db6e771a65f09a86e4d4aa3a19aefcc",
)
_SOURCES = "pywasm3-0.5.0/wasm3/"


def wasm3() -> Interpreter:
    """Its sources, downloaded if they aren't kept. Blocks. EnvironmentMissing if they can't be had."""

    def build(folder: Path) -> None:
        archive = folder / RELEASE.file
        download(archive, release=RELEASE)
        try:
            with tarfile.open(archive) as tar:
                for member in tar.getmembers():
                    if member.name.startswith(_SOURCES) and member.isfile():
                        member.name = Path(member.name).name
                        tar.extract(member, folder, filter="data")
        except (tarfile.TarError, OSError) as error:
            raise ToolchainError(f"{RELEASE.file} cannot be unpacked: {error}.") from error
        archive.unlink()

    return Interpreter("wasm3", keep(f"wasm3-{RELEASE.sha256[:32]}", build), RELEASE.sha256)
