"""`mma flash BOARD`: build the kernel and write it into a real board's flash through a debug probe."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from console.commands.shared.completion import complete_board
from console.errors import EnvironmentMissing, UsageError

if TYPE_CHECKING:
    from hal.boards import Board
    from hal.keys import DeviceKey
    from hal.probe.connection import Connection
    from hal.probe.flash import Phase, Plan


@click.command()
@click.argument("board", shell_complete=complete_board)
@click.option(
    "--probe",
    "uid",
    metavar="SERIAL",
    help="Which probe, when several are plugged in (mma boards lists them); or remote:HOST:PORT.",
)
@click.option(
    "--key", metavar="NAME", help="Give it this key, made if there is none, instead of the one it has."
)
@click.option("--elf", type=click.Path(path_type=Path, dir_okay=False), help="Write this kernel; build none.")
@click.option(
    "--restore",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write back a flash that was kept in a file.",
)
@click.option("--under-reset", is_flag=True, help="Reach a board whose firmware locks debuggers out.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; the board runs on.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a phase, and the result.")
def command(
    board: str,
    uid: str | None,
    key: str | None,
    elf: Path | None,
    restore: Path | None,
    under_reset: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Build BOARD's kernel, write it through a debug probe, read it back, and reset the board.

    The chip must be the board's. Only sectors that differ are erased; if anything fails, Ctrl-C included,
    what was there is written back. A board keeps its key (docs/security.md) unless --key names another.
    """
    from hal.boards import load_board
    from hal.probe import connect
    from hal.probe.flash import carry_out, plan

    page = load_board(board)
    if page.probe is None:
        raise EnvironmentMissing(
            f"mma cannot flash {board}.", remedy=page.by_hand or "Its page names no probe."
        )
    if restore is not None and (key is not None or elf is not None):
        raise UsageError("--restore writes a flash as it was: leave --key and --elf out.")
    began = time.monotonic()
    source = _Source(page, key, elf, restore)
    with _teller(as_json) as tell:
        room = len(source.image)

        def work(connection: Connection) -> Plan:
            tell.probe = connection.uid
            return plan(connection, page, room, source.for_board, tell)

        if dry_run:
            with connect(page, uid, halt=False, under_reset=under_reset) as connection:
                made = work(connection)
        else:
            with _interruptible(tell):
                made = carry_out(
                    lambda: connect(page, uid, under_reset=under_reset), page, work, _kept(page, uid), tell
                )
    _tell_end(page, made, source, tell.probe, time.monotonic() - began, dry_run=dry_run, as_json=as_json)


class _Source:
    """What is to be written."""

    def __init__(self, board: Board, key: str | None, elf: Path | None, restore: Path | None) -> None:
        from hal import keys
        from hal.firmware import build
        from hal.probe.flash import flat

        self.key: DeviceKey | None = keys.make(key)[0] if key is not None else None
        self.kept_key = False
        self._is_kernel = restore is None
        if restore is not None:
            try:
                self.image = restore.read_bytes()
            except OSError as error:
                raise UsageError(
                    f"{restore} cannot be read: {(error.strerror or str(error)).lower()}."
                ) from error
        else:
            self.image = flat(elf or build(board).elf, board)

    def for_board(self, old: bytes) -> bytes:
        """The image with the right key: the one that was named, else the board's own."""
        from hal import keys

        if not self._is_kernel:
            return self.image
        if self.key is None and keys.DEVELOPMENT not in self.image:
            return self.image  # an ELF that has a key already
        if self.key is None:
            found = keys.in_flash(old)
            self.kept_key = found is not None
            self.key = found or keys.DEVELOPMENT_KEY
        return keys.with_key(self.image, self.key)


def _kept(board: Board, uid: str | None) -> Path:
    import platformdirs

    name = "".join(char if char.isalnum() else "-" for char in uid or "probe")
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = Path(platformdirs.user_state_dir("mesos-micro-agent")) / "flash"
    return folder / f"{board.name}-{name}-{stamp}.bin"


class _Teller:
    """Hears of the phases; asked to stop, it does at the next chance."""

    def __init__(self, show: Callable[[str, float], None]) -> None:
        self._show = show
        self.probe = ""
        self.stop = False
        self.careful = False

    def __call__(self, phase: Phase, done: float) -> None:
        from hal.probe.connection import Stopped
        from hal.probe.flash import Phase

        self.careful = phase in (Phase.ERASE, Phase.WRITE, Phase.VERIFY, Phase.RESTORE)
        self._show(phase.value, done)
        if self.stop and phase is not Phase.RESTORE:
            self.stop = False
            raise Stopped


@contextmanager
def _interruptible(tell: _Teller) -> Iterator[None]:
    """Signals end the work at once before anything is erased, and from then on as soon as all is put back."""
    from hal.probe.connection import Stopped

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not tell.careful:
            raise KeyboardInterrupt
        tell.stop = True

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, on_signal) for number in numbers]
    try:
        yield
    except Stopped:
        click.echo("What was on the board before is back.", err=True)
        raise KeyboardInterrupt from None
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _teller(as_json: bool) -> Iterator[_Teller]:
    """A bar on a terminal; else a line, or an object, for each phase."""
    with ExitStack() as stack:
        if not as_json and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn())
            bars = stack.enter_context(Progress(*columns, console=Console(stderr=True)))
            rows: dict[str, Any] = {}

            def show(phase: str, done: float) -> None:
                if phase not in rows:
                    rows[phase] = bars.add_task(phase, total=1.0)
                bars.update(rows[phase], completed=done)

        else:
            told: set[str] = set()

            def show(phase: str, done: float) -> None:
                if phase in told:
                    return
                told.add(phase)
                if as_json:
                    print(json.dumps({"event": "phase", "phase": phase}), flush=True)
                else:
                    click.echo(phase, err=True)

        yield _Teller(show)


def _tell_end(
    board: Board, made: Plan, source: _Source, probe: str, seconds: float, *, dry_run: bool, as_json: bool
) -> None:
    size = sum(sector.size for sector in made.changed)
    key = source.key.name if source.key is not None else None
    if as_json:
        found = {
            "event": "result",
            "met": True,
            "board": board.name,
            "probe": probe,
            "dry_run": dry_run,
            "bytes": len(source.image),
            "sectors": [[sector.address, sector.size] for sector in made.changed],
            "key": key,
            "seconds": round(seconds, 3),
        }
        click.echo(json.dumps(found))
    else:
        where = f"{len(source.image):,} bytes at {board.flash.address:#010x}"
        what = f"{len(made.changed)} sectors ({size // 1024} KB)"
        if dry_run:
            does = f"would erase {what} and write" if made.changed else "has it already:"
            click.echo(f"{board.name} on probe {probe} {does} {where}.")
        else:
            does = f"{what} erased, written" if made.changed else "nothing to write: it had them; read back"
            click.echo(f"{board.name}: {where}, {does} and verified in {seconds:.1f} s; reset.")
            click.echo(f"Next: mma attach {board.name}")
        if key is not None:
            click.echo(f"It {'keeps' if source.kept_key else 'has'} the key {key}.")
    if source.key is not None and source.key.open:
        click.echo("The development key keeps nobody out; --key NAME gives the board its own.", err=True)
