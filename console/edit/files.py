"""Files that the editor offers, and one that it has open: what was read, what is on disk now."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from console.errors import ConsoleError
from console.guests.modules import SOURCES
from console.guests.picker import candidates

HERE, EXAMPLE, FIRMWARE = "here", "example", "firmware"

_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One that can be edited. `label` is its short name, `kind` where it is from, `about` its first words."""

    path: Path
    label: str
    kind: str
    about: str = ""


def sources(folder: Path) -> list[SourceFile]:
    """Executors below `folder` first, then the examples, then the kernel. Reads folders: for a thread."""
    from hal import firmware

    found = [one for one in candidates(folder) if one.path.suffix in SOURCES]
    kernel = [(path, path.relative_to(firmware.ROOT)) for path in firmware.files()]
    own = [
        SourceFile(one.path.resolve(), one.label, HERE, one.about)
        for one in found
        if one.kind != EXAMPLE and not one.path.resolve().is_relative_to(firmware.ROOT)
    ]
    shipped = [
        SourceFile(one.path, one.path.name, EXAMPLE, one.about) for one in found if one.kind == EXAMPLE
    ]
    return [*own, *shipped, *(SourceFile(path, str(short), FIRMWARE) for path, short in kernel)]


@dataclass(slots=True)
class Paper:
    """A file as it was last read or written: its text, and how to see that somebody else wrote it since."""

    path: Path
    text: str = ""
    stamp: tuple[int, int] = (0, 0)

    def read(self) -> str:
        """From disk. ConsoleError says why not."""
        try:
            if self.path.stat().st_size > _MOST_BYTES:
                raise ConsoleError(
                    f"{self.path.name} is too large to edit here.", remedy="Use your own editor."
                )
            self.stamp = self._stamp()
            with self.path.open(encoding="utf-8", newline="") as file:
                self.text = file.read()
        except UnicodeDecodeError:
            raise ConsoleError(f"{self.path.name} is no text.", remedy="Choose a source.") from None
        except OSError as error:
            raise ConsoleError(f"{self.path} cannot be read: {_why(error)}.") from error
        return self.text

    def write(self, text: str) -> None:
        """To disk. ConsoleError says why not, and the file is as it was."""
        try:
            with self.path.open("w", encoding="utf-8", newline="") as file:
                file.write(text)
            self.stamp = self._stamp()
        except OSError as error:
            raise ConsoleError(
                f"{self.path} cannot be written: {_why(error)}.", remedy="Is it yours, and the disk not full?"
            ) from error
        self.text = text

    @property
    def touched(self) -> bool:
        """Somebody else wrote it, or it is gone."""
        try:
            return self._stamp() != self.stamp
        except OSError:
            return True

    @property
    def writable(self) -> bool:
        """As far as its mode tells."""
        return os.access(self.path, os.W_OK)

    def _stamp(self) -> tuple[int, int]:
        status = self.path.stat()
        return status.st_mtime_ns, status.st_size


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
