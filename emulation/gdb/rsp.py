"""Packets of GDB's Remote Serial Protocol (GDB manual, appendix E), cut out of a byte stream.

Bodies stay as they came, with escapes and run lengths: a relay has no reason to undo them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

MAX_BODY = 1 << 20
"""Bytes that one packet may have. Stubs announce far less (QEMU 4096, Renode 4132)."""

_STOP_REPLY = re.compile(
    rb"S[0-9a-fA-F]{2}|T[0-9a-fA-F]{2}(?:[^:;]+:[^;]*;)*(?:[^:;]+:[^;]*)?|[WX][0-9a-fA-F]{2}.*|N"
)
_RESUMES = re.compile(rb"[cs][0-9a-fA-F]*$|[CS][0-9a-fA-F]{2}|vCont;|b[cs]$")


class Kind(Enum):
    """What a piece of the stream is."""

    PACKET = b"$"
    NOTIFICATION = b"%"
    ACK = b"+"
    REFUSAL = b"-"
    INTERRUPT = b"\x03"
    DAMAGED = b"!"
    """A packet whose checksum is wrong, or that never ends."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One packet or one of the single-byte words."""

    kind: Kind
    body: bytes = b""


def frame(body: bytes, kind: Kind = Kind.PACKET) -> bytes:
    """A packet for the wire: `$body#checksum`, the checksum being the sum of the bytes modulo 256."""
    return b"%s%s#%02x" % (kind.value, body, sum(body) & 0xFF)


def is_stop_reply(body: bytes) -> bool:
    """The target stopped (S, T), exited (W, X) or has no thread left (N)."""
    return _STOP_REPLY.fullmatch(body) is not None


def is_resume(body: bytes) -> bool:
    """The target runs after this request, and the answer comes when it stops."""
    return _RESUMES.match(body) is not None


def is_step(body: bytes) -> bool:
    """A resume that goes one instruction, or backwards: it must not be repeated unasked."""
    return body[:1] in b"sSb" or body.startswith((b"vCont;s", b"vCont;S", b"vCont;r"))


class Splitter:
    """Cuts a stream into pieces; keeps at most one unfinished packet."""

    def __init__(self) -> None:
        self._left = bytearray()

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces that `data` completes. Bytes that belong to no packet are skipped."""
        self._left += data
        pieces: list[Piece] = []
        at = 0
        while at < len(self._left):
            first = bytes(self._left[at : at + 1])
            if first in (b"$", b"%"):
                end = self._left.find(b"#", at)
                if end < 0 or end + 3 > len(self._left):
                    break
                pieces.append(_packet(bytes(self._left[at : end + 3])))
                at = end + 3
                continue
            if first in (b"+", b"-", b"\x03"):
                pieces.append(Piece(Kind(first)))
            at += 1
        del self._left[:at]
        if len(self._left) > MAX_BODY:
            self._left.clear()
            pieces.append(Piece(Kind.DAMAGED))
        return pieces


def _packet(raw: bytes) -> Piece:
    body = raw[1:-3]
    if b"$" in body:  # the start of a packet was lost or cut: the last `$` begins the next one
        body = body[body.rindex(b"$") + 1 :]
    try:
        good = int(raw[-2:], 16) == sum(body) & 0xFF
    except ValueError:
        good = False
    return Piece(Kind(raw[:1]), body) if good else Piece(Kind.DAMAGED, body)
