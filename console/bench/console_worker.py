"""The console over N agents that are only told of, for the console benchmark:

    python -m console.bench.console_worker N FD

It runs on the terminal that it has. FD is a socket: each line on it is an order, answered by one JSON object.
`flood RATE` posts so many lines a second from then on; `burst LINES` posts lines at once and is answered when
all of them are drawn; `cpu` gives the processor time so far; `keys` the seconds that each key took since it
was asked last. The first answer comes unasked: the time when everything was imported.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from textual.drivers.linux_driver import LinuxDriver
from textual.events import Event, Key

from console.app import ConsoleApp
from console.bench.light import ATTRIBUTES, RESOURCES
from console.cluster.mesos import Offer, Resources, Status, Task, TaskSpec, TaskState
from console.live.seam import Post
from console.screens import fleet as _fleet
from console.screens import logs as _logs
from console.state.events import Connected, FromTarget, OfferChanged, TargetUp, TaskChanged, UsageRead
from hal.target import Description, Output, Usage

_VIEWS = (_fleet, _logs)  # imported like all else before the clock starts
_MEM = 131_072
_USED = Usage(0.0, 0, 4096, 2048, 512, 8192, 1024)


class Backend:
    """Tells of N agents with a task each, and of what they use once a second, as a session does."""

    def __init__(self, number: int, post: Post) -> None:
        self._names = [f"light-{place}" for place in range(number)]
        self.post = post

    def begin(self) -> None:
        """Everything comes up."""
        now, post = time.time(), self.post
        post(Connected("bench-0000", "http://127.0.0.1:5050"))
        resources = Resources({"cpus": 1.0, "mem": 0.125}, {"gpio": ((0, 15),)}, {})
        for place, name in enumerate(self._names):
            attributes = {**ATTRIBUTES, "target": name}
            post(TargetUp(name, Description(name, RESOURCES, attributes, _MEM)))
            post(
                OfferChanged(Offer(f"B-O{place}", f"B-S{place}", "gateway", "*", resources, attributes, now))
            )
            spec = TaskSpec("spin", b"", name, Resources({"cpus": 0.1, "mem": 0.016}))
            status = Status(TaskState.RUNNING, now)
            post(TaskChanged(Task(f"spin-{place:08x}", spec, (status,), f"B-S{place}", "gateway")))

    async def use(self) -> None:
        """Readings, once a second."""
        spent = 0.0
        while True:
            spent += 0.1
            for place, name in enumerate(self._names):
                used = Usage(spent, int(spent * 1000), 4096, 2048, 512, 8192, 1024)
                self.post(UsageRead(name, {f"bench-0000/spin-{place:08x}": used}))
                if place % 50 == 49:
                    await asyncio.sleep(0.005)  # as links answer one after the other
            await asyncio.sleep(1.0)

    def say(self, first: int, lines: int) -> None:
        """Lines of executors."""
        for number in range(first, first + lines):
            place = number % len(self._names)
            text = f"reading {number}: {29_400 + number % 997} mdeg, pin low\n".encode()
            self.post(FromTarget(self._names[place], Output(f"bench-0000/spin-{place:08x}", text)))

    async def flood(self, rate: int) -> None:
        """So many a second, a twentieth of them at a time."""
        said = 0
        while True:
            self.say(said, rate // 20)
            said += rate // 20
            await asyncio.sleep(0.05)


class TimedDriver(LinuxDriver):
    """Knows when a frame with the cursor's mark was written."""

    def write(self, data: str) -> None:
        """Write, and tell."""
        super().write(data)
        if "▌" in data and isinstance(self._app, BenchApp):
            self._app.painted()


class BenchApp(ConsoleApp):
    """Takes orders."""

    def __init__(self, number: int, orders: socket.socket) -> None:
        self._orders = orders
        self._made: Backend | None = None
        self._works: list[asyncio.Task[Any]] = []
        self._pressed: float | None = None
        self._taken: list[float] = []

        @asynccontextmanager
        async def opened(post: Post) -> AsyncIterator[Any]:
            self._made = Backend(number, post)
            self._made.begin()
            self._works += [asyncio.create_task(self._made.use()), asyncio.create_task(self._obey())]
            try:
                yield self._made
            finally:
                for work in self._works:
                    work.cancel()

        super().__init__(opened, targets=[f"light-{place}" for place in range(number)])
        self.driver_class = TimedDriver

    def on_event(self, event: Event) -> Coroutine[Any, Any, None]:
        """A key was read: its time is that of the thread that reads."""
        if isinstance(event, Key):
            self._pressed = event.time
        return super().on_event(event)

    def painted(self) -> None:
        """What it led to was written."""
        if self._pressed is not None:
            self._taken.append(time.monotonic() - self._pressed)
            self._pressed = None

    async def _obey(self) -> None:
        reader, writer = await asyncio.open_connection(sock=self._orders)
        while line := (await reader.readline()).decode().split():
            assert self._made is not None
            answer: dict[str, Any] = {}
            if line[0] == "flood":
                self._works.append(asyncio.create_task(self._made.flood(int(line[1]))))
            elif line[0] == "burst":
                answer["seconds"] = await self._burst(int(line[1]))
            elif line[0] == "keys":
                answer["keys"], self._taken = self._taken, []
            elif line[0] == "cpu":
                answer["cpu"] = time.process_time()
            writer.write(json.dumps(answer).encode() + b"\n")

    async def _burst(self, lines: int) -> float:
        assert self._made is not None
        begun = time.perf_counter()
        for first in range(0, lines, 500):
            self._made.say(first, min(500, lines - first))
            await asyncio.sleep(0)
        while self._feed.waiting:  # noqa: ASYNC110 - drawing has no event that ends it
            await asyncio.sleep(0.002)
        drawn = asyncio.Event()
        self.call_after_refresh(drawn.set)
        await drawn.wait()
        return time.perf_counter() - begun


def main(number: int, descriptor: int) -> None:
    """Until q."""
    orders = socket.socket(fileno=descriptor)
    orders.sendall(json.dumps({"imported": time.monotonic()}).encode() + b"\n")
    orders.setblocking(False)
    BenchApp(number, orders).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
