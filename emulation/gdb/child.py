"""One GDB process, spoken to in MI: tokens, time-outs, bounded buffers.

It runs below emulation.process's supervisor, so it cannot outlive us; its MI goes through two named pipes in
a private folder, since the supervisor gives its programs no standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulation.errors import ProcessError
from emulation.gdb.errors import GdbGone, GdbMissing, GdbRefused, GdbSilent, TargetRunning
from emulation.gdb.mi import Fields, Kind, Record, parse, quote
from emulation.process import Child

_log = logging.getLogger(__name__)
ran = logging.getLogger("mma.ran.gdb")

PROGRAMS = ("gdb-multiarch", "arm-none-eabi-gdb", "gdb")
MAX_LINE = 16 << 20
"""Bytes of one line of MI; a longer one is dropped."""
MAX_TEXT = 1 << 20
"""Characters of console text kept for one command."""
_OPTIONS = ("-nx", "-nh", "-q", "--interpreter=mi3")
_REDIRECT = 'i=$1 o=$2; shift 2; exec "$@" <"$i" >"$o"'


def find_gdb(program: str = "") -> str:
    """The path of GDB: `program`, the environment's MMA_GDB, or the first of PROGRAMS on PATH."""
    asked = program or os.environ.get("MMA_GDB", "")
    for name in (asked,) if asked else PROGRAMS:
        if path := shutil.which(name):
            return path
    raise GdbMissing(
        f"{asked or 'gdb-multiarch'} is not installed.",
        remedy="Install it: apt install gdb-multiarch (on macOS: brew install gdb), or set MMA_GDB.",
    )


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of a command: `name` is done, running, connected or exit."""

    name: str
    fields: Fields
    console: str
    """What GDB, or the stub in answer to `monitor`, printed for a person since the command before."""
    log: str


class GdbProcess:
    """Runs GDB. Make it with start(); close() ends it; `folder` is private and goes away with it."""

    def __init__(
        self, folder: Path, child: Child, on_record: Callable[[Record], None], on_gone: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self._child = child
        self._on_record = on_record
        self._on_gone = on_gone
        self._tokens = 0
        self._pending: dict[int, tuple[str, asyncio.Future[Reply]]] = {}
        self._console: list[str] = []
        self._logged: list[str] = []
        self._said = 0
        self._closing = False
        self._reader: asyncio.ReadTransport | None = None
        self._writer: asyncio.WriteTransport | None = None
        self._spare = -1
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        program: str = "",
        *,
        on_record: Callable[[Record], None],
        on_gone: Callable[[str], None],
        options: Sequence[str] = (),
    ) -> GdbProcess:
        """`on_record` gets every line but results; `on_gone` a sentence, if GDB ends by itself."""
        path = find_gdb(program)
        folder = Path(tempfile.mkdtemp(prefix="mma-gdb-"))
        words, answers = folder / "in", folder / "out"
        child: Child | None = None
        try:
            for fifo in (words, answers):
                os.mkfifo(fifo, 0o600)
            shell = ["sh", "-c", _REDIRECT, "sh", str(words), str(answers), path, *_OPTIONS, *options]
            child = await Child.start(shell, name=Path(path).name, scratch=folder)
            self = cls(folder, child, on_record, on_gone)
            await self._connect(words, answers)
        except ProcessError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise GdbMissing(str(error)) from error
        except BaseException:
            if child is not None:
                await child.stop(grace=0)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return self

    async def _connect(self, words: Path, answers: Path) -> None:
        """Open our ends. Each pipe is also open the other way, so that no open waits and none ends early."""
        loop = asyncio.get_running_loop()
        flags = os.O_NONBLOCK | os.O_CLOEXEC
        source = os.fdopen(os.open(answers, os.O_RDWR | flags), "rb", buffering=0)
        self._reader, _ = await loop.connect_read_pipe(lambda: _Lines(self._line), source)
        self._spare = os.open(words, os.O_RDWR | flags)
        sink = os.fdopen(os.open(words, os.O_WRONLY | flags), "wb", buffering=0)
        self._writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, sink)
        self._watch = asyncio.create_task(self._wait(), name="watch gdb")

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.alive and not self._closing

    async def command(self, operation: str, *arguments: str, timeout: float = 10.0) -> Reply:
        """Run one MI command, `operation` with its leading dash, arguments quoted as they need.

        GdbRefused with GDB's words, GdbSilent after `timeout` seconds, GdbGone once it has ended.
        """
        line = " ".join([operation, *map(quote, arguments)])
        if not self.alive or self._writer is None:
            raise GdbGone("GDB has ended.")
        self._tokens += 1
        token = self._tokens
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._pending[token] = (line, future)
        ran.info("%s", line)
        self._writer.write(f"{token}{line}\n".encode())
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise GdbSilent(f"GDB did not answer `{line}` within {timeout:g} s.") from None
        finally:
            self._pending.pop(token, None)

    @property
    def waiting(self) -> bool:
        """A command has no answer yet."""
        return bool(self._pending)

    def interrupt(self) -> None:
        """Ctrl-C: GDB gives up what it is doing."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child.pid, signal.SIGINT)

    async def close(self, grace: float = 1.0) -> None:
        """End GDB, by force after `grace` seconds. Idempotent."""
        self._closing = True
        if self._child.alive and self._writer is not None and grace > 0:
            self._writer.write(b"-gdb-exit\n")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await self._child.wait()
        await self._child.stop(grace=0)
        self._fail("The session has ended.")
        if self._watch is not None:
            await asyncio.wait([self._watch])
        for transport in (self._reader, self._writer):
            if transport is not None:
                transport.close()
        self._reader = self._writer = None
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1
        shutil.rmtree(self.folder, ignore_errors=True)
        await asyncio.sleep(0)  # the transports close their pipes in the next round

    async def _wait(self) -> None:
        await self._child.wait()
        if not self._closing:
            said = " ".join(self._child.tail(3).split())
            sentence = f"GDB {self._child.ending()}. {said}".strip()
            self._fail(sentence)
            self._on_gone(sentence)

    def _fail(self, sentence: str) -> None:
        for _, future in self._pending.values():
            if not future.done():
                future.set_exception(GdbGone(sentence))

    def _line(self, raw: bytes) -> None:
        record = parse(raw.decode(errors="replace").rstrip("\r"))
        if record.kind is Kind.RESULT:
            self._finish(record)
            return
        if record.kind in (Kind.CONSOLE, Kind.TARGET, Kind.LOG) and self._said < MAX_TEXT:
            self._said += len(record.text)
            (self._logged if record.kind is Kind.LOG else self._console).append(record.text)
        elif record.kind is Kind.EXEC:  # words about a stop belong to no command
            self._forget()
        if record.kind is not Kind.PROMPT:
            self._on_record(record)

    def _forget(self) -> None:
        self._console.clear()
        self._logged.clear()
        self._said = 0

    def _finish(self, record: Record) -> None:
        reply = Reply(record.name, record.fields, "".join(self._console), "".join(self._logged))
        self._forget()
        line, future = self._pending.get(record.token or 0, ("", None))
        if future is None or future.done():
            return
        if record.name != "error":
            future.set_result(reply)
            return
        message = " ".join(record.fields.text("msg", "GDB gave no reason").split())
        if "target is running" in message or "thread is running" in message:
            error: GdbRefused = TargetRunning("The target is running.", command=line, remedy="Stop it first.")
        else:
            error = GdbRefused(message if message.endswith((".", "?")) else message + ".", command=line)
        future.set_exception(error)


class _Lines(asyncio.Protocol):
    """Cuts a byte stream into lines; drops one that is too long."""

    def __init__(self, on_line: Callable[[bytes], None]) -> None:
        self._on_line = on_line
        self._left = bytearray()
        self._skipping = False

    def data_received(self, data: bytes) -> None:
        self._left += data
        if b"\n" not in data:
            if len(self._left) > MAX_LINE:
                _log.warning("dropped a line of GDB longer than %d bytes", MAX_LINE)
                self._left.clear()
                self._skipping = True
            return
        *lines, rest = self._left.split(b"\n")
        self._left = bytearray(rest)
        for line in lines[1:] if self._skipping else lines:
            if line:
                self._on_line(bytes(line))
        self._skipping = False
