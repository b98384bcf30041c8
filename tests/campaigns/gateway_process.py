"""A gateway of its own process, to be killed or watched: emulated boards behind sockets, and the host."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import logging
from functools import partial
from pathlib import Path

from agent import janitor
from agent.config import AgentConfig
from agent.gateway import Gateway
from hal.boards import load_board
from hal.errors import HalError
from hal.host import HostTarget
from hal.mcu import McuTarget


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("master")
    parser.add_argument("work_dir", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("boards", nargs="+", help="BOARD=SOCKET")
    parser.add_argument("--gc-delay", type=float, default=7 * 24 * 3600.0)
    parser.add_argument("--tell", type=Path, help="a file that has each second what the gateway is busy with")
    words = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = AgentConfig(
        port=words.port,
        work_dir=words.work_dir,
        registration_backoff=0.2,
        update_retry_min=1.0,
        gc_delay=words.gc_delay,
    )
    janitor.INTERVAL = min(janitor.INTERVAL, words.gc_delay / 4)
    host = HostTarget("host", cpus=4.0, mem_bytes=256 << 20)
    boards = []
    for word in words.boards:
        name, _, path = word.partition("=")
        connect = partial(asyncio.open_unix_connection, path)
        boards.append(McuTarget(name, load_board(name), connect))
    await host.open()
    for board in boards:
        await board.open()
    async with Gateway(words.master, [*boards, host], config):
        while words.tell is not None:
            await tell(words.tell, boards)
            await asyncio.sleep(1)
        await asyncio.Event().wait()


async def tell(path: Path, boards: list[McuTarget]) -> None:
    """How many asyncio tasks there are, and what the kernels say of themselves."""
    told = {}
    for board in boards:
        with contextlib.suppress(HalError):
            facts, slots = await board.link.device(), await board.link.slots()
            free, arena, boot = facts.free_bytes, facts.arena_bytes, facts.boot
            counters = dataclasses.asdict(await board.link.counters())
            told[board.name] = {
                "boot": boot,
                "free": free,
                "arena": arena,
                "slots": len(slots.slots),
            } | counters
    path.with_suffix(".new").write_text(json.dumps({"tasks": len(asyncio.all_tasks()), "boards": told}))
    path.with_suffix(".new").rename(path)


if __name__ == "__main__":
    asyncio.run(main())
