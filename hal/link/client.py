"""The client of docs/link.md: every request that a device answers, with typed results."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence

import cbor2
from aiocoap import Code, Context, Message, error
from aiocoap.numbers import codes
from aiocoap.optiontypes import BlockOption
from aiocoap.protocol import BaseUnicastRequest as Request

from hal.errors import DeviceError, KeyFileError, LinkError
from hal.keys import DeviceKey
from hal.keys import find as find_key
from hal.link import facts
from hal.link.facts import Counters, Create, DeviceFacts, ExecutorState, LogPiece, Place, Rule, Slots
from hal.link.keeper import Connect, Keeper
from hal.link.proof import Prover
from hal.link.refusal import CBOR, Refused, no_answer, successful
from hal.link.transport import LinkTuning, Statistics, StreamTransport, Traced
from hal.link.upload import Block, Upload, blocks_in_flight

log = logging.getLogger(__name__)

WATCH_AGAIN = 5.0
"""Seconds without a notification after which the observation is registered anew."""
FIRST_BLOCK = 64
"""Block size until the device has told its own."""


class Link:
    """A device at the other end of a byte stream.

    Requests queue: one is on the line at a time. All raise LinkError when the device does not answer,
    DeviceError when it answers nonsense, and its subclass Refused when it says no.
    """

    def __init__(
        self,
        name: str,
        connect: Connect,
        *,
        baud: int,
        on_text: Callable[[str], None] = lambda text: None,
        on_change: Callable[[bool, str], None] = lambda up, message: None,
        on_trace: Callable[[Traced], None] | None = None,
        keys: Sequence[DeviceKey] = (),
    ) -> None:
        """`connect` opens the byte stream, now and again when it breaks. `baud` is the line's bit rate.
        `on_text` gets diagnostic lines; `on_change` whether the device can be reached, with a sentence;
        `on_trace` every CoAP message. `keys`: more than hal.keys finds by itself."""
        self.name = name
        self._baud = baud
        self._keeper = Keeper(name, connect, self._on_change)
        self._told_change = on_change
        self._transport = StreamTransport(
            name,
            on_text=on_text,
            on_trace=on_trace,
            on_message=self._keeper.heard,
            on_retransmission=self._keeper.repeated,
        )
        self._context: Context | None = None
        self._watching: asyncio.Timeout | None = None
        self._uploads: set[Upload] = set()
        self._keys = tuple(keys)
        self._prover: Prover | None = None
        self.boot = 0
        """The device's boot, as it told last; requests are proven for this one, and refused in others."""
        self._use_block(FIRST_BLOCK)

    @property
    def key(self) -> DeviceKey | None:
        """The key by which the device lets this gateway change something; None if it wants none."""
        return self._prover.key if self._prover else None

    @property
    def statistics(self) -> Statistics:
        """What went over the link so far."""
        return self._transport.statistics

    @property
    def up(self) -> bool:
        """There is a stream and the device answers."""
        return self._keeper.up.is_set()

    async def wait_up(self) -> None:
        """Until the device can be reached."""
        await self._keeper.up.wait()

    async def open(self, timeout: float = 10.0) -> DeviceFacts:
        """Connect and read the device's description; also takes its block size from there.

        LinkError when nobody answers within `timeout` seconds. A failed open undoes what it began.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._keeper.open(self._transport)
                self._context = self._transport.context()
                return await self.device()
        except TimeoutError:
            await self.close()
            said = self._transport.said()
            raise LinkError(
                f"{self.name} does not answer within {timeout:g} s.{f' {said}.' if said else ''}",
                remedy="Is it the right port, and does the board run this release's firmware?",
            ) from None
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of the device. Idempotent."""
        context, self._context = self._context, None
        if context is not None:
            await context.shutdown()
        await self._keeper.close()

    def _on_change(self, up: bool, message: str) -> None:
        self._told_change(up, message)
        if up:
            self.look_again()  # whatever was notified meanwhile is lost
            for upload in self._uploads:
                upload.wake()

    # -- the requests of docs/link.md ---------------------------------------------------------------

    async def device(self) -> DeviceFacts:
        """GET /d."""
        device = facts.parse_device(await self._get("d"))
        self._use_block(device.block)
        self._use_key(device)
        self.boot = device.boot
        return device

    async def slots(self) -> Slots:
        """GET /s."""
        return facts.parse_slots(await self._get("s"))

    async def watch_slots(self) -> AsyncGenerator[Slots, None]:
        """The newest S whenever it changed, and now and then when it did not; never ends by itself.

        Changes in quick succession come as one. While the link is down it waits.
        """
        while True:
            await self.wait_up()
            try:
                async with contextlib.aclosing(self._watch_once()) as states:
                    async for state in states:
                        yield state
            except LinkError as problem:
                log.debug("Watching %s: %s", self.name, problem)
                await asyncio.sleep(0.1)  # a stream that is closed at once must not make us spin

    async def _watch_once(self) -> AsyncGenerator[Slots, None]:
        """One observation (RFC 7641), until nothing was heard for a while."""
        request = self._start(codes.GET, "s", observe=0)
        try:
            yield facts.parse_slots((await self._finish(request)).payload)
            notifications = aiter(request.observation)
            while True:
                async with asyncio.timeout(WATCH_AGAIN) as self._watching:
                    message = await anext(notifications)
                self._watching = None
                yield facts.parse_slots(successful(message).payload)
        except (TimeoutError, StopAsyncIteration):
            return
        except error.Error as problem:
            raise no_answer(self.name) from problem
        finally:
            self._watching = None
            if not request.observation.cancelled:
                request.observation.cancel()

    def look_again(self) -> None:
        """Make watch_slots() register anew at once: the device may have forgotten that we watch."""
        if self._watching is not None and not self._watching.expired():
            self._watching.reschedule(asyncio.get_running_loop().time())

    async def create(self, create: Create) -> Place:
        """POST /x: an executor in a free slot."""
        response = await self._request(codes.POST, "x", payload=create.encode())
        return facts.parse_place(response.payload)

    async def upload(
        self,
        slot: int,
        stream: bytes,
        progress: Callable[[int], None] = lambda sent: None,
        *,
        begin: int = 0,
    ) -> None:
        """PUT /x/N, block after block; `progress` gets the bytes that the device has. `begin`: where to go on
        after an upload that was cut off, as ExecutorState.image_bytes tells.

        Not by aiocoap's own block-wise transfer: several blocks are on their way at a time, other requests
        get their turn, progress shows, and blocks shrink while the line is bad, since what is lost is always
        a whole frame.
        """

        async def send(block: Block) -> Message:
            option = BlockOption.BlockwiseTuple(
                block.offset // block.size, block.more, block.size.bit_length() - 5
            )
            piece = stream[block.offset : block.end]
            request = self._start(
                codes.PUT, "x", str(slot), payload=piece, block1=option, cbor=False, tuning=self._unconfirmed
            )
            return await self._finish(request)

        def again(blocks: int) -> None:
            self.statistics.retransmissions += blocks

        upload = Upload(
            self.name,
            len(stream),
            send,
            begin=begin,
            block=self._block,
            tuning=self._tuning,
            on_progress=progress,
            on_again=again,
            on_silence=self._keeper.repeated,
        )
        self._uploads.add(upload)
        try:
            await upload.run()
        finally:
            self._uploads.discard(upload)

    async def start(self, slot: int, stream: bytes, entry: int, memory: int) -> None:
        """POST /x/N, start: `stream` is what was uploaded, `memory` the guest's first linear memory."""
        action = {0: 1, 1: hashlib.sha256(stream).digest(), 2: entry, 3: memory}
        await self._request(codes.POST, "x", str(slot), payload=cbor2.dumps(action))

    async def kill(self, slot: int) -> None:
        """POST /x/N, kill."""
        await self._request(codes.POST, "x", str(slot), payload=cbor2.dumps({0: 2}))

    async def stop(self, slot: int, grace: float) -> None:
        """POST /x/N, stop: tell the guest that it is to end within `grace` seconds. Refused (NOENT) when it
        does not want to know."""
        action = {0: 3, 4: min(round(grace * 1000), (1 << 31) - 1)}
        await self._request(codes.POST, "x", str(slot), payload=cbor2.dumps(action))

    async def call(self, slot: int, request: int) -> None:
        """POST /x/N, stop with a number below zero: a guest compiled for it calls one of its exports."""
        await self._request(codes.POST, "x", str(slot), payload=cbor2.dumps({0: 3, 4: request}))

    async def message(self, slot: int, data: bytes) -> None:
        """POST /x/N/message. Refused: NOENT when the guest takes none, NOROOM when it is too long for it,
        BUSY while it is at the one before."""
        await self._request(codes.POST, "x", str(slot), "message", payload=data, cbor=False)

    async def delete(self, slot: int) -> None:
        """DELETE /x/N: frees the slot."""
        await self._request(codes.DELETE, "x", str(slot))

    async def executor(self, slot: int) -> ExecutorState:
        """GET /x/N."""
        return facts.parse_executor(await self._get("x", str(slot)))

    async def log(self, slot: int, offset: int) -> LogPiece:
        """GET /x/N/log: what the device still has from `offset` on, or a first part of it."""
        return facts.parse_log(await self._get("x", str(slot), "log", query=f"o={offset}"))

    async def result(self, slot: int) -> bytes:
        """GET /x/N/result: what the guest published."""
        return await self._get("x", str(slot), "result")

    async def rules(self, slot: int) -> tuple[Rule, ...]:
        """GET /x/N/rules: what the executor waits for, and the pins that are pulsed for it."""
        return facts.parse_rules(await self._get("x", str(slot), "rules"))

    async def counters(self) -> Counters:
        """GET /k: the kernel's counters."""
        return facts.parse_counters(await self._get("k"))

    async def reset(self) -> None:
        """POST /reset: the board restarts."""
        await self._request(codes.POST, "reset")

    # -- one request --------------------------------------------------------------------------------

    def _use_block(self, block: int) -> None:
        self._block = block
        waiting = blocks_in_flight(block, self._baud)
        self._tuning = LinkTuning(self._baud, block, waiting)
        self._unconfirmed = LinkTuning(self._baud, block, waiting, reliability=False)
        self._transport.remote.maximum_block_size_exp = block.bit_length() - 5

    def _use_key(self, device: DeviceFacts) -> None:
        """Prove requests to this boot of the device. KeyFileError where nobody here has its key."""
        if device.key_id is None:
            self._prover = None
            return
        prover = self._prover
        if prover is None or prover.key.id != device.key_id:
            key = find_key(device.key_id, self._keys)
            if key is None:
                raise KeyFileError(
                    f"{self.name} has a key that is not here (its id is {device.key_id.hex()}).",
                    remedy="Put its file into the folder of keys: docs/security.md.",
                )
            self._prover = Prover(key, device.boot, device.proof_counter)
        elif prover.boot != device.boot:
            self._prover = Prover(prover.key, device.boot, device.proof_counter)
        else:
            prover.catch_up(device.proof_counter)

    async def _get(self, *path: str, query: str | None = None) -> bytes:
        payload = (await self._request(codes.GET, *path, query=query)).payload
        return bytes(payload)

    async def _request(
        self,
        method: Code,
        *path: str,
        query: str | None = None,
        payload: bytes = b"",
        cbor: bool = True,
    ) -> Message:
        try:
            return await self._finish(self._start(method, *path, query=query, payload=payload, cbor=cbor))
        except Refused as refusal:
            if refusal.code != codes.UNAUTHORIZED.dotted or self._prover is None:
                raise
            boot = self._prover.boot
            restarted = (await self.device()).boot != boot
            if restarted and len(path) > 1:  # what was meant is gone; another may be in its place
                raise
        return await self._finish(self._start(method, *path, query=query, payload=payload, cbor=cbor))

    def _start(
        self,
        method: Code,
        *path: str,
        query: str | None = None,
        payload: bytes = b"",
        block1: BlockOption.BlockwiseTuple | None = None,
        observe: int | None = None,
        cbor: bool = True,
        tuning: LinkTuning | None = None,
    ) -> Request:
        if self._context is None:
            raise LinkError(f"The link to {self.name} is closed.")
        tuning = tuning or self._tuning
        message = Message(code=method, payload=payload, transport_tuning=tuning, uri_path=path)
        message.remote = self._transport.remote
        if query is not None:
            message.opt.uri_query = (query,)
        if payload and cbor:
            message.opt.content_format = CBOR
        if observe is not None:
            message.opt.observe = observe
        if block1 is not None:
            message.opt.block1 = block1
        elif self._prover is not None and method is not codes.GET:
            message.opt.add_option(self._prover.option(method, path, payload))
        return self._context.request(message, handle_blockwise=block1 is None)

    async def _finish(self, request: Request) -> Message:
        try:
            return successful(await request.response)
        except error.NetworkError as problem:
            raise no_answer(self.name) from problem
        except error.LibraryShutdown as problem:
            raise LinkError(f"The link to {self.name} was closed.") from problem
        except error.Error as problem:
            raise DeviceError(f"{self.name} broke the rules of CoAP: {problem}.") from problem
