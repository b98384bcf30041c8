"""Child processes that never outlive their owner, not even when the owner is killed with -9.

One mechanism on Linux and macOS: each program runs below a small supervisor (supervise.py) that holds a
pipe to the owner. However the owner ends, the kernel closes that pipe, and the supervisor kills the program
and all that it started. Nothing here depends on which thread started it, unlike Linux's PR_SET_PDEATHSIG,
which the supervisor only uses against its own death.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from emulation.errors import ProcessError

_log = logging.getLogger(__name__)
ran = logging.getLogger("mma.ran.run")

_SUPERVISE = Path(__file__).with_name("supervise.py")
_TAIL = 8192


class Child:
    """One running program, in a session of its own, stdin from /dev/null.

    Its stdout and stderr go to the file `log`, or else are read here and their last 8 KiB kept.
    """

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, pid: int, log: Path | None, log_fd: int | None
    ) -> None:
        self.name = name
        self.pid = pid
        self.log = log
        self._process = process
        self._kept = bytearray()
        self._log_fd = log_fd
        self._reading: asyncio.Task[None] | None = None
        if process.stderr is not None:
            self._reading = asyncio.create_task(self._read(process.stderr), name=f"stderr of {name}")

    @classmethod
    async def start(
        cls,
        program: Sequence[str],
        *,
        name: str = "",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log: Path | None = None,
        scratch: Path | None = None,
    ) -> Child:
        """Start a program. `env` replaces the environment. `scratch` is a folder that is removed after the
        program's end, even if the owner is gone by then. ProcessError if it cannot be executed."""
        name = name or Path(program[0]).name
        ran.info("%s", shlex.join(program))
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if log else None
        # Held open, for the file may be in `scratch` and soon gone, and its last words are asked for then.
        log_fd = os.open(log, os.O_RDONLY) if log else None
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_SUPERVISE), str(scratch or ""), *program),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE if output is None else output,
                env=dict(env) if env is not None else None,
                cwd=cwd,
                start_new_session=True,
            )
        except BaseException:
            if log_fd is not None:
                os.close(log_fd)
            raise
        finally:
            if output is not None:
                os.close(output)
        try:
            pid = await _pid_of(process, name)
        except BaseException:
            _close(process)
            if log_fd is not None:
                os.close(log_fd)
            raise
        _log.debug("started %s, pid %d", name, pid)
        return cls(name, process, pid, log, log_fd)

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    @property
    def returncode(self) -> int | None:
        """Its exit status, minus the signal's number where one ended it; None while it lives."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end; its exit status."""
        code = await self._process.wait()
        if self._reading is not None:
            await asyncio.wait([self._reading])
        if self._log_fd is not None:
            self._kept, fd, self._log_fd = self._read_log(), self._log_fd, None
            os.close(fd)
        return code

    async def stop(self, grace: float = 2.0) -> int:
        """Terminate it, and after `grace` seconds kill it. Idempotent. Its exit status."""
        if self.alive and grace > 0:
            self._order(b"t")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    return await self.wait()
        if self.alive:
            self._order(b"k")
        try:
            return await self.wait()
        finally:
            _close(self._process)

    async def __aenter__(self) -> Child:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def tail(self, lines: int = 20) -> str:
        """The last lines that it wrote."""
        kept = self._kept if self._log_fd is None else self._read_log()
        return "\n".join(kept.decode(errors="replace").splitlines()[-lines:])

    def ending(self) -> str:
        """How it ended, for a sentence: "exited with status 1", "was ended by SIGSEGV"."""
        code = self.returncode
        if code is None:
            return "is running"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"was ended by {signal.Signals(-code).name}"
        return f"exited with status {code}"

    def _read_log(self) -> bytearray:
        assert self._log_fd is not None
        size = os.fstat(self._log_fd).st_size
        return bytearray(os.pread(self._log_fd, _TAIL, max(0, size - _TAIL)))

    def _order(self, order: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):
            self._process.stdin.write(order)

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(4096):
            self._kept += data
            del self._kept[:-_TAIL]


async def _pid_of(process: asyncio.subprocess.Process, name: str) -> int:
    """The program's process id, as its supervisor tells it. ProcessError if there is none."""
    assert process.stdout is not None
    word, _, rest = (await process.stdout.readline()).decode().strip().partition(" ")
    if word != "pid":
        _close(process)
        await process.wait()
        raise ProcessError(f"{name} could not be started: {rest or 'its supervisor failed'}.")
    return int(rest)


def _close(process: asyncio.subprocess.Process) -> None:
    """Let go of the supervisor; if it still lives, the end of its pipe makes it kill the program."""
    if process.stdin is not None:
        process.stdin.close()
