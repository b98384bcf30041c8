"""RecordIO as Mesos streams it: the record's length in decimal, a newline, then that many bytes.

Source: Mesos documentation, recordio.md. This is about bytes only; what a record holds is the caller's.
"""

from __future__ import annotations

_LONGEST_HEADER = 20
"""Digits of 2**64 - 1."""


class RecordError(ValueError):
    """The stream is not RecordIO."""


class Decoder:
    """Cuts a stream of arbitrary chunks into records."""

    def __init__(self, limit: int = 64 << 20) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._length: int | None = None

    def feed(self, chunk: bytes) -> list[bytes]:
        """The records that are complete with this chunk. RecordError for what cannot be RecordIO."""
        self._buffer += chunk
        records: list[bytes] = []
        while True:
            if self._length is None and not self._read_header():
                return records
            assert self._length is not None
            if len(self._buffer) < self._length:
                return records
            records.append(bytes(self._buffer[: self._length]))
            del self._buffer[: self._length]
            self._length = None

    def _read_header(self) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_HEADER:
                raise RecordError("a record's length has no end")
            return False
        header = bytes(self._buffer[:end])
        if not header.isdigit() or len(header) > _LONGEST_HEADER:
            raise RecordError(f"a record's length is {header[:24]!r}")
        if int(header) > self._limit:
            raise RecordError(f"a record of {int(header):,} bytes is longer than {self._limit:,}")
        self._length = int(header)
        del self._buffer[: end + 1]
        return True


def encode(record: bytes) -> bytes:
    """One record."""
    return b"%d\n" % len(record) + record
