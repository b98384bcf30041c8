"""Whether a message has only options and formats that are known by number (RFC 7252, sections 3.1 and 5.4).

aiocoap makes an enum member of every number that it has never seen, and keeps it for good: a device that
sends one after the other would fill the gateway's memory. Nothing that the link speaks needs others.
"""

from __future__ import annotations

from aiocoap.numbers import ContentFormat, OptionNumber

from hal.link.proof import OPTION

_OPTIONS = frozenset({*map(int, OptionNumber), int(OPTION)})
_FORMATS = frozenset({*map(int, ContentFormat), 42, 60})
"""Those of aiocoap, octet-stream, CBOR."""
_WITH_FORMAT = frozenset({12, 17})
"""Content-Format, Accept."""
_MARKER = 0xFF


def familiar(message: bytes) -> bool:
    """False also for a message whose options end nowhere; the rest is aiocoap's to judge."""
    if len(message) < 4:
        return True
    at, number = 4 + (message[0] & 15), 0
    while at < len(message) and message[at] != _MARKER:
        head = message[at]
        at += 1
        numbers = []
        for nibble in (head >> 4, head & 15):
            if nibble == 15:
                return False
            size = max(0, nibble - 12)  # of its extension: 13 means one byte, 14 two
            if at + size > len(message):
                return False
            extension = int.from_bytes(message[at : at + size], "big")
            numbers.append(nibble if nibble < 13 else extension + (13 if nibble == 13 else 269))
            at += size
        delta, length = numbers
        number += delta
        value = message[at : at + length]
        at += length
        if number not in _OPTIONS:
            return False
        if number in _WITH_FORMAT and int.from_bytes(value, "big") not in _FORMATS:
            return False
    return True
