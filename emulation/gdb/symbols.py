"""Symbols and source: the kernel's ELF, executor images beside it, files and lines.

Nothing here writes to the target: an image is in it already, and GDB's `load` would flash a board, or make
Renode fail (platformio-core#4123).
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from emulation.gdb.core import Core
from emulation.gdb.errors import GdbError
from emulation.gdb.events import SymbolsChanged
from emulation.gdb.facts import Source, Symbol, SymbolFile

_EXECUTE = 4  # SHF_EXECINSTR
_MAX_SOURCE = 4 << 20


class Symbols:
    """What GDB knows of the programs in the target."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._sources: dict[str, Source] = {}
        self.main: SymbolFile | None = None
        self.added: dict[str, SymbolFile] = {}
        """By path, in the order they came."""

    async def load(self, elf: Path) -> SymbolFile:
        """Take the symbols of the main program, instead of earlier ones."""
        found = await asyncio.to_thread(_inspect, elf, 0)
        async with self._core.paused():
            await self._core.command("-file-exec-and-symbols", str(elf))
        self.main = found
        self._told(found, True)
        return found

    async def add(self, elf: Path, *, offset: int = 0) -> SymbolFile:
        """Add those of an executor's image, which is linked at its addresses; else shifted by `offset`.

        Adding a file again takes its new contents.
        """
        if str(elf) in self.added:
            await self.remove(elf)
        found = await asyncio.to_thread(_inspect, elf, offset)
        shift = f" -o {offset:#x}" if offset else ""
        async with self._core.paused():
            await self._core.console(f"add-symbol-file {_quoted(elf)}{shift}")
        self.added[str(elf)] = found
        self._told(found, True)
        return found

    async def remove(self, elf: Path) -> None:
        """Forget those of an image that left the target."""
        found = self.added.get(str(elf))
        if found is None:
            raise GdbError(f"The symbols of {elf} were not added.")
        async with self._core.paused():
            await self._core.console(f"remove-symbol-file -a {found.start:#x}")
        del self.added[str(elf)]
        self._told(found, False)

    async def restore(self) -> list[str]:
        """After GDB was replaced: load all again. What failed, in words."""
        failed: list[str] = []
        images, self.added = list(self.added.values()), {}
        try:
            if self.main is not None:
                await self._core.command("-file-exec-and-symbols", self.main.path)
        except GdbError as error:
            failed.append(str(error))
        for image in images:
            try:
                await self.add(Path(image.path), offset=image.offset)
            except GdbError as error:
                failed.append(str(error))
        return failed

    async def find(self, text: str, limit: int = 200) -> tuple[Symbol, ...]:
        """Functions and globals whose name contains a text."""
        found: list[Symbol] = []
        name = re.sub(r"[][\\.*^$]", r"\\\g<0>", text)
        for kind in ("functions", "variables"):
            reply = await self._core.command(
                f"-symbol-info-{kind}", "--name", name, "--max-results", str(limit)
            )
            for file in reply.fields.fields("symbols").items("debug"):
                found += (
                    Symbol(
                        item.text("name"),
                        item.text("description"),
                        file.text("filename"),
                        file.text("fullname"),
                        item.number("line"),
                    )
                    for item in file.items("symbols")
                )
        return tuple(found)

    async def files(self) -> tuple[str, ...]:
        """Paths of all source files that the programs were made of."""
        reply = await self._core.command("-file-list-exec-source-files")
        paths = {item.text("fullname") or item.text("file") for item in reply.fields.items("files")}
        return tuple(sorted(paths))

    async def source(self, path: str) -> Source:
        """A file's text, and which lines a breakpoint can be at. GdbError where it is not on this disk."""
        known = self._sources.get(path)
        if known is not None:
            return known
        lines = await asyncio.to_thread(_read, path)
        try:
            reply = await self._core.command("-symbol-list-lines", path)
            numbers = frozenset(item.integer("line") for item in reply.fields.items("lines"))
        except GdbError:
            numbers = frozenset()
        source = self._sources[path] = Source(path, lines, numbers - {0})
        return source

    async def substitute(self, built: str, here: str) -> None:
        """Sources that were built in one folder are in another here."""
        await self._core.console(f"set substitute-path {_quoted(Path(built))} {_quoted(Path(here))}")
        self._sources.clear()

    def at(self, address: int) -> SymbolFile | None:
        """The program whose code holds an address: which executor, or the kernel."""
        images = [*reversed(self.added.values()), *([self.main] if self.main else [])]
        return next((image for image in images if image.start <= address < image.end), None)

    def _told(self, file: SymbolFile, loaded: bool) -> None:
        self._sources.clear()
        self._core.events.emit(SymbolsChanged(file.path, loaded))


def _inspect(elf: Path, offset: int) -> SymbolFile:
    """Where the code of an ELF is. GdbError if it is none or has no code."""
    try:
        with elf.open("rb") as file:
            code = [
                (section["sh_addr"], section["sh_addr"] + section["sh_size"])
                for section in ELFFile(file).iter_sections()
                if section["sh_flags"] & _EXECUTE and section["sh_size"]
            ]
    except OSError as error:
        raise GdbError(f"{elf} cannot be read: {error.strerror}.") from error
    except ELFError as error:
        raise GdbError(f"{elf} is no ELF file: {error}.") from error
    if not code:
        raise GdbError(f"{elf} has no code.")
    start, end = min(begin for begin, _ in code), max(end for _, end in code)
    return SymbolFile(str(elf), start + offset, end + offset, offset)


def _read(path: str) -> tuple[str, ...]:
    file = Path(path)
    try:
        if file.stat().st_size > _MAX_SOURCE:
            raise GdbError(f"{path} is too big to show.")
        return tuple(file.read_text(errors="replace").splitlines())
    except OSError as error:
        remedy = "If the sources moved since the build, map their folder: substitute(built, here)."
        raise GdbError(f"The source {path} cannot be read: {error.strerror}.", remedy=remedy) from error


def _quoted(path: Path) -> str:
    """A path in a console command, which GDB splits like a shell."""
    text = str(path)
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'" if " " in text or "'" in text else text
