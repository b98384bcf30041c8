"""A proxy in front of QEMU's stub that misbehaves on cue, as Renode's is said to do, and flaky probes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from emulation.gdb.rsp import Kind, Piece, Splitter, frame, is_stop_reply


class BadStub:
    """Each attribute is a fault; counts run down to 0."""

    def __init__(self, path: Path, behind: str) -> None:
        self.address = f"unix:{path}"
        self.double_stops = False
        self.swallow_stops = 0
        self.swallow_answers = 0
        self.swallow_prefix = b""
        self.late_answers = 0
        """Answers that come `delay` seconds late."""
        self.delay = 0.0
        self.deaf = 0
        """Interrupts that are ignored."""
        self.frozen = False
        """Takes bytes, gives none, on every connection."""
        self.refuse = False
        self.connections = 0
        self.asked: list[bytes] = []
        self._path = path
        self._behind = behind
        self._asked = b""
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[BadStub]:
        server = await asyncio.start_unix_server(self._accept, str(self._path))
        try:
            yield self
        finally:
            server.close()
            self.drop()
            if self._tasks:
                await asyncio.wait(self._tasks)

    def drop(self) -> None:
        """Cut every connection."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refuse:
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer), name="bad stub")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind = await asyncio.open_unix_connection(self._behind)
        self._writers += [writer, behind]
        pumps = [
            asyncio.create_task(self._pump(reader, behind, self._request), name="bad stub, requests"),
            asyncio.create_task(self._pump(behind_reader, writer, self._answer), name="bad stub, answers"),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for ending in (writer, behind):
            ending.close()
        await asyncio.wait(pumps)

    async def _pump(self, reader, writer, change) -> None:  # type: ignore[no-untyped-def]
        splitter = Splitter()
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                for piece in splitter.feed(data):
                    for out in change(piece):
                        if out.kind is Kind.PACKET and change == self._answer and self.late_answers:
                            self.late_answers -= 1
                            await asyncio.sleep(self.delay)
                        writer.write(frame(out.body, out.kind) if out.kind is Kind.PACKET else out.kind.value)

    def _request(self, piece: Piece) -> list[Piece]:
        if piece.kind is Kind.PACKET:
            self._asked = piece.body
            self.asked.append(piece.body)
        if self.frozen:
            return []
        if piece.kind is Kind.INTERRUPT and self.deaf:
            self.deaf -= 1
            return []
        return [piece]

    def _answer(self, piece: Piece) -> list[Piece]:
        if self.frozen:
            return []
        if piece.kind is Kind.PACKET and is_stop_reply(piece.body) and self._asked != b"?":
            if self.swallow_stops:
                self.swallow_stops -= 1
                return []
            if self.double_stops:
                return [piece, piece]
        elif (
            piece.kind is Kind.PACKET and self.swallow_answers and self._asked.startswith(self.swallow_prefix)
        ):
            self.swallow_answers -= 1
            return []
        return [piece]
