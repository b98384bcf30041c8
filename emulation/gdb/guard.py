"""A relay between GDB and a debug stub that knows whose turn it is, and so notices what GDB cannot.

A second stop reply would put GDB one answer behind for good; the guard drops it. A request without an
answer, a stop that is not reported and a lost connection are noticed by time; watchdog.py then recovers
while GDB waits. What it needs for that is kept here: how GDB greeted the stub, which breakpoints are in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from emulation.gdb.events import Chatty, Event, Lost
from emulation.gdb.rsp import Kind, Piece, Splitter, frame, is_resume, is_stop_reply
from emulation.gdb.stublink import Address, StubLink
from emulation.gdb.watchdog import Patience, Trouble, exchange, recover

_log = logging.getLogger(__name__)
_SILENT = (b"k", b"R")
"""Requests that have no answer."""


@dataclass(slots=True)
class Request:
    """What GDB asked and the stub has not answered."""

    body: bytes
    resumes: bool
    since: float
    interrupted: bool = False
    recoveries: int = 0


@dataclass(slots=True)
class Greeting:
    """What a new connection must be told to be as the old one was."""

    supported: bytes = b""
    features: bytes = b""
    """The stub's answer to it."""
    no_acks: bool = False
    description: bytes = b""
    """The first request for target.xml: QEMU sends other registers before it was asked for that."""
    thread: bytes = b""
    """The last Hg."""
    breakpoints: dict[bytes, bytes] = field(default_factory=dict)
    """Z packets that are in, by `type,address,size`."""


