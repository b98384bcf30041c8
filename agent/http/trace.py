"""/trace: the messages between gateway and device, decoded. Ours alone; a native agent has no such link."""

from __future__ import annotations

from aiohttp import web

from agent.http.answers import refuse
from agent.http.ask import Ask
from hal.target import Traces


async def trace_endpoint(ask: Ask) -> web.StreamResponse:
    """/trace?after=N: `next`, to ask with the next time, and `lines` of `time`, `key` and `text`. They are
    kept from the first request on, for as long as somebody asks."""
    target = ask.agent.target
    if not isinstance(target, Traces):
        return refuse(404, f"{ask.agent.target_name} has no link whose messages could be told.\n")
    text = ask.request.query.get("after", "0")
    if not text.isdecimal() or len(text) > 18:
        return refuse(400, f"Failed to convert '{text[:40]}' to number.\n")
    found = target.trace(int(text))
    lines = [{"time": one.time, "key": one.key, "text": one.text} for one in found.lines]
    return ask.json({"next": found.next, "lines": lines})
