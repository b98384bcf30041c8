"""aiocoap over one byte stream with Slipmux framing: CoAP without UDP.

aiocoap's MessageManager does message ids, retransmission, piggy-backed responses and one outstanding
confirmable message a remote (NSTART 1, RFC 7252 section 4.7); its TokenManager and Context the rest.
All that it asks of a transport is a MessageInterface, which is here. The stream may go and come back
under it: what is sent meanwhile is lost, as on any line, and sent again.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from aiocoap import ACK, CON, Context, Message, error, interfaces
from aiocoap.messagemanager import MessageManager
from aiocoap.numbers.constants import TransportTuning
from aiocoap.tokenmanager import TokenManager

from hal.link.familiar import familiar
from hal.link.slipmux import CoapFrame, Decoder, encode_coap

log = logging.getLogger(__name__)

WRITE_LIMIT = 1 << 16
"""Bytes that may wait to be written to a peer that does not read; frames beyond are lost."""
BITS_PER_BYTE = 10
"""8N1: a start bit, eight data bits, a stop bit."""
FRAME_OVERHEAD = 64
"""Bytes of a frame beyond its block, at most: header, token, options, FCS, SLIP's ENDs and escapes."""


HEARD, LAST, LEGIBLE = 256, 3, 3
"""Bytes kept of what a peer sends first; of these so many lines are told, and only those that have so many
letters or digits."""
PATIENCE = 0.3
"""Seconds for the peer to answer, beyond the time on the line."""


class Direction(Enum):
    """Which way a frame went."""

    SENT = "sent"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class Traced:
    """A CoAP message on the wire, as the trace hook gets it: `seconds` is time.monotonic()."""

    direction: Direction
    message: Message
    seconds: float
    again: bool = False
    """A retransmission."""


@dataclass(slots=True)
class Statistics:
    """What went over the link so far."""

    frames_sent: int = 0
    frames_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    retransmissions: int = 0
    malformed: int = 0
    """Frames with a right FCS that held no CoAP message."""
    lost: int = 0
    """Frames not sent because there was no stream, or its peer did not read."""
    connections: int = 0
    round_trip: float = 0.0
    """Seconds from a confirmable message to its acknowledgement, smoothed as RFC 6298 does (1/8 of each that
    was not sent again, by Karn's rule); 0 before the first."""
    _decoder: Decoder = field(default_factory=Decoder, repr=False)

    def took(self, seconds: float) -> None:
        """A round trip took so long."""
        self.round_trip += (seconds - self.round_trip) / 8 if self.round_trip else seconds

    @property
    def fcs_errors(self) -> int:
        """CoAP frames dropped because they came damaged."""
        return self._decoder.fcs_errors

    @property
    def dropped(self) -> int:
        """Frames dropped because they were too long or ended in a broken escape."""
        return self._decoder.dropped


class LinkTuning(TransportTuning):  # type: ignore[misc]
    """Time-outs of docs/link.md for a line of `baud` bit/s, blocks of `block` bytes, and `waiting` blocks
    that may be on their way before a message."""

    MAX_RETRANSMIT = 6
    ACK_RANDOM_FACTOR = 1.1  # two nodes on a line have nobody to fall in step with

    def __init__(self, baud: int, block: int, waiting: int = 0, *, reliability: bool = True) -> None:
        frames = (2 + waiting) * (block + FRAME_OVERHEAD)
        self.baud = baud
        self.reliability = reliability
        self.ACK_TIMEOUT: float = PATIENCE + frames * BITS_PER_BYTE / baud


class LinkRemote(interfaces.EndpointAddress):  # type: ignore[misc]
    """The device at the other end: there is only one."""

    scheme = "coap+uart"
    is_multicast = False
    is_multicast_locally = False
    maximum_block_size_exp = 6
    maximum_payload_size = 1024

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<LinkRemote {self._name}>"

    @property
    def hostinfo(self) -> str:
        return self._name

    @property
    def hostinfo_local(self) -> str:
        return self._name

    @property
    def uri_base(self) -> str:
        return f"{self.scheme}://{self._name}"

    @property
    def uri_base_local(self) -> str:
        return self.uri_base

    @property
    def blockwise_key(self) -> str:
        return self._name


