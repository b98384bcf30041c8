"""A clock that drifts: the board is held back now and then, so that its own clock loses time against ours."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Protocol

from emulation.machine import State

_PERIOD = 0.05
"""Host seconds between two looks."""
_LEAST = 0.005
"""A hold is never shorter, in host seconds: stopping and going on takes time itself."""


class _Holdable(Protocol):
    @property
    def state(self) -> State: ...

    async def pause(self) -> None: ...

    def resume(self) -> Coroutine[None, None, None]: ...


async def hold_back(machine: _Holdable, share: float) -> None:
    """Let it lose `share` of its time, until cancelled. While somebody else holds it nothing is counted."""
    clock = asyncio.get_running_loop().time
    begin, held = clock(), 0.0
    while True:
        await asyncio.sleep(_PERIOD)
        if machine.state is not State.RUNNING:
            begin, held = clock(), 0.0
            continue
        debt = (share * (clock() - begin) - held) / (1 - share)  # the hold itself takes time, too
        if debt < _LEAST:
            continue
        stopped = clock()
        try:  # around the pause, too: cancelled while it waits, the board must not stay held
            await machine.pause()
            await asyncio.sleep(max(0.0, debt - (clock() - stopped)))
        finally:
            await _whole(machine.resume())
        held += clock() - stopped


async def _whole(work: Coroutine[None, None, None]) -> None:
    """To its end even if we are cancelled meanwhile: a board that was half let go would stay held."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
