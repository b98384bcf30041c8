"""A stand-in for a device, on the real wire: docs/link.md by an aiocoap server.

It keeps slots, arena, logs and results as the SPEC says; what an executor *does* is a coroutine of the
test (`behave`), since there is no CPU here to run its code.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import cbor2
from aiocoap import Code, Message, resource
from aiocoap.optiontypes import BlockOption
from noisy_line import Line, Noise, Streams, noisy_line

from hal.abi import EndCause, ErrorNumber, State
from hal.link.slipmux import encode_text
from hal.link.transport import LinkTuning, StreamTransport

BASE = 0x20001000


@dataclass
class Executor:
    """One occupied slot."""

    slot: int
    generation: int
    create: dict[int, Any]
    addresses: tuple[int, int, int]
    state: State = State.CREATED
    cause: EndCause = EndCause.NONE
    status: int = 0
    pc: int = 0
    fault_address: int = 0
    log: bytearray = field(default_factory=bytearray)
    log_end: int = 0
    log_dropped: int = 0
    result: bytes = b""
    calls: list[int] = field(default_factory=list)
    stream: bytes = b""
    entry: int = 0
    initial_memory: int = 0
    task: asyncio.Task[None] | None = None

    @property
    def size(self) -> int:
        return sum(self.create[key] for key in range(1, 6))

    def write(self, line: bytes) -> None:
        """A call of log."""
        self.log += line + b"\n"
        self.log_end += len(line) + 1
        excess = max(0, len(self.log) - self.create[4])
        del self.log[:excess]
        self.log_dropped += excess


WRAP = 1 << 32
"""Offsets of logs go on at 0 there."""
Behaviour = Callable[["DeviceDouble", Executor], Awaitable[None]]


class DeviceDouble(resource.ObservableResource):
    """The resources of one device."""

    def __init__(self, behave: Behaviour, *, arena: int = 65536, slots: int = 8, block: int = 512) -> None:
        super().__init__()
        self.behave = behave
        self.board = "double"
        self.boot = 1000
        self.reset_cause = 0
        self.crash: dict[int, int] | None = None
        self.arena, self.slot_count, self.block = arena, slots, block
        self.executors: dict[int, Executor] = {}
        self.requests: list[tuple[str, str]] = []
        self.started = 0
        self._generation = 0
        self._writer: asyncio.StreamWriter | None = None

    # -- its life --------------------------------------------------------------------------------

    async def serve(self, streams: Streams) -> None:
        transport = StreamTransport("double")
        transport.remote.maximum_block_size_exp = self.block.bit_length() - 5
        context = transport.context(self)
        self._writer = streams[1]
        try:
            await transport.run(*streams)
        finally:
            for executor in self.executors.values():
                if executor.task:
                    executor.task.cancel()
            await context.shutdown()

    def say(self, text: str) -> None:
        assert self._writer
        self._writer.write(encode_text(text + "\n"))

    def reboot(self) -> None:
        """As a reset: everything forgotten, another boot id."""
        for executor in self.executors.values():
            if executor.task:
                executor.task.cancel()
        self.executors.clear()
        self.boot += 1
        self._observations.clear()
        self.say(f"mma 0.1 {self.board}: reset by software")

    def end(self, executor: Executor, cause: EndCause, status: int = 0) -> None:
        executor.state, executor.cause, executor.status = State.ENDED, cause, status
        self.updated_state()

    # -- the requests ----------------------------------------------------------------------------

    async def add_observation(self, request: Message, serverobservation: Any) -> None:
        if request.opt.uri_path == ("s",):
            self._observations = {serverobservation}  # a newer one replaces the one before
            serverobservation.accept(lambda: self._observations.discard(serverobservation))

    async def render(self, request: Message) -> Message:
        path = request.opt.uri_path
        self.requests.append((str(request.code), "/".join(path)))
        handler = getattr(self, f"_{str(request.code).lower()}_{path[0]}", None)
        if handler is None:
            return Message(code=Code.NOT_FOUND)
        if path[0] == "x" and len(path) > 1:
            executor = self.executors.get(int(path[1]))
            if executor is None:
                return refuse(Code.NOT_FOUND, ErrorNumber.NOENT)
            return handler(request, executor)
        return handler(request) if path[0] != "x" else self._create(request)

    def _get_d(self, request: Message) -> Message:
        used = sum(executor.size for executor in self.executors.values())
        free = self.arena - used
        here = (self.board, "0.1", self.boot, self.reset_cause, BASE, self.arena, free, free, self.block)
        values = (1, *here, self.slot_count, 16, ["temp0", "light"], "none", 168_000_000, 8)
        facts: dict[int, Any] = dict(enumerate(values))
        if self.crash:
            facts[16] = self.crash
        return content(facts)

    def _get_s(self, request: Message) -> Message:
        rows = [[e.slot, e.state, e.cause, e.log_end % WRAP, e.generation] for e in self.executors.values()]
        return content([self.boot, *rows])

    def _get_k(self, request: Message) -> Message:
        return content({0: len(self.requests), 6: 4, 7: 5})

    def _create(self, request: Message) -> Message:
        wish = cbor2.loads(request.payload)
        if any(executor.create[0] == wish[0] for executor in self.executors.values()):
            return refuse(Code.CONFLICT, ErrorNumber.STATE)
        slot = next((n for n in range(self.slot_count) if n not in self.executors), None)
        if slot is None:
            return refuse(Code.SERVICE_UNAVAILABLE, ErrorNumber.BUSY)
        size = sum(wish[key] for key in range(1, 6))
        used = sum(executor.size for executor in self.executors.values())
        if size > self.arena - used:
            free = self.arena - used
            return refuse(Code.REQUEST_ENTITY_TOO_LARGE, ErrorNumber.NOROOM, size - free, free)
        self._generation += 1
        code = BASE + slot * 0x2000
        addresses = (code, code + wish[1], code + wish[1] + wish[2])
        self.executors[slot] = Executor(slot, self._generation, wish, addresses)
        self.updated_state()
        return content(dict(enumerate((slot, *addresses, size))), Code.CREATED)

    async def needs_blockwise_assembly(self, request: Message) -> bool:
        return request.code is not Code.PUT  # those blocks are taken as they come, as a device does

    def _put_x(self, request: Message, executor: Executor) -> Message:
        if executor.state in (State.RUNNING, State.ENDED):
            return refuse(Code.CONFLICT, ErrorNumber.STATE)
        block = request.opt.block1 or BlockOption.BlockwiseTuple(0, False, 6)
        if block.start == 0:
            executor.stream, executor.state = b"", State.LOADING
        have = len(executor.stream)
        if block.start > have:
            details = cbor2.dumps({0: int(ErrorNumber.STATE), 3: have})
            return Message(code=Code.REQUEST_ENTITY_INCOMPLETE, payload=details, content_format=60)
        executor.stream += request.payload[have - block.start :]
        if not block.more:
            executor.state = State.READY
        self.updated_state()
        return Message(code=Code.CONTINUE if block.more else Code.CHANGED, block1=request.opt.block1)

    def _post_x(self, request: Message, executor: Executor) -> Message:
        action = cbor2.loads(request.payload)
        if action[0] == 2:
            if executor.task:
                executor.task.cancel()
            if executor.state is not State.ENDED:
                self.end(executor, EndCause.KILLED)
            return Message(code=Code.CHANGED)
        if executor.state is not State.READY:
            return refuse(Code.CONFLICT, ErrorNumber.STATE)
        if action[1] != hashlib.sha256(executor.stream).digest():
            return refuse(Code.CONFLICT, ErrorNumber.DIGEST)
        executor.entry, executor.initial_memory = action[2], action[3]
        executor.state = State.RUNNING
        self.started += 1
        executor.task = asyncio.ensure_future(self.behave(self, executor))
        self.updated_state()
        return Message(code=Code.CHANGED)

    def _get_x(self, request: Message, executor: Executor) -> Message:
        path = request.opt.uri_path
        if path[2:] == ("log",):
            offset = int(request.opt.uri_query[0].removeprefix("o="))
            back = (executor.log_end - offset) % WRAP
            back = min(back, len(executor.log)) if back < WRAP // 2 else 0
            piece = executor.log[len(executor.log) - back :][: self.block - 16]
            return content([(executor.log_end - back) % WRAP, bytes(piece)])
        if path[2:] == ("result",):
            return Message(code=Code.CONTENT, payload=executor.result, content_format=42)
        e = executor
        values = [e.create[0], e.state, e.cause, e.status, e.pc, e.fault_address, 1234, 5, 96, 40]
        values += [e.log_end % WRAP, e.log_dropped, len(e.result), e.calls, e.initial_memory, len(e.stream)]
        return content(dict(enumerate(values)))

    def _delete_x(self, request: Message, executor: Executor) -> Message:
        if executor.task:
            executor.task.cancel()
        del self.executors[executor.slot]
        self.updated_state()
        return Message(code=Code.DELETED)


def content(value: object, code: Code = Code.CONTENT) -> Message:
    tuning = LinkTuning(4_000_000, 512)  # a notification that is lost comes again as soon as a device's does
    return Message(code=code, payload=cbor2.dumps(value), content_format=60, transport_tuning=tuning)


def refuse(code: Code, number: ErrorNumber, missing: int = -1, largest: int = -1) -> Message:
    details = {0: int(number)} | {key: value for key, value in ((1, missing), (2, largest)) if value >= 0}
    return content(details, code)


async def exit_at_once(device: DeviceDouble, executor: Executor) -> None:
    """The default behaviour: log a line, publish a result, exit with 0."""
    await asyncio.sleep(0)
    executor.write(b"hello from " + executor.create[0].hex().encode())
    executor.result = b"42"
    device.end(executor, EndCause.EXIT, 0)


@contextlib.asynccontextmanager
async def double(
    behave: Behaviour = exit_at_once, noise: Noise | None = None, **options: int
) -> AsyncIterator[tuple[DeviceDouble, Line]]:
    """A device at the far end of a line."""
    device = DeviceDouble(behave, **options)
    async with noisy_line(noise) as (line, far):
        server = asyncio.create_task(device.serve(far))
        try:
            yield device, line
        finally:
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)