class StreamTransport(interfaces.MessageInterface):  # type: ignore[misc]
    """CoAP messages to and from whatever byte stream is attached at the time."""

    def __init__(
        self,
        name: str,
        *,
        on_text: Callable[[str], None] = lambda text: None,
        on_trace: Callable[[Traced], None] | None = None,
        on_message: Callable[[], None] = lambda: None,
        on_retransmission: Callable[[int], None] = lambda count: None,
    ) -> None:
        """`on_text` gets the diagnostic lines, `on_message` is called for each CoAP message received,
        `on_retransmission` with how often the same message was sent again by now."""
        self.remote = LinkRemote(name)
        self.statistics = Statistics()
        self._on_text = on_text
        self._on_trace = on_trace
        self._on_message = on_message
        self._on_retransmission = on_retransmission
        self._manager: MessageManager | None = None
        self._serves = False
        self._writer: asyncio.StreamWriter | None = None
        self._heard = bytearray()  # the first bytes
        self._last_mid: int | None = None
        self._repeats = 0
        self._asked = (-1, 0.0)
        """Id of the confirmable message that is timed, and when it went; -1: none."""

    # -- the stream ---------------------------------------------------------------------------------

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Exchange messages over a stream until it ends. OSError when it breaks."""
        decoder = self.statistics._decoder
        decoder.reset()
        self.statistics.connections += 1
        self._writer = writer
        try:
            while data := await reader.read(4096):
                self.statistics.bytes_received += len(data)
                if len(self._heard) < HEARD:
                    self._heard += data
                for frame in decoder.feed(data):
                    if isinstance(frame, CoapFrame):
                        self._receive(frame.message)
                    else:
                        self._on_text(frame.text)
        finally:
            self._writer = None

    def said(self) -> str:
        """What came over the line first, of a peer that does not answer: "" for nothing at all."""
        text = re.sub(r"[^ -~]+", "\n", self._heard.decode("ascii", "replace"))
        lines = [line.strip() for line in text.splitlines() if sum(map(str.isalnum, line)) >= LEGIBLE]
        if lines:
            return f"It said: {' / '.join(lines[-LAST:])}"
        if not self._heard or self.statistics.frames_received:
            return ""
        return f"What it sent is neither text nor messages: {self._heard[:16].hex(' ')}"

    def _receive(self, data: bytes) -> None:
        if not familiar(data):
            self.statistics.malformed += 1
            return
        try:
            message = Message.decode(data, self.remote)
        except (error.Error, ValueError, IndexError):
            # aiocoap's decoder raises the latter two for options that make no sense
            self.statistics.malformed += 1
            return
        self.statistics.frames_received += 1
        if message.mtype is ACK and message.mid == self._asked[0]:
            self.statistics.took(time.monotonic() - self._asked[1])
            self._asked = (-1, 0.0)
        self._trace(Direction.RECEIVED, message, again=False)
        self._on_message()
        if self._manager is None or (message.code.is_request() and not self._serves):
            return
        try:
            self._manager.dispatch_message(message)
        except Exception:  # whatever a lying peer provokes in aiocoap must not end the link
            self.statistics.malformed += 1
            log.exception("A message of %s could not be handled", self.remote)

    def _trace(self, direction: Direction, message: Message, *, again: bool) -> None:
        if self._on_trace is not None:
            self._on_trace(Traced(direction, message, time.monotonic(), again))

    # -- aiocoap's MessageInterface -----------------------------------------------------------------

    def send(self, message: Message) -> None:
        """Put a message on the line. Never blocks and never fails: a lost one is sent again."""
        again = message.mtype is CON and message.mid == self._last_mid
        if message.mtype is CON:
            self._last_mid = message.mid
            self._asked = (-1, 0.0) if again else (message.mid, time.monotonic())
            self._repeats = self._repeats + 1 if again else 0
        if again:
            self.statistics.retransmissions += 1
            self._on_retransmission(self._repeats)
        frame = encode_coap(message.encode())
        writer = self._writer
        if (
            writer is None
            or writer.is_closing()
            or writer.transport.get_write_buffer_size() + len(frame) > WRITE_LIMIT
        ):
            self.statistics.lost += 1
            return
        self.statistics.frames_sent += 1
        self.statistics.bytes_sent += len(frame)
        self._trace(Direction.SENT, message, again=again)
        writer.write(frame)

    async def recognize_remote(self, remote: Any) -> bool:
        return remote is self.remote

    async def determine_remote(self, message: Message) -> LinkRemote | None:
        """Every request of this context goes to the device; there is nowhere else."""
        return self.remote

    async def shutdown(self) -> None:
        self._manager = None

    # -- wiring -------------------------------------------------------------------------------------

    def context(self, site: interfaces.Resource | None = None) -> Context:
        """A CoAP endpoint (client, and server for `site`) that has this transport and no other.

        To be made in a running event loop, once; Context.shutdown() ends it.
        """
        context = Context(loop=asyncio.get_running_loop(), serversite=site, loggername=f"{__name__}.coap")
        tokens = TokenManager(context)
        messages = MessageManager(tokens)
        messages.message_interface = self
        tokens.token_interface = messages
        context.request_interfaces.append(tokens)
        self._manager = messages
        self._serves = site is not None
        return context
