"""A session: a master (own or given), the gateway with its targets, and our framework, as one context.

`open_session` undoes a partial open; leaving it stops everything that it started. The command line and
the console use the same sessions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from console.broadcast import Broadcast
from console.fleet import Member, TargetName
from console.framework import Framework
from hal.target import Event as TargetEvent

log = logging.getLogger(__name__)

MASTER = "master"
"""The subject of a step that concerns the master."""


@dataclass(frozen=True, slots=True)
class Step:
    """`subject` (a target's name, or "master") does or did something; `failed` when it went wrong."""

    subject: str
    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a target."""

    target: str
    event: TargetEvent


SessionEvent = Step | Happened
