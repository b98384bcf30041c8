"""Finds Apache's own Mesos 1.11 release on the Python package index and downloads it.

`mesos-scheduler` 1.11.0 for Python 2.7 has all of libmesos in it. pip cannot install it (its version
`1.11.0.linux-x86_64` is no version today), so pypi-simple fetches it by name, from the index that pip is
configured for.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlparse

from pypi_simple import PYPI_SIMPLE_ENDPOINT, DigestMismatchError, NoSuchProjectError, PyPISimple

from emulation.errors import EnvironmentMissing

PROJECT = "mesos-scheduler"
FILE = "mesos.scheduler-1.11.0.linux-x86_64.tar.gz"
SHA256 = "1d376f20bca6d05ee8b90c1c123a452b28753497ccc2f1c80ea3ac94c12e8f6e"


@dataclass(frozen=True, slots=True)
class Release:
    """One file of a project on the package index."""

    title: str
    """What it is to the user."""
    project: str
    file: str
    sha256: str


Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all; 0 where unknown), from the thread that downloads."""

_TIMEOUT = 30.0


def download(
    path: Path,
    progress: Progress | None = None,
    cancelled: threading.Event | None = None,
    release: Release | None = None,
) -> None:
    """Put a release (the master's, if no other is given) at `path`, whole and with the right digest, or raise
    EnvironmentMissing.

    Blocks: call it in a thread. It is written beside `path` and renamed, so what is at `path` is complete
    and an interrupted download leaves nothing that a next one trusts. Folders of pip's `find-links` are
    looked into first, for computers without a network.
    """
    release = release or Release("The Mesos master", PROJECT, FILE, SHA256)
    settings = pip_settings()
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        local = _find_local(settings, release.file)
        if local is not None:
            shutil.copyfile(local, part)
        else:
            _download(release, part, settings, progress, cancelled or threading.Event())
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != release.sha256:
            raise EnvironmentMissing(
                f"What was downloaded as {release.file} is another file: its SHA-256 is {found}.",
                remedy="Try again; if it stays so, look at your package index.",
            )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _find_local(settings: dict[str, str], name: str) -> Path | None:
    for link in settings.get("find-links", "").split():
        file = Path(urlparse(link).path if link.startswith("file:") else link).expanduser() / name
        if file.is_file():
            return file
    return None


def _download(
    release: Release, part: Path, settings: dict[str, str], progress: Progress | None, cancel: threading.Event
) -> None:
    indexes = [settings.get("index-url", PYPI_SIMPLE_ENDPOINT), *settings.get("extra-index-url", "").split()]
    failure: Exception | None = None
    for index in indexes:
        if not index.startswith("http"):
            continue
        try:
            with PyPISimple(index) as client:
                if cert := settings.get("cert"):
                    client.s.verify = cert
                if proxy := settings.get("proxy"):
                    client.s.proxies = {"http": proxy, "https": proxy}
                page = client.get_project_page(release.project, timeout=_TIMEOUT)
                package = next((each for each in page.packages if each.filename == release.file), None)
                if package is None:
                    raise NoSuchProjectError(release.project, index)
                client.download_package(
                    package, part, progress=lambda total: _Tracker(total, progress, cancel), timeout=_TIMEOUT
                )
            return
        except (OSError, NoSuchProjectError, DigestMismatchError) as error:  # requests' errors are OSErrors
            failure = failure or error
    raise EnvironmentMissing(
        f"{release.title} cannot be downloaded: {_reason(failure, release)}.",
        remedy="Check the network and `pip config list`, or put "
        f"{release.file} into a folder of pip's find-links.",
    )


def _reason(error: Exception | None, release: Release) -> str:
    if isinstance(error, NoSuchProjectError):
        return f"the package index has no {release.file}"
    if isinstance(error, DigestMismatchError):
        return "what arrived was damaged"
    if error is None:
        return "no package index is reachable by HTTP"
    text = str(error)
    return f"{type(error).__name__}" if len(text) > 120 else text or type(error).__name__


class _Tracker:
    """pypi-simple's ProgressTracker, told on."""

    def __init__(self, total: int | None, progress: Progress | None, cancel: threading.Event) -> None:
        self._done, self._total, self._progress, self._cancel = 0, total or 0, progress, cancel

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, increment: int) -> None:
        if self._cancel.is_set():
            raise InterruptedError("the download was given up")
        self._done += increment
        if self._progress is not None:
            self._progress(self._done, self._total)


def pip_settings() -> dict[str, str]:
    """pip's own settings that matter here (index-url, find-links, cert ...), the environment before the
    files. Without pip only the environment."""
    settings: dict[str, str] = {}
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        lines = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=True,
        ).stdout.splitlines()
        for scope in ("global.", "download.", "install."):
            for line in lines:
                key, _, value = line.partition("=")
                if key.startswith(scope):
                    with contextlib.suppress(ValueError, SyntaxError):
                        settings[key.removeprefix(scope)] = str(ast.literal_eval(value))
    for name in ("index-url", "extra-index-url", "find-links", "cert", "proxy"):
        told = os.environ.get("PIP_" + name.upper().replace("-", "_"))
        if told:
            settings[name] = told
    return settings
