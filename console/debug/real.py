"""A real board for the debugger: pyOCD's GDB server in front of its probe, or anybody's GDB server."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from console.errors import ConsoleError, EnvironmentMissing, UsageError
from emulation.gdb.stubs import OTHER, PYOCD, Stub
from emulation.machine import State
from emulation.process import Child
from hal.boards import Board

_PATIENCE = 60.0
"""Seconds that a probe has to be found and to reach the chip."""


@dataclass(frozen=True, slots=True)
class RealBoard:
    """What the debugger needs of a board: where its stub is. Nobody else can tell whether it runs."""

    board: Board
    gdb: str
    stub: Stub
    state: State | None = None


@asynccontextmanager
async def open_probe(board: Board, elf: Path, uid: str | None) -> AsyncIterator[RealBoard]:
    """pyOCD's GDB server on a probe; it ends with the block, and the board runs on.

    EnvironmentMissing without probe or pyOCD, UsageError for several, ConsoleError if the chip is another one
    or has another kernel than `elf`.
    """
    folder = Path(tempfile.mkdtemp(prefix="mma-probe-"))
    ready, log = folder / "port", folder / "log"
    words = [sys.executable, "-m", "hal.probe.gdbserver", board.name, str(elf), str(ready)]
    try:
        child = await Child.start(
            [*words, *([uid] if uid else [])], name="pyOCD's GDB server", log=log, scratch=folder
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    async with child:
        try:
            async with asyncio.timeout(_PATIENCE):
                while not ready.exists():
                    if not child.alive:
                        raise await _why(child)
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise ConsoleError(
                f"The probe did not reach the {board.name} within {_PATIENCE:g} s.",
                remedy="Plug both in anew.",
            ) from None
        yield RealBoard(board, f"127.0.0.1:{ready.read_text(encoding='ascii')}", PYOCD)


async def _why(child: Child) -> Exception:
    code = await child.wait()
    words = child.tail(1) or f"{child.name} {child.ending()}."
    return {2: UsageError, 3: EnvironmentMissing}.get(code, ConsoleError)(words)


def at_server(board: Board, address: str) -> RealBoard:
    """A board behind a GDB server that somebody else started, such as OpenOCD's or J-Link's. UsageError for
    what is no address."""
    from emulation.gdb.errors import GdbError
    from emulation.gdb.stublink import Address

    try:
        return RealBoard(board, str(Address.parse(address)), OTHER)
    except GdbError as error:
        raise UsageError(error.message, remedy=error.remedy) from error
