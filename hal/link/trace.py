"""A CoAP message of the link as one line for a person (RFC 7252, RFC 7959; CBOR payloads as Python)."""

from __future__ import annotations

from typing import Any

import cbor2

from hal.link.transport import Direction, Traced

_CBOR = 60
_LONGEST = 160


def trace_line(traced: Traced) -> str:
    """`> CON 1a2b PUT /x/0 block 3 more, 512 bytes`; `>` is to the device. `again`: a retransmission."""
    message = traced.message
    words = [
        ">" if traced.direction is Direction.SENT else "<",
        getattr(message.mtype, "name", "???"),
        f"{message.mid or 0:04x}",
        str(message.code),
    ]
    if message.code.is_request():
        query = "&".join(message.opt.uri_query)
        words.append("/" + "/".join(message.opt.uri_path) + (f"?{query}" if query else ""))
    if message.opt.observe is not None:
        words.append(f"observe {message.opt.observe}")
    for block in (message.opt.block1, message.opt.block2):
        if block is not None:
            words.append(f"block {block.block_number}{' more' if block.more else ''}")
    if message.payload:
        words.append(_payload(message))
    if traced.again:
        words.append("(again)")
    return " ".join(words)


def _payload(message: Any) -> str:
    if message.opt.content_format == _CBOR:
        try:
            text = repr(cbor2.loads(message.payload))
        except Exception:  # damaged, or a block of something longer
            text = f"{len(message.payload)} bytes"
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
    return f"{len(message.payload)} bytes"
