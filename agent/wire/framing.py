"""A libprocess message as an HTTP/1.1 request (3rdparty/libprocess/src/encoder.hpp and decoder.hpp).

    POST /<receiver's id>/<full protobuf name> HTTP/1.1
    Libprocess-From: <sender's UPID>
    User-Agent: libprocess/<sender's UPID>

with the serialized message as the body. The replies (202, 404) mean nothing to the sender.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from agent.errors import ConfigError
from agent.wire.upid import Upid

FROM = "Libprocess-From"
AGENT = "libprocess/"
"""What the User-Agent of a message begins with, when it has no Libprocess-From."""

_ID_SAFE = "()!$&'*+,;=:@~-._"
"""Path characters that libprocess sends as they are; the rest is percent-encoded."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: from a process to the process named `to` behind the port it arrived at."""

    sender: Upid
    to: str
    name: str
    """The full protobuf name, such as mesos.internal.PingSlaveMessage."""
    body: bytes


def encode(message: Message, host: Upid) -> bytes:
    """The request that carries `message` to the process `host`.

    A body goes with Content-Length, which libprocess takes as well as its own chunked form.
    """
    lines = [
        f"POST /{quote(message.to, safe=_ID_SAFE)}/{message.name} HTTP/1.1",
        f"Host: {host.ip}:{host.port}",
        f"User-Agent: {AGENT}{message.sender}",
        f"{FROM}: {message.sender}",
        "Connection: Keep-Alive",
    ]
    if message.body:
        lines.append(f"Content-Length: {len(message.body)}")
    return "\r\n".join((*lines, "", "")).encode("latin-1") + message.body


def sender_of(headers: Mapping[str, str]) -> Upid | None:
    """Who sent this message; None when it is plain HTTP (or names no sender that could be answered)."""
    text = headers.get(FROM, "")
    if not text:
        agent = headers.get("User-Agent", "")
        if not agent.startswith(AGENT):
            return None
        text = agent.removeprefix(AGENT)
    try:
        return Upid.parse(text.strip())
    except ConfigError:
        return None


def split_path(path: str) -> tuple[str, str]:
    """(process id, message name) of a raw path such as /slave(1)/mesos.internal.PingSlaveMessage."""
    process, _, name = path.partition("?")[0].lstrip("/").partition("/")
    return unquote(process), name
