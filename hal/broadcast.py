"""Event streams for many listeners: each gets every event that matters, in bounded memory.

A slow listener never holds up the target. What waits for it is condensed without losing a fact:
Progress of one launch collapses to its newest, Output of one executor is joined (and past a limit its
oldest bytes are dropped and counted in `dropped`), old Diagnostic lines give way to a line that counts
them. Started, Ended and Connection are always kept; their number is that of the launches asked for.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from dataclasses import dataclass, replace

from hal.target import Connection, Diagnostic, Event, Output, Progress

OUTPUT_LIMIT = 1 << 20
"""Bytes of one executor's output that may wait in one stream."""
DIAGNOSTIC_LIMIT = 1000
"""Lines of the target itself that may wait in one stream."""
JOIN_BELOW = 1 << 12
"""Waiting output is joined into pieces of up to this many bytes before anything is dropped."""


@dataclass(slots=True)
class _Cell:
    event: Event | None
    """None: given up while it waited."""


class Stream:
    """One listener's events: an async iterator that ends after Broadcast.close().

    Leave it early with aclose(); one that is merely forgotten is collected with its events.
    """

    def __init__(self, output_limit: int = OUTPUT_LIMIT, diagnostic_limit: int = DIAGNOSTIC_LIMIT) -> None:
        self._output_limit = output_limit
        self._diagnostic_limit = diagnostic_limit
        self._cells: deque[_Cell] = deque()
        self._last: dict[str, _Cell] = {}
        self._outputs: dict[str, deque[_Cell]] = {}
        self._waiting_bytes: dict[str, int] = {}
        self._diagnostics: deque[_Cell] = deque()
        self._lost_diagnostics = 0
        self._wake = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Event:
        while True:
            event = self._pop()
            if event is not None:
                return event
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()

    async def aclose(self) -> None:
        """Stop listening and forget what waits."""
        self._cells.clear()
        self.finish()

    def finish(self) -> None:
        """No more events will come; what waits is still delivered."""
        self._closed = True
        self._wake.set()

    def push(self, event: Event) -> None:
        """Queue an event for this listener."""
        if self._closed:
            return
        if isinstance(event, Output):
            self._push_output(event)
        elif isinstance(event, Progress):
            self._push_progress(event)
        elif isinstance(event, Diagnostic):
            self._push_diagnostic(event)
        else:
            cell = self._append(event)
            if not isinstance(event, Connection):
                self._last[event.key] = cell
        self._wake.set()

    def _append(self, event: Event) -> _Cell:
        cell = _Cell(event)
        self._cells.append(cell)
        return cell

    def _push_progress(self, event: Progress) -> None:
        last = self._last.get(event.key)
        if last is not None and isinstance(last.event, Progress) and last.event.stage is event.stage:
            last.event = event
        else:
            self._last[event.key] = self._append(event)

    def _push_output(self, event: Output) -> None:
        key, last = event.key, self._last.get(event.key)
        if (
            last is not None
            and isinstance(last.event, Output)
            and event.dropped == 0
            and len(last.event.data) + len(event.data) <= JOIN_BELOW
        ):
            last.event = replace(last.event, data=last.event.data + event.data)
        else:
            cell = self._last[key] = self._append(event)
            self._outputs.setdefault(key, deque()).append(cell)
        self._waiting_bytes[key] = self._waiting_bytes.get(key, 0) + len(event.data)
        self._drop_oldest_output(key)

    def _drop_oldest_output(self, key: str) -> None:
        """Keep the newest `output_limit` bytes; what goes is counted in the next piece's `dropped`."""
        pieces = self._outputs[key]
        while self._waiting_bytes[key] > self._output_limit and pieces:
            output = pieces[0].event
            assert isinstance(output, Output)
            excess = self._waiting_bytes[key] - self._output_limit
            if len(pieces) > 1 and excess >= len(output.data):
                pieces.popleft().event = None
                following = pieces[0].event
                assert isinstance(following, Output)
                lost = output.dropped + len(output.data)
                pieces[0].event = replace(following, dropped=following.dropped + lost)
                self._waiting_bytes[key] -= len(output.data)
            else:
                excess = min(excess, len(output.data))
                kept = output.data[excess:]
                pieces[0].event = replace(output, data=kept, dropped=output.dropped + excess)
                self._waiting_bytes[key] -= excess

    def _push_diagnostic(self, event: Diagnostic) -> None:
        self._diagnostics.append(self._append(event))
        if len(self._diagnostics) > self._diagnostic_limit:
            self._diagnostics.popleft().event = None
            self._lost_diagnostics += 1

    def _pop(self) -> Event | None:
        while self._cells:
            cell = self._cells[0]
            event = cell.event
            if isinstance(event, Diagnostic) and self._lost_diagnostics:
                lost, self._lost_diagnostics = self._lost_diagnostics, 0
                return Diagnostic(f"({lost} older lines were dropped)")
            self._cells.popleft()
            if event is None:
                continue
            self._forget(cell, event)
            return event
        return None

    def _forget(self, cell: _Cell, event: Event) -> None:
        """Drop the bookkeeping of an event that leaves the queue."""
        if isinstance(event, Diagnostic):
            self._diagnostics.popleft()
        elif not isinstance(event, Connection):
            if self._last.get(event.key) is cell:
                del self._last[event.key]
            if isinstance(event, Output):
                self._waiting_bytes[event.key] -= len(event.data)
                pieces = self._outputs[event.key]
                pieces.popleft()
                if not pieces:
                    del self._outputs[event.key], self._waiting_bytes[event.key]


class Broadcast:
    """Publishes events to every stream that exists at the time.

    From one event loop only; other threads go through `loop.call_soon_threadsafe`.
    """

    def __init__(self) -> None:
        self._streams: weakref.WeakSet[Stream] = weakref.WeakSet()
        self._closed = False

    def subscribe(self) -> Stream:
        """A stream of all events from this call on."""
        stream = Stream()
        if self._closed:
            stream.finish()
        else:
            self._streams.add(stream)
        return stream

    def publish(self, event: Event) -> None:
        """Give `event` to every stream."""
        for stream in list(self._streams):
            stream.push(event)

    def close(self) -> None:
        """End every stream after what waits in it. Idempotent."""
        self._closed = True
        for stream in list(self._streams):
            stream.finish()
        self._streams.clear()
