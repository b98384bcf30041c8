"""Keeps the objects of C sources by all that they were made of: a change compiles only what it touches.

As ccache's direct mode does it: what a source is, with its recipe, leads to the list of headers it included;
what those are leads to the object. An entry that is damaged is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MOST = 400
"""Files that are kept: some twenty kernels, a few MB. The ones that were not used for longest go."""

_DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of sources below `root`, in `folder`, which is made when there is something to keep.

    `recipe` is what else decides what becomes of a source: compiler and flags. `headers` are all that there
    are, by their names below the root, with the digests that they have when the build begins.
    """

    folder: Path
    root: Path
    recipe: str
    headers: Mapping[str, bytes]

    def find(self, source: Path) -> tuple[str, bytes | None]:
        """What a source is now, to keep its object by; and that object, or None if there is none."""
        begun = self._begun(source)
        listed = _read(self.folder / f"{begun}.headers")
        key = self._key(begun, listed.decode().splitlines()) if listed is not None else ""
        return begun, _read(self.folder / f"{key}.o") if key else None

    def keep(self, source: Path, begun: str, included: Iterable[Path], data: bytes) -> None:
        """Keep the object of what was found; not where a file was saved while it was compiled, for nobody
        knows of which text it is then."""
        names = sorted(path.relative_to(self.root).as_posix() for path in included)
        same = all(digest_of(self.root / name) == self.headers.get(name) for name in names)
        if not same or self._begun(source) != begun:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self.folder / f"{self._key(begun, names)}.o", data)
        _write(self.folder / f"{begun}.headers", "\n".join(names).encode())

    def prune(self) -> None:
        """Remove what was not used for longest, down to MOST files."""
        with contextlib.suppress(OSError):
            found = sorted(self.folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in found[MOST:]:
                path.unlink(missing_ok=True)

    def _begun(self, source: Path) -> str:
        # Where a header is found depends on which others there are.
        told = (self.recipe, source.relative_to(self.root).as_posix(), sorted(self.headers))
        return hashlib.sha256(repr(told).encode() + source.read_bytes()).hexdigest()

    def _key(self, begun: str, names: Iterable[str]) -> str:
        """Empty where a header is gone."""
        try:
            return hashlib.sha256(repr((begun, [(n, self.headers[n]) for n in names])).encode()).hexdigest()
        except KeyError:
            return ""


def digest_of(path: Path) -> bytes:
    """Of what a file holds; empty where it is gone."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return b""


def headers_of(dependencies: str) -> list[Path]:
    """The headers in what `clang -MMD` writes: make's syntax, the object and the source first."""
    words = re.split(r"(?<!\\)\s+", dependencies.replace("\\\n", " ").strip())
    return [Path(word.replace("\\ ", " ")) for word in words[2:]]


def _read(path: Path) -> bytes | None:
    """What was kept there, whole; its use is noted."""
    try:
        data = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    content = data[_DIGEST:]
    return content if hashlib.sha256(content).digest() == data[:_DIGEST] else None


def _write(path: Path, content: bytes) -> None:
    """In one step, for others read there meanwhile."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(hashlib.sha256(content).digest() + content)
    os.replace(file.name, path)
