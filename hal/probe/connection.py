"""A probe on a board whose chip is the one of the board's page.

pyOCD gets a target of ours: memories and sectors are the page's, the flash algorithm is that of pyOCD's
built-in target which the page names, and nothing is written before the chip has been identified.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from hal.boards import Board, Probe
from hal.errors import HalError, ProbeError
from hal.probe.find import choose

if TYPE_CHECKING:
    from pyocd.core.session import Session
    from pyocd.probe.debug_probe import DebugProbe

_CHUNK = 4096
"""Bytes read at a time, so that progress is seen."""
Tell = Callable[[float], None]
"""Hears how much is done, from 0 to 1. It may raise Stopped, which ends the work."""


class Stopped(Exception):
    """Somebody stopped the work."""


class Connection:
    """Made by connect()."""

    def __init__(self, session: Session, board: Board) -> None:
        self.session = session
        self._board = board

    @property
    def uid(self) -> str:
        """The probe's serial number."""
        return str(self.session.probe.unique_id)

    def read(self, address: int, size: int, tell: Tell = lambda done: None) -> bytes:
        """Memory, as the debugger sees it. ProbeError: also where the chip is protected from reading."""
        found = bytearray()
        with told("The board cannot be read", "Is it powered, and its read protection off?"):
            while len(found) < size:
                tell(len(found) / size)
                part = min(_CHUNK, size - len(found))
                found += bytes(self.session.target.read_memory_block8(address + len(found), part))
        return bytes(found)

    def write_flash(self, parts: Mapping[int, bytes], erasing: Tell, writing: Tell) -> None:
        """Erase the sectors below `parts` (by their addresses) and write these. ProbeError."""
        from pyocd.flash.loader import MemoryLoader

        calls = [erasing, writing]
        last = 0.0

        def progress(done: float) -> None:  # pyOCD's goes from 0 to 1 twice
            nonlocal last
            if done < last and len(calls) > 1:
                del calls[0]
            last = done
            calls[0](done)

        with told("The flash cannot be written"):
            # If this fails, the core must not go on: it may be about to call the flash algorithm, its
            # arguments half set.
            self.session.options["resume_on_disconnect"] = False
            # Into reset, which stops the watchdog of a kernel that runs.
            self.session.target.reset_and_halt()
            self._keep_awake()
            loader = MemoryLoader(
                self.session,
                progress=progress,
                chip_erase="sector",
                smart_flash=False,
                keep_unwritten=False,
            )
            for address, data in parts.items():
                loader.add_data(address, data)
            loader.commit()

    def reset(self) -> None:
        """Let the board begin anew. ProbeError."""
        with told("The board cannot be reset", "Take its power away and give it again."):
            self.session.target.reset()
            self.session.options["resume_on_disconnect"] = True

    def identify(self) -> None:
        """ProbeError unless this is the board's chip."""
        for word in _facts(self._board).identity:
            try:
                found = self.session.target.read32(word.address) & word.mask
            except Exception as error:
                raise ProbeError(f"{word.name} cannot be read: {error}.", remedy=self._other()) from error
            if found not in word.values:
                wanted = " or ".join(f"{value:#x}" for value in word.values)
                raise ProbeError(
                    f"This is no {self._board.mcu}: its {word.name} is {found:#x}, not {wanted}.",
                    remedy=self._other(),
                )
        with told("The board cannot be kept awake"):
            self._keep_awake()

    def _keep_awake(self) -> None:
        for address, value in _facts(self._board).awake:
            self.session.target.write32(address, self.session.target.read32(address) | value)

    def _other(self) -> str:
        return "Is it the right board on this probe, and powered? Choose a probe by --probe SERIAL."


@contextlib.contextmanager
def connect(
    board: Board, uid: str | None = None, *, halt: bool = True, under_reset: bool = False
) -> Iterator[Connection]:
    """The board behind a probe, identified; it runs on at the end. `halt` stops it meanwhile; `under_reset`
    reaches it though its firmware locks debuggers out.

    NoProbe, ProbeChoice, ProbeError. BoardError where no probe can flash the board.
    """
    _facts(board)
    probe = choose(uid)
    session = _session(probe, board, "under-reset" if under_reset else "halt" if halt else "attach")
    connection = Connection(session, board)
    try:
        with told(
            "The board cannot be reached", "Is it powered, and the probe wired to it? Try --under-reset."
        ):
            session.open()
        connection.identify()
        yield connection
    finally:
        with contextlib.suppress(Exception):  # the probe may be gone: there is nothing left to undo
            session.close()


@contextlib.contextmanager
def told(what: str, remedy: str = "") -> Iterator[None]:
    """Whatever the probe, USB or pyOCD raise becomes a ProbeError: they have no common ancestor."""
    try:
        yield
    except (HalError, Stopped):
        raise
    except Exception as error:
        why = str(error).rstrip(".") or type(error).__name__
        raise ProbeError(f"{what}: {why}.", remedy=remedy) from error


def _facts(board: Board) -> Probe:
    if board.probe is None:
        from hal.errors import BoardError

        raise BoardError(f"mma cannot flash {board.name}.", remedy=board.by_hand)
    return board.probe


def _session(probe: DebugProbe, board: Board, mode: str) -> Session:
    from pyocd.core.session import Session

    with told("pyOCD cannot begin"):
        return Session(
            probe,
            auto_open=False,
            target_override=_register(board),
            connect_mode=mode,
            no_config=True,
            resume_on_disconnect=True,
            hide_programming_progress=True,
        )


def _register(board: Board) -> str:
    """Make pyOCD know the board as a target, and give that one's name."""
    from pyocd.core.memory_map import FlashRegion, MemoryMap, RamRegion
    from pyocd.coresight.coresight_target import CoreSightTarget
    from pyocd.target import TARGET

    facts = _facts(board)
    name = f"mma_{board.name}"
    model = TARGET[facts.algorithm].MEMORY_MAP.get_boot_memory()
    regions = [RamRegion(start=board.ram.address, length=board.ram.size)]
    start = board.flash.address
    for size, count in _runs(facts.sectors):
        regions.append(
            FlashRegion(
                start=start,
                length=size * count,
                sector_size=size,
                page_size=min(size, model.page_size),
                is_boot_memory=start == board.flash.address,
                algo=model.algo,
            )
        )
        start += size * count

    class Target(CoreSightTarget):  # type: ignore[misc]
        MEMORY_MAP = MemoryMap(*regions)

        def __init__(self, session: Session) -> None:
            super().__init__(session, self.MEMORY_MAP)

    TARGET[name] = Target
    return name


def _runs(sizes: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """(size, how many in a row)."""
    import itertools

    for size, group in itertools.groupby(sizes):
        yield size, len(tuple(group))
