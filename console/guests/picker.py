"""Modules to choose from: the shipped examples, and module files at and below the working folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from console.guests.modules import SUFFIXES, examples

_MOST = 500
_DEEPEST = 3
_SKIPPED = {"node_modules", "build", "dist", "target", "__pycache__"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One module to choose. `label` is typed, `kind` is where it comes from, `about` its first words."""

    label: str
    path: Path
    kind: str
    about: str = ""


def candidates(folder: Path) -> list[Candidate]:
    """Examples first, then what is below `folder`. Reads directories: call it in a thread."""
    found = [Candidate(path.stem, path, "example", _first_comment(path)) for path in examples()]
    known = {one.path.resolve() for one in found}
    for path in _below(folder, 0):
        if path.resolve() not in known:
            found.append(Candidate(str(path.relative_to(folder)), path, path.suffix[1:]))
        if len(found) >= _MOST:
            break
    return found


def matching(found: Sequence[Candidate], text: str) -> list[Candidate]:
    """Those whose label has what was typed; a file that was typed in full comes first."""
    typed = text.strip()
    hits = [one for one in found if typed.casefold() in one.label.casefold()]
    hits.sort(key=lambda one: (not one.label.casefold().startswith(typed.casefold()), one.kind != "example"))
    path = Path(typed).expanduser()
    if typed and path.suffix in SUFFIXES and path.is_file() and all(one.path != path for one in hits):
        hits.insert(0, Candidate(typed, path, "file"))
    return hits


def _below(folder: Path, depth: int) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in ordered:
        if entry.is_file() and Path(entry.name).suffix in SUFFIXES and _is_module(Path(entry.path)):
            yield Path(entry.path)
    for entry in ordered:
        hidden = entry.name.startswith(".") or entry.name in _SKIPPED
        if depth < _DEEPEST and not hidden and entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path), depth + 1)


def _is_module(path: Path) -> bool:
    """Of C files only those for a guest: a source tree has many others."""
    if path.suffix != ".c":
        return True
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return b'"mma.h"' in head or b"<mma.h>" in head


def _first_comment(path: Path) -> str:
    """What a source says of itself in its first line."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            first = file.readline(400)
    except OSError:
        return ""
    return first.strip().lstrip("/*; ").rstrip("*/ ") if first.lstrip().startswith(("//", "/*", ";;")) else ""
