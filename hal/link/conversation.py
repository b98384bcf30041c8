"""Which answer belongs to which request: what makes a trace readable (RFC 7252, section 5.3.2).

An answer on the wire has a token and no path. Here it gets the path that was asked for, the slot that it is
about, and how long it took.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hal.link.trace import trace_line
from hal.link.transport import Direction, Traced

_KEPT = 64
"""Requests that may be open at a time; observations are among them."""
_SLOT = re.compile(r"/x/(\d+)(?:/|$)")


@dataclass(frozen=True, slots=True)
class Spoken:
    """One message as a line. `slot` is that of the executor that it is about, None where it is about all."""

    text: str
    slot: int | None = None


@dataclass(slots=True)
class _Asked:
    path: str
    seconds: float
    answered: bool = False


class Conversation:
    """The messages of one link, in order."""

    def __init__(self) -> None:
        self._open: dict[bytes, _Asked] = {}

    def heard(self, traced: Traced) -> Spoken:
        """One more message."""
        message = traced.message
        if message.code.is_request():
            path = "/" + "/".join(message.opt.uri_path)
            if traced.direction is Direction.SENT and not traced.again:
                while len(self._open) >= _KEPT:
                    del self._open[next(iter(self._open))]
                self._open[message.token] = _Asked(path, traced.seconds)
            return Spoken(trace_line(traced), _slot(path))
        asked = self._open.get(message.token) if message.token else None
        if asked is None:
            return Spoken(trace_line(traced))
        took = "" if asked.answered else f", {(traced.seconds - asked.seconds) * 1000:.1f} ms"
        observed = message.opt.observe is not None
        if observed:
            asked.answered = True
        else:
            del self._open[message.token]
        code = str(message.code)
        text = trace_line(traced).replace(code, f"{code} [{asked.path}{took}]", 1)
        return Spoken(text, _slot(asked.path))


def _slot(path: str) -> int | None:
    found = _SLOT.match(path)
    return int(found[1]) if found else None
