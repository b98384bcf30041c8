"""The link to a device: Slipmux framing, CoAP by aiocoap, and a client of docs/link.md."""

from __future__ import annotations

from hal.link.client import Link
from hal.link.conversation import Conversation, Spoken
from hal.link.facts import (
    Counters,
    Crash,
    Create,
    DeviceFacts,
    ExecutorState,
    LogPiece,
    Place,
    Rule,
    Slots,
    SlotState,
    before,
)
from hal.link.keeper import Connect, Streams
from hal.link.refusal import Refused
from hal.link.trace import trace_line
from hal.link.transport import Direction, Statistics, StreamTransport, Traced

__all__ = [
    "Connect",
    "Conversation",
    "Counters",
    "Crash",
    "Create",
    "DeviceFacts",
    "Direction",
    "ExecutorState",
    "Link",
    "LogPiece",
    "Place",
    "Refused",
    "Rule",
    "SlotState",
    "Slots",
    "Spoken",
    "Statistics",
    "StreamTransport",
    "Streams",
    "Traced",
    "before",
    "trace_line",
]
