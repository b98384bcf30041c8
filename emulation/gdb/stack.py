"""The call stack, its variables, and threads. All need a stopped target."""

from __future__ import annotations

from dataclasses import replace

from emulation.gdb import parse
from emulation.gdb.core import Core
from emulation.gdb.errors import GdbError
from emulation.gdb.facts import Frame, Thread, Variable


class Stack:
    """Frame 0 is the innermost. A thread of "" is the one that stopped."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def frames(self, limit: int = 64, *, thread: str = "") -> tuple[Frame, ...]:
        """The innermost `limit` frames with their arguments."""
        self._core.require_stopped()
        chosen = self._thread(thread)
        reply = await self._core.command("-stack-list-frames", *chosen, "0", str(limit - 1))
        frames = [frame for item in reply.fields.items("stack") if (frame := parse.frame(item))]
        try:
            reply = await self._core.command(
                "-stack-list-arguments", *chosen, "--simple-values", "0", str(limit - 1)
            )
        except GdbError:  # a frame without debug information may have none
            return tuple(frames)
        arguments = {
            item.integer("level"): tuple(map(parse.argument, item.items("args")))
            for item in reply.fields.items("stack-args")
        }
        return tuple(replace(frame, arguments=arguments.get(frame.level, ())) for frame in frames)

    async def depth(self, limit: int = 256) -> int:
        """How many frames there are, counted up to `limit`."""
        self._core.require_stopped()
        reply = await self._core.command("-stack-info-depth", str(limit))
        return reply.fields.integer("depth")

    async def variables(
        self, frame: int = 0, *, thread: str = "", nested: bool = False
    ) -> tuple[Variable, ...]:
        """Arguments and locals of a frame; values of structures only with `nested`."""
        self._core.require_stopped()
        reply = await self._core.command(
            "-stack-list-variables",
            *self._place(frame, thread),
            "--all-values" if nested else "--simple-values",
        )
        return tuple(map(parse.variable, reply.fields.items("variables")))

    async def select(self, frame: int) -> None:
        """The frame that console commands and plain expressions mean."""
        self._core.require_stopped()
        await self._core.command("-stack-select-frame", str(frame))

    async def threads(self) -> tuple[Thread, ...]:
        """All threads; an emulated core is one."""
        reply = await self._core.command("-thread-info")
        current = reply.fields.text("current-thread-id")
        return tuple(parse.thread(item, current) for item in reply.fields.items("threads"))

    def _place(self, frame: int, thread: str) -> list[str]:
        return ["--thread", thread or self._stopped_thread(), "--frame", str(frame)]

    def _thread(self, thread: str) -> list[str]:
        return ["--thread", thread] if thread else []

    def _stopped_thread(self) -> str:
        return (self._core.last.thread if self._core.last is not None else "") or "1"
