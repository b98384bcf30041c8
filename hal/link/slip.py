"""SLIP (RFC 1055): frames in a stream of bytes."""

from __future__ import annotations

END, ESC, ESC_END, ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD


def encode(frame: bytes) -> bytes:
    """A frame with END before it, which ends whatever noise came earlier, and after it."""
    escaped = frame.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + escaped + b"\xc0"


class Decoder:
    """Finds the frames in bytes that come in pieces of any size.

    A frame longer than `limit` bytes or with a broken escape is dropped and counted in `dropped`; the
    decoder is in step again at the next END. Empty frames are not told.
    """

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self._limit = limit
        self._frame = bytearray()
        self._escaped = False
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes, in order."""
        frames = []
        for byte in data:
            if byte == END:
                if self._skipping or self._escaped:
                    self.dropped += 1
                elif self._frame:
                    frames.append(bytes(self._frame))
                self.reset()
            elif not self._skipping:
                self._take(byte)
        return frames

    def reset(self) -> None:
        """Forget a frame that has begun, as after a new connection."""
        self._frame.clear()
        self._escaped = False
        self._skipping = False

    def _take(self, byte: int) -> None:
        if self._escaped:
            self._escaped = False
            if byte == ESC_END:
                self._frame.append(END)
            elif byte == ESC_ESC:
                self._frame.append(ESC)
            else:
                self._skipping = True
        elif byte == ESC:
            self._escaped = True
        else:
            self._frame.append(byte)
        if len(self._frame) > self._limit:
            self._skipping = True
