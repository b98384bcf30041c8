"""Writes a board's flash so that a failure leaves what was there before.

Read what is there, keep it in a file, erase and write the sectors that differ, read back, reset. If anything
fails once the first sector was erased, the old content is written back over a connection of its own; where
that fails too (the probe was unplugged), the file stays.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from elftools.elf.elffile import ELFFile

from hal.boards import Board, Memory
from hal.errors import ProbeError
from hal.probe.connection import Connection, Tell


class Phase(Enum):
    """What is being done; the value is how a person reads it."""

    READ = "reading what is there"
    ERASE = "erasing"
    WRITE = "writing"
    VERIFY = "verifying"
    RESTORE = "writing back what was there"
    RESET = "resetting"


Progress = Callable[[Phase, float], None]
"""Hears how much of a phase is done, from 0 to 1. It may raise Stopped, but for RESTORE."""
Open = Callable[[], AbstractContextManager[Connection]]
ImageFor = Callable[[bytes], bytes]
"""The image to write, given what the whole flash's beginning (as many bytes as `room`) holds."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to do. `old` and `new` are contents of whole sectors from address `base` on."""

    base: int
    old: bytes
    new: bytes
    changed: tuple[Memory, ...]
    """Sectors that differ."""

    def parts(self, of: bytes) -> dict[int, bytes]:
        """The changed sectors' contents in `of`, by address, without the erased bytes at their ends."""
        found = {}
        for sector in self.changed:
            data = of[sector.address - self.base : sector.end - self.base].rstrip(b"\xff")
            found[sector.address] = data.ljust(max(4, -(-len(data) // 4) * 4), b"\xff")
        return found


def flat(elf: Path, board: Board) -> bytes:
    """What an ELF has in the board's flash, from its first address on; gaps are erased bytes. ProbeError if
    it is not for this board."""
    image = bytearray()
    try:
        with elf.open("rb") as file:
            for segment in ELFFile(file).iter_segments("PT_LOAD"):
                data, address = segment.data(), int(segment["p_paddr"])
                if not data:
                    continue
                at = address - board.flash.address
                if at < 0 or at + len(data) > board.flash.size:
                    raise ProbeError(f"{elf} has bytes at {address:#x}, outside of {board.name}'s flash.")
                image.extend(b"\xff" * (at + len(data) - len(image)))
                image[at : at + len(data)] = data
    except ProbeError:
        raise
    except Exception as error:  # of elftools: several
        raise ProbeError(f"{elf} cannot be read as an ELF: {error}.") from error
    return bytes(image)


def sectors(board: Board, size: int) -> tuple[Memory, ...]:
    """The first sectors, as many as hold `size` bytes. ProbeError if the flash does not."""
    assert board.probe is not None
    found, start = [], board.flash.address
    for length in board.probe.sectors:
        if start - board.flash.address >= size:
            break
        found.append(Memory(start, length))
        start += length
    if start - board.flash.address < size:
        raise ProbeError(f"{size:,} bytes do not fit the flash of {board.name}.")
    return tuple(found)


def plan(connection: Connection, board: Board, room: int, image_for: ImageFor, progress: Progress) -> Plan:
    """Read the sectors of the first `room` bytes and compare. ProbeError; what `image_for` raises."""
    mine = sectors(board, room)
    size = mine[-1].end - board.flash.address
    old = connection.read(board.flash.address, size, lambda done: progress(Phase.READ, done))
    progress(Phase.READ, 1)
    image = image_for(old)
    if len(image) > size:
        raise ProbeError(f"The image of {len(image):,} bytes is larger than was said: {size:,}.")
    new = image.ljust(size, b"\xff")
    base = board.flash.address
    changed = tuple(
        one
        for one in mine
        if old[one.address - base : one.end - base] != new[one.address - base : one.end - base]
    )
    return Plan(base, old, new, changed)


def carry_out(
    open_probe: Open, board: Board, work: Callable[[Connection], Plan], kept: Path, progress: Progress
) -> Plan:
    """Make the plan by `work` and carry it out.

    Stopped or ProbeError: the old content is back, or in `kept`; or only the reset failed, and says so.
    """
    made: Plan | None = None
    begun = done = False
    try:
        with open_probe() as connection:
            made = work(connection)
            if made.changed:
                _keep(kept, made.old)
                begun = True
                connection.write_flash(
                    made.parts(made.new), _of(progress, Phase.ERASE), _of(progress, Phase.WRITE)
                )
            _verify(connection, board, made.new, _of(progress, Phase.VERIFY))
            done = True
            kept.unlink(missing_ok=True)
            progress(Phase.RESET, 0)
            connection.reset()
    except BaseException as error:
        if made is not None and begun and not done:
            _restore(open_probe, board, made, kept, progress, error)
        raise
    return made


def _of(progress: Progress, phase: Phase) -> Tell:
    return lambda done: progress(phase, done)


def _keep(path: Path, content: bytes) -> None:
    """It may hold the board's key: for the user's eyes only."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ProbeError(
            f"What is on the board cannot be kept in {path}: {error.strerror}. Nothing was erased."
        ) from error


def _verify(connection: Connection, board: Board, wanted: bytes, tell: Tell) -> None:
    found = connection.read(board.flash.address, len(wanted), tell)
    tell(1)
    if found != wanted:
        at = next(at for at, (one, other) in enumerate(zip(found, wanted, strict=True)) if one != other)
        raise ProbeError(
            f"The flash does not hold what was written: at {board.flash.address + at:#x} it has"
            f" {found[at]:#04x}, not {wanted[at]:#04x}."
        )


def _restore(
    open_probe: Open, board: Board, made: Plan, kept: Path, progress: Progress, cause: BaseException
) -> None:
    """Write the old content back. Returns when that is done, with a note on `cause`; else ProbeError."""

    def tell(done: float) -> None:
        progress(Phase.RESTORE, done)

    why = cause.message if isinstance(cause, ProbeError) else "It was interrupted."
    try:
        with open_probe() as connection:
            connection.write_flash(
                made.parts(made.old), lambda done: tell(done / 3), lambda done: tell((1 + done) / 3)
            )
            _verify(connection, board, made.old, lambda done: tell((2 + done) / 3))
            with contextlib.suppress(ProbeError):
                connection.reset()
    except ProbeError as error:
        raise ProbeError(
            f"{why} What was on the board could not be written back ({error.message.rstrip('.')});"
            f" it is kept in {kept}.",
            remedy=f"Plug the probe in again and run: mma flash {board.name} --restore {kept}",
        ) from cause
    kept.unlink(missing_ok=True)
    if isinstance(cause, ProbeError):
        raise ProbeError(why, remedy="What was on the board before is back.") from cause
