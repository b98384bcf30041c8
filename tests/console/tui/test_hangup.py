"""A terminal that is closed by force: the console ends by itself, whether its frames were read or not."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import socket
import subprocess
import sys
import termios

import pytest


@pytest.mark.end_to_end
@pytest.mark.parametrize("reads", [True, False], ids=["read", "full"])
def test_a_console_without_its_terminal_ends(reads: bool) -> None:
    """Unread, its writer is stuck in the terminal's full buffer when that goes away."""
    outer, inner = pty.openpty()
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-m", "console.bench.console_worker", "50", str(theirs.fileno())],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        pass_fds=(theirs.fileno(),),
        env={**os.environ, "TERM": "xterm-256color"},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that its end is told
    )
    try:
        os.close(inner)
        theirs.close()
        ours.settimeout(60)
        assert ours.recv(4096)  # everything is imported
        ours.sendall(b"flood 2000\n")
        seen = b""
        while reads and b"light-1" not in seen:
            assert select.select([outer], [], [], 60)[0], "no frame came"
            seen += os.read(outer, 1 << 16)
        assert reads or not _ends(process, 3), "it ended before"
        os.close(outer)
        assert _ends(process, 60), "it hangs without its terminal"
    finally:
        process.kill()
        process.wait()
        ours.close()


def _ends(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