class Guard:
    """Serves one GDB at a time on a Unix socket; connects to the stub when GDB does, not before, since
    that halts the target."""

    def __init__(
        self,
        address: Address,
        emit: Callable[[Event], None],
        *,
        patience: Patience | None = None,
        runs: Callable[[], Awaitable[bool | None]] | None = None,
        runs_on_loss: bool | None = None,
        first: tuple[bytes, ...] = (),
    ) -> None:
        """`runs` tells from elsewhere, such as QMP, whether the target runs; None if unknown. With it a stop
        that the stub never reported is noticed without anyone asking. `runs_on_loss`, `first`: see Stub."""
        self.address = address
        self.emit = emit
        self.patience = patience or Patience()
        self.runs = runs
        self.runs_on_loss = runs_on_loss is not False
        self.first = first
        self.link: StubLink | None = None
        self.request: Request | None = None
        self.greeting = Greeting()
        self.chatter = 0
        self.stop_reply = b"S05"
        """What a new connection said to `?`."""
        self.detached = False
        self._owed = False  # an interrupt came too late: the target had just stopped by itself
        self._server: asyncio.Server | None = None
        self._gdb: asyncio.StreamWriter | None = None
        self._gdb_acks = True
        self._last = b""
        self._held: list[bytes] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._doubting: asyncio.Task[None] | None = None

    # -- GDB's side -------------------------------------------------------------------------------

    async def listen(self, path: Path) -> None:
        """Wait for GDB on a Unix socket; a second call moves there."""
        await self._stop_serving()
        self._server = await asyncio.start_unix_server(self._accept, str(path))

    async def close(self) -> None:
        """Drop both connections. A target that was not detached stays as its stub leaves it."""
        await self._stop_serving()
        if self.link is not None:
            await self.link.close()
            self.link = None

    async def release(self) -> None:
        """GDB is no more: remove its breakpoints, let the target run, and let go. Whatever fails is left."""
        if self._recovery is not None:
            self._recovery.cancel()
        link = self.link
        if link is None or self.detached:
            return
        with link.hearing() as answers, contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.patience.answer):
                if self.running:
                    link.interrupt()
                    while not is_stop_reply(await answers.get()):
                        pass
                farewell = [b"z" + body[1:] for body in self.greeting.breakpoints.values()]
                farewell.append(b"D;1" if b"multiprocess+" in self.greeting.features else b"D")
                for body in farewell:
                    link.send(body)
                    await answers.get()
        self.detached = True

    async def _stop_serving(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._gdb is not None:
            self._gdb.close()
        self._quiet()
        tasks = [task for task in (self._recovery, self._serving, self._doubting) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._recovery = self._serving = self._doubting = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._serving is not None and not self._serving.done():
            writer.close()  # one GDB at a time
            return
        self._serving = asyncio.create_task(self._serve(reader, writer), name="serve gdb")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.link is not None:
                await self.link.close()
            self.link = await StubLink.open(self.address, self.from_stub, self.lost)
            with self.link.hearing() as answers, contextlib.suppress(TimeoutError):
                for body in self.first:
                    await exchange(self.link, answers, body, self.patience.answer)
        except OSError as error:
            why = f"Nothing answers at {self.address}: {error.strerror or error}."
            self.emit(Lost(f"{why} Is the machine on, and was its debug stub started?"))
            writer.close()
            return
        self._gdb, self._gdb_acks, self.detached, self._owed = writer, True, False, False
        self.request, self.greeting = None, Greeting()
        self._doubting = asyncio.create_task(self._doubt(), name="doubt the stub") if self.runs else None
        splitter = Splitter()
        try:
            while data := await reader.read(65536):
                for piece in splitter.feed(data):
                    self._from_gdb(piece)
        except OSError:
            pass
        finally:
            await self._part(writer)

    async def _part(self, writer: asyncio.StreamWriter) -> None:
        """GDB left: after a detach let go of the stub; otherwise keep it for release()."""
        self._quiet()
        self._gdb = None
        writer.close()
        for task in (self._recovery, self._doubting):
            if task is not None:
                task.cancel()
        if self.detached and self.link is not None:
            link, self.link = self.link, None
            await link.close()

    def _from_gdb(self, piece: Piece) -> None:
        if piece.kind is Kind.PACKET:
            if self._gdb_acks:
                self._to_gdb(Kind.ACK.value)
            if self.recovering or self.link is None:
                self._held.append(piece.body)
            else:
                self.ask(piece.body)
        elif piece.kind is Kind.INTERRUPT:
            self._interrupt()
        elif piece.kind is Kind.REFUSAL:
            self._to_gdb(self._last)
        elif piece.kind is Kind.DAMAGED and self._gdb_acks:
            self._to_gdb(Kind.REFUSAL.value)

    def _interrupt(self) -> None:
        if self.request is not None and self.request.resumes:
            self.request.interrupted = True
            self._set_alarm(self.patience.interrupt, Trouble.NO_STOP)
        else:
            self._owed = True
        if self.link is not None and not self.recovering:
            self.link.interrupt()

    def _to_gdb(self, data: bytes) -> None:
        if self._gdb is not None and not self._gdb.is_closing():
            self._gdb.write(data)

    # -- the stub's side --------------------------------------------------------------------------

    def ask(self, body: bytes) -> None:
        """Pass a request on. Semihosting answers (F) belong to the resume that waits."""
        assert self.link is not None
        self.link.send(body)
        if body.startswith(_SILENT) or (body.startswith(b"F") and self.request is not None):
            return
        now = asyncio.get_running_loop().time()
        known = self.request.recoveries if self.request is not None and self.request.body == body else 0
        self.request = Request(body, is_resume(body), now, recoveries=known)
        if not self.request.resumes:
            self._set_alarm(self.patience.answer, Trouble.NO_ANSWER)
        elif self._owed:
            self._interrupt()

    def forgive(self) -> None:
        """GDB told of a stop: the interrupt that caused it, or did not, is settled."""
        self._owed = False

    def from_stub(self, body: bytes) -> None:
        """Pass an answer on, or drop what answers nothing."""
        request = self.request
        if request is None or (is_stop_reply(body) and not _may_stop(request)):
            self.chatter += 1
            self.emit(Chatty(body[:80].decode("latin-1"), self.chatter))
            return
        if body[:1] == b"O" and body != b"OK" and (request.resumes or request.body.startswith(b"qRcmd")):
            request.since = asyncio.get_running_loop().time()
            if not request.resumes:
                self._set_alarm(self.patience.answer, Trouble.NO_ANSWER)
            self.deliver(body)
        elif request.resumes and body[:1] == b"F":
            self.deliver(body)
        else:
            self.answer(body)

    def answer(self, body: bytes) -> None:
        """The request has its answer: remember what a reconnection needs, give it to GDB."""
        request, self.request = self.request, None
        self._quiet()
        if request is not None:
            self._learn(request.body, body)
            # A stub ignores an interrupt while its target stands at a breakpoint, and GDB, if that
            # breakpoint's condition is false, runs it again: the interrupt must be repeated.
            if request.resumes:
                self._owed = request.interrupted and is_stop_reply(body) and body[1:3] != b"02"
        self.deliver(body)
        if request is not None and request.body == b"QStartNoAckMode" and body == b"OK":
            self._gdb_acks = False
            if self.link is not None:
                self.link.acks = False

    def deliver(self, body: bytes) -> None:
        """Give GDB a packet."""
        self._last = frame(body)
        self._to_gdb(self._last)

    def _learn(self, asked: bytes, answer: bytes) -> None:
        greeting = self.greeting
        if asked.startswith(b"qSupported"):
            greeting.supported, greeting.features = asked, answer
        elif asked.startswith(b"qXfer:features:read:") and not greeting.description:
            greeting.description = asked
        elif answer != b"OK":
            return
        elif asked == b"QStartNoAckMode":
            greeting.no_acks = True
        elif asked[:1] == b"Z":
            greeting.breakpoints[asked[1:].partition(b";")[0]] = asked
        elif asked[:1] == b"z":
            greeting.breakpoints.pop(asked[1:].partition(b";")[0], None)
        elif asked[:2] == b"Hg":
            greeting.thread = asked
        elif asked[:1] == b"D":
            self.detached = True

    # -- watching ---------------------------------------------------------------------------------

    @property
    def recovering(self) -> bool:
        return self._recovery is not None and not self._recovery.done()

    @property
    def running(self) -> bool:
        """By what was asked and answered, the target runs."""
        return self.request is not None and self.request.resumes

    @property
    def features(self) -> tuple[str, ...]:
        """The stub's answer to qSupported."""
        return tuple(self.greeting.features.decode("latin-1").split(";")) if self.greeting.features else ()

    def trouble(self, kind: Trouble) -> None:
        """Begin to recover, unless that is already under way."""
        if not self.recovering and self._gdb is not None:
            self._quiet()
            self._recovery = asyncio.create_task(self._recover(kind), name="recover the stub")

    async def _recover(self, kind: Trouble) -> None:
        alive = False
        try:
            alive = await recover(self, kind)
        except Exception:
            _log.exception("the recovery of the stub failed")
            self.emit(Lost("The debugger could not recover the stub. Reset the target, then attach again."))
        self._recovery = None
        held, self._held = self._held, []
        if not alive:
            if self._gdb is not None:
                self._gdb.close()
            return
        for body in held:
            self.ask(body)

    def lost(self) -> None:
        if self.detached or self._gdb is None:
            return
        if not self.recovering:
            self.trouble(Trouble.LOST)

    def rearm(self) -> None:
        """Time the request that waits anew."""
        if self.request is not None and not self.request.resumes:
            self._set_alarm(self.patience.answer, Trouble.NO_ANSWER)

    def _set_alarm(self, seconds: float, kind: Trouble) -> None:
        self._quiet()
        self._alarm = asyncio.get_running_loop().call_later(seconds, self.trouble, kind)

    def _quiet(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def _doubt(self) -> None:
        """While the target should run, ask elsewhere whether it does; twice no means an unreported stop."""
        assert self.runs is not None
        denied = 0
        while True:
            await asyncio.sleep(self.patience.doubt)
            request = self.request
            if request is None or not request.resumes or self.recovering:
                denied = 0
                continue
            runs: bool | None = None
            with contextlib.suppress(Exception):
                runs = await self.runs()
            denied = denied + 1 if runs is False and self.request is request else 0
            if denied >= 2:
                denied = 0
                self.trouble(Trouble.UNREPORTED)


def _may_stop(request: Request) -> bool:
    """A stop reply may answer this. QEMU sends one unasked after a connection that halted its target."""
    return request.resumes or request.body.startswith((b"?", b"vRun", b"vAttach", b"vStopped"))
