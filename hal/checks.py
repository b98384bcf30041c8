"""How an export of a running guest is called by the gateway, and how the answer comes: for all targets.

What is asked is a number below zero that a guest's rule about being stopped gets in place of milliseconds
(firmware/sdk/executor/checks.h). The answer is a line of the guest's log.
"""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = b"\x03"
"""How the line begins; messages to the framework begin with 2."""
LENGTH = 10
"""Bytes of such a line, without its end."""
_FIRST, _TAGS = ord("A"), 26


@dataclass(frozen=True, slots=True)
class Answer:
    """What an export returned."""

    tag: int
    """Of the request that it answers."""
    status: int


def asked(which: int, tag: int) -> int:
    """The request for a guest's export number `which`, as an i32 without its sign."""
    return 1 << 31 | (which & 0xFF) << 8 | _byte(tag)


def line(which_and_tag: int, status: int) -> bytes:
    """The answer to a request, without the end of its line."""
    return PREFIX + bytes([which_and_tag & 0xFF]) + b"%08x" % (status & 0xFFFF_FFFF)


def which(request: int) -> int:
    """The number of the export that a request is about."""
    return request >> 8 & 0xFF


def read(text: bytes) -> Answer | None:
    """The answer in a line of a log; None for every other line."""
    if len(text) != LENGTH or not text.startswith(PREFIX):
        return None
    try:
        status = int(text[2:], 16)
    except ValueError:
        return None
    return Answer(text[1] - _FIRST, status - (status >> 31 << 32))


class Sieve:
    """Takes answers out of a guest's log, which comes in pieces, so that people need not read them."""

    def __init__(self) -> None:
        self._held = b""
        """The beginning of a line that may become an answer."""
        self._fresh = True
        """The next byte begins a line."""

    def of(self, data: bytes) -> bytes:
        """What is to be shown by now."""
        text, self._held = self._held + data, b""
        *lines, rest = text.split(b"\n")
        shown = [
            b"" if read(one) and (fresh or self._fresh) else one + b"\n" for fresh, one in enumerate(lines)
        ]
        fresh = bool(lines) or self._fresh
        if fresh and rest.startswith(PREFIX) and len(rest) <= LENGTH:
            self._held, rest = rest, b""
        self._fresh = fresh and not rest
        return b"".join(shown) + rest

    @property
    def held(self) -> int:
        """Bytes that are neither shown nor gone."""
        return len(self._held)


def next_tag(tag: int) -> int:
    """Of the request after that: one that was not answered in time is not taken for the next one's answer."""
    return (tag + 1) % _TAGS


def _byte(tag: int) -> int:
    return _FIRST + tag % _TAGS
