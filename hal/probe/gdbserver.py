"""pyOCD's GDB server on a board of ours: `python -m hal.probe.gdbserver BOARD ELF READY [PROBE]`.

A program of its own, so that GDB's requests and USB do not hold up an event loop, and so that it can be ended
whatever it does. The board runs on until a GDB attaches, and when it leaves. The port that was opened, on
loopback only, is written into the file READY. Errors are a sentence on stderr, with exit codes as `mma` has.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from hal.boards import Board, load_board
from hal.errors import HalError, NoProbe, ProbeChoice, ProbeError
from hal.keys import DEVELOPMENT
from hal.probe.connection import Connection, connect
from hal.probe.flash import flat


def serve(board: Board, elf: Path, ready: Path, uid: str | None) -> None:
    """Until SIGTERM. ProbeError: also where the board runs another kernel than `elf`."""
    from pyocd.gdbserver import GDBServer

    with connect(board, uid, halt=False) as connection:
        _check(connection, board, elf)
        session = connection.session
        options = {
            "gdbserver_port": 0,
            "persist": True,
            "serve_local_only": True,
            "enable_semihosting": False,
        }
        for name, value in options.items():
            session.options[name] = value
        server = GDBServer(session, core=0)
        session.gdbservers[0] = server
        server.start()
        try:
            scratch = ready.with_suffix(".new")
            scratch.write_text(str(server.port), encoding="ascii")
            scratch.replace(ready)
            server.join()
        finally:
            server.stop()


def _check(connection: Connection, board: Board, elf: Path) -> None:
    """The symbols of another kernel would lie. Keys may differ."""
    wanted = flat(elf, board)
    found = bytearray(connection.read(board.flash.address, len(wanted)))
    at = wanted.find(DEVELOPMENT)
    if at >= 0:
        found[at : at + len(DEVELOPMENT)] = DEVELOPMENT
    if found != wanted:
        raise ProbeError(
            f"The {board.name} has another kernel than this mma builds.", remedy=f"mma flash {board.name}"
        )


def main(arguments: list[str]) -> int:
    """The exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    name, elf, ready, *probe = arguments
    try:
        serve(load_board(name), Path(elf), Path(ready), probe[0] if probe else None)
    except HalError as error:
        print(error, file=sys.stderr)
        return 3 if isinstance(error, NoProbe) else 2 if isinstance(error, ProbeChoice) else 1
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # pyOCD's threads may still wait for USB
