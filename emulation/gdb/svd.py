"""Where CMSIS-SVD files are found.

We ship one small file per board, written from the reference manual (hal/boards/svd); vendors' own files have
licences of their own and are taken from where the user keeps them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import platformdirs

from emulation.gdb.errors import SvdError
from emulation.gdb.svd_model import Device
from emulation.gdb.svd_parser import parse_device

MAX_FILE = 64 << 20
"""Bytes; the largest vendors' files have about 5 MB."""


def user_folder() -> Path:
    """Where users put their SVD files; MMA_SVD overrides it (a folder, or one file)."""
    asked = os.environ.get("MMA_SVD")
    return Path(asked) if asked else Path(platformdirs.user_data_dir("mesos-micro-agent")) / "svd"


def find(names: Iterable[str], path: Path | None = None) -> tuple[bytes, str]:
    """A board's file and where it was: `path`, else by name in the user's folder, else ours.

    `names` are what the file may be called, best first: MCU (stm32f405), chip, board. A file fits if its name
    begins as one of them, without regard to case. SvdError tells where to put one.
    """
    names = [name.lower() for name in names if name]
    folder = user_folder()
    if path is None and folder.is_file():
        path = folder
    if path is None and folder.is_dir():
        path = _best(names, [item for item in folder.iterdir() if item.suffix.lower() == ".svd"])
    if path is not None:
        return _read(path), str(path)
    shipped = resources.files("hal.boards") / "svd"
    for name in names:
        file = shipped / f"{name}.svd"
        if file.is_file():
            return file.read_bytes(), f"{name}.svd"
    raise SvdError(
        f"There is no SVD file for {names[-1] if names else 'this board'}.",
        remedy=f"Put the chip vendor's into {folder}, or give its path.",
    )


def load(names: Iterable[str], path: Path | None = None) -> Device:
    """Find and read it. SvdError."""
    return parse_device(*find(names, path))


def _best(names: list[str], files: list[Path]) -> Path | None:
    for name in names:
        fitting = [file for file in files if _alike(file.stem.lower(), name)]
        if fitting:
            return min(fitting, key=lambda file: (abs(len(file.stem) - len(name)), file.name))
    return None


def _alike(stem: str, name: str) -> bool:
    """Vendors name files by family: STM32F40x, STM32F405; an `x` stands for any letter."""
    if stem.startswith(name):
        return True
    return len(stem) >= 7 and all(a in (b, "x") for a, b in zip(stem, name, strict=False))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE:
            raise SvdError(f"{path} is too big for an SVD file.")
        return path.read_bytes()
    except OSError as error:
        raise SvdError(f"{path} cannot be read: {error.strerror}.") from error
