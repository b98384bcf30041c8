"""What to do when a debug stub is wedged: the mildest remedy first, and every step told.

Remedies, in order: ask it to stop once more; ask for its state, behind a request whose answer is known, so
that late answers cannot be taken for others; reconnect, greet it again, put the breakpoints back, and
either let the target run on or tell GDB that it stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from emulation.gdb.events import Lost, Recovered, Wedged
from emulation.gdb.rsp import is_step, is_stop_reply
from emulation.gdb.stublink import StubLink

if TYPE_CHECKING:
    from emulation.gdb.guard import Guard

_BARRIER = b"vMustReplyEmpty"
"""Every stub must answer this with an empty packet (GDB manual, E.2): what comes before it is older."""
_QUIET = 0.05
_TOO_OFTEN = 2
"""Recoveries for the same request before GDB gets an error for it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait before something counts as wedged."""

    answer: float = 3.0
    """For the answer to a request. Stubs in emulators take milliseconds, probes tens of them."""
    interrupt: float = 2.0
    """For a stop after an interrupt."""
    reconnect: float = 10.0
    """For a stub to take a new connection and answer on it."""
    doubt: float = 1.0
    """Between two looks from elsewhere at whether a running target runs."""
    gdb: float = 30.0
    """For GDB itself to finish a command; longer than the stub's recovery takes, which happens within it."""


class Trouble(Enum):
    """What was noticed; the value says it."""

    NO_ANSWER = "did not answer"
    NO_STOP = "did not stop when asked to"
    UNREPORTED = "stopped the target without a word"
    LOST = "closed the connection"


async def recover(guard: Guard, trouble: Trouble) -> bool:
    """Bring the stub back; False if nothing helped. GDB waits meanwhile and gets its answer afterwards."""
    begin, request = time.monotonic(), guard.request
    what = f"the stub {trouble.value}"
    if trouble is Trouble.NO_ANSWER and request is not None:
        what += f" `{request.body[:40].decode('latin-1')}`"
    waited = asyncio.get_running_loop().time() - request.since if request is not None else 0.0
    guard.emit(Wedged("stub", what, 0.0 if trouble is Trouble.LOST else waited))
    actions: list[str] = []
    if request is not None:
        request.recoveries += 1
    if trouble is not Trouble.LOST and await _in_place(guard, actions):
        guard.emit(Recovered("stub", tuple(actions), time.monotonic() - begin))
        return True
    moved = not guard.running and guard.runs_on_loss
    reason = await _reconnect(guard, actions)
    if reason:
        remedy = "Reset or restart the target, then attach."
        guard.emit(Lost(f"The debug stub at {guard.address} is gone: {reason}. {remedy}"))
        return False
    _settle(guard, trouble, actions)
    guard.emit(Recovered("stub", tuple(actions), time.monotonic() - begin, moved=moved))
    return True


async def _in_place(guard: Guard, actions: list[str]) -> bool:
    """Try on the connection as it is."""
    link, request = guard.link, guard.request
    if link is None or request is None:
        return False
    with link.hearing() as answers:
        if not request.resumes:
            if request.recoveries > _TOO_OFTEN:
                return False
            return await _ask_again(guard, link, answers, actions)
        actions.append("asked it once more to stop")
        link.interrupt()
        heard = await _hear(answers, guard.patience.interrupt / 2, is_stop_reply)
        if not heard or not is_stop_reply(heard[-1]):
            actions.append("asked it for its state")
            link.send(b"?")
            link.send(_BARRIER)
            heard = await _hear(answers, guard.patience.answer, lambda body: not body)
            # QEMU's stub drops its breakpoints at `?`.
            if not any(map(is_stop_reply, heard)) or not await _put_back(guard, link, answers, actions):
                return False
        await _drain(answers)
    stop = next(body for body in reversed(heard) if is_stop_reply(body))
    guard.answer(_as_interrupt(stop) if request.interrupted else stop)
    return True


