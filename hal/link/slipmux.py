"""Slipmux (draft-bormann-t2trg-slipmux-03): CoAP messages and text lines on one UART.

docs/link.md, "Framing", says which frames there are. Here they become bytes and back.
"""

from __future__ import annotations

from dataclasses import dataclass

from hal.link import slip
from hal.link.fcs import append_fcs, check_fcs

DIAGNOSTIC, COAP = 0x0A, 0xA9
FRAME_LIMIT = 2048
"""Bytes of the longest frame taken in: a CoAP message with a block of 1024 bytes and room to spare."""
LINE_LIMIT = 1024
"""Bytes of the longest line of text taken in; a longer one comes as several."""


@dataclass(frozen=True, slots=True)
class CoapFrame:
    """A CoAP message whose FCS was right."""

    message: bytes


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of diagnostic text, without its newline and control characters."""

    text: str


Frame = CoapFrame | TextLine


def encode_coap(message: bytes) -> bytes:
    """The bytes of a CoAP message on the line."""
    return slip.encode(append_fcs(bytes([COAP]) + message))


def encode_text(text: str) -> bytes:
    """The bytes of diagnostic text on the line."""
    return slip.encode(bytes([DIAGNOSTIC]) + text.encode())


class Decoder:
    """Bytes from the line to frames; counts what it had to drop."""

    def __init__(self) -> None:
        self.fcs_errors = 0
        self._slip = slip.Decoder(FRAME_LIMIT)
        self._line = bytearray()

    @property
    def dropped(self) -> int:
        """Frames dropped because they were too long or ended in a broken escape."""
        return self._slip.dropped

    def reset(self) -> None:
        """Forget what has begun, as after a new connection."""
        self._slip.reset()
        self._line.clear()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames and lines that `data` completes, in order."""
        out: list[Frame] = []
        for frame in self._slip.feed(data):
            if frame[0] == COAP:
                if check_fcs(frame):
                    out.append(CoapFrame(frame[1:-2]))
                else:
                    self.fcs_errors += 1
            elif frame[0] == DIAGNOSTIC:
                self._line += frame[1:]
                out += self._lines()
        return out

    def _lines(self) -> list[Frame]:
        """The lines that are complete by now; a frame may hold one or part of one."""
        *lines, rest = bytes(self._line).split(b"\n")
        while len(rest) > LINE_LIMIT:
            lines.append(rest[:LINE_LIMIT])
            rest = rest[LINE_LIMIT:]
        self._line = bytearray(rest)
        return [TextLine(_printable(line)) for line in lines]


def _printable(line: bytes) -> str:
    """Text fit for a terminal: damaged UTF-8 replaced, control characters removed."""
    text = line.decode(errors="replace")
    return "".join(letter for letter in text if letter.isprintable() or letter == "\t")
