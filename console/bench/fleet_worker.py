"""One gateway with N light targets in a process of its own, for the fleet benchmark:

    python -m console.bench.fleet_worker HOST:PORT N

Each line on its standard input asks how it stands and is answered by one JSON object; it ends with its input.
WEIGH as the line has it collect its garbage before, which takes half a second where there are 10,000 agents.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.config import AgentConfig
from agent.events import Disconnected, Registered
from agent.gateway import Gateway
from console.bench.light import LightTarget
from console.bench.processes import own_bytes

WEIGH = b"weigh\n"


class Counts:
    """What the agents told so far."""

    def __init__(self) -> None:
        self.registrations = 0
        self.disconnections = 0
        self.living: set[str] = set()
        self.since = 0.0
        """When all were registered last, by the monotonic clock of the machine."""

    async def watch(self, gateway: Gateway, number: int) -> None:
        async for event in gateway.events():
            if isinstance(event, Registered):
                self.registrations += 1
                self.living.add(event.target)
                if len(self.living) == number:
                    self.since = time.monotonic()
            elif isinstance(event, Disconnected):
                self.disconnections += 1
                self.living.discard(event.target)


@asynccontextmanager
async def _scratch() -> AsyncIterator[Path]:
    """For durable records and sandboxes, as a gateway has them in earnest."""
    with TemporaryDirectory(prefix="mma-fleet-") as folder:
        yield Path(folder)


async def main(master: str, number: int) -> None:
    """Register and answer."""
    counts = Counts()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    gc.collect()
    before, begun = own_bytes(os.getpid()), time.monotonic()
    async with (
        _scratch() as folder,
        Gateway(master, (), AgentConfig(work_dir=folder)) as gateway,
    ):
        watch = asyncio.create_task(counts.watch(gateway, number))
        await asyncio.sleep(0)
        for index in range(number):
            await gateway.add(LightTarget(f"light-{index}"))
            if index % 50 == 0:
                await asyncio.sleep(0)
        while line := await reader.readline():
            if line == WEIGH:
                gc.collect()
            used = resource.getrusage(resource.RUSAGE_SELF)
            answer = {
                "registered": len(counts.living),
                "registrations": counts.registrations,
                "disconnections": counts.disconnections,
                "seconds": counts.since - begun,
                "since": counts.since,
                "bytes": own_bytes(os.getpid()) - before,
                "cpu": used.ru_utime + used.ru_stime,
                "refused": sum(agent.refused for agent in gateway.agents.values()),
            }
            print(json.dumps(answer), flush=True)
        watch.cancel()
        await gateway.close(unregister=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