async def _ask_again(guard: Guard, link: StubLink, answers: asyncio.Queue[bytes], actions: list[str]) -> bool:
    """A request had no answer: find out whether it was lost or late, then repeat it."""
    request = guard.request
    assert request is not None
    actions.append("checked that it still listens")
    link.send(_BARRIER)
    heard = await _hear(answers, guard.patience.answer, lambda body: not body)
    if b"" not in heard:
        return False
    late = [body for body in heard if body and not is_stop_reply(body)]
    if len(late) != 1:
        actions.append("repeated the request")
        link.send(request.body)
        late = await _hear(answers, guard.patience.answer, lambda body: True)
        if not late:
            return False
    await _drain(answers)
    guard.answer(late[0])
    return True


async def _reconnect(guard: Guard, actions: list[str]) -> str:
    """A new connection in the old one's state; "" or why there is none."""
    actions.append("connected anew")
    reason = "it takes no connection"
    pause = 0.02
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(guard.patience.reconnect):
            while True:
                if guard.link is not None:
                    link, guard.link = guard.link, None
                    await link.close()
                try:
                    guard.link = await StubLink.open(guard.address, guard.from_stub, guard.lost)
                    reason = "it takes a connection but does not answer"
                    if await _greet(guard, guard.link, actions):
                        return ""
                except OSError as error:
                    reason = error.strerror or str(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.5)
    return reason


async def _greet(guard: Guard, link: StubLink, actions: list[str]) -> bool:
    greeting, patience = guard.greeting, guard.patience.answer
    with link.hearing() as answers:
        try:
            for body in guard.first:
                await exchange(link, answers, body, patience)
            await exchange(link, answers, greeting.supported or b"qSupported", patience)
            if greeting.no_acks and await exchange(link, answers, b"QStartNoAckMode", patience) == b"OK":
                link.acks = False
            if greeting.description:
                await exchange(link, answers, greeting.description, patience)
            stop = await exchange(link, answers, b"?", patience)
            guard.stop_reply = stop if is_stop_reply(stop) else b"S05"
            if greeting.thread:
                await exchange(link, answers, greeting.thread, patience)
        except TimeoutError:
            return False
        return await _put_back(guard, link, answers, actions)


async def _put_back(guard: Guard, link: StubLink, answers: asyncio.Queue[bytes], actions: list[str]) -> bool:
    """Insert the breakpoints and watchpoints that were in."""
    wanted = list(guard.greeting.breakpoints.values())
    try:
        for body in wanted:
            await exchange(link, answers, body, guard.patience.answer)
    except TimeoutError:
        return False
    if wanted:
        actions.append(f"put {len(wanted)} breakpoint{'s' * (len(wanted) != 1)} back")
    return True


def _settle(guard: Guard, trouble: Trouble, actions: list[str]) -> None:
    """After a reconnection, give GDB what it waits for."""
    request = guard.request
    if request is None:
        return
    if not request.resumes:
        if request.recoveries > _TOO_OFTEN:
            actions.append("gave up that request")
            guard.answer(b"E01")
            return
        actions.append("repeated the request")
        assert guard.link is not None
        guard.link.send(request.body)
        guard.rearm()
    elif request.interrupted:
        guard.answer(_as_interrupt(guard.stop_reply))
    elif trouble is Trouble.UNREPORTED or is_step(request.body):
        guard.answer(guard.stop_reply)
    else:
        actions.append("let the target run on")
        assert guard.link is not None
        guard.link.send(request.body)


async def exchange(link: StubLink, answers: asyncio.Queue[bytes], body: bytes, timeout: float) -> bytes:
    """Ask, and take the answer out of what is heard. TimeoutError."""
    link.send(body)
    async with asyncio.timeout(timeout):
        while True:
            answer = await answers.get()
            if body == b"?" or not is_stop_reply(answer):  # chatter is not the answer
                return answer


async def _hear(answers: asyncio.Queue[bytes], timeout: float, last: Callable[[bytes], bool]) -> list[bytes]:
    """The packets of `timeout` seconds, ended early by one that is the `last`."""
    heard: list[bytes] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            while not heard or not last(heard[-1]):
                heard.append(await answers.get())
    return heard


async def _drain(answers: asyncio.Queue[bytes]) -> None:
    """Drop what still comes: the second of two stop replies, say."""
    await _hear(answers, _QUIET, lambda body: False)


def _as_interrupt(stop: bytes) -> bytes:
    """The stop reply with the signal that an interrupt causes, SIGINT: 2 in GDB's numbers."""
    return stop[:1] + b"02" + stop[3:] if stop[:1] in b"ST" else stop
