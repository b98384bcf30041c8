"""A gateway of its own process, to be killed: an emulated board behind a Unix socket, and the host."""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

from agent.config import AgentConfig
from agent.gateway import Gateway
from hal.boards import load_board
from hal.host import HostTarget
from hal.mcu import McuTarget


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("master")
    parser.add_argument("work_dir", type=Path)
    parser.add_argument("uart", type=Path)
    parser.add_argument("port", type=int)
    words = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = AgentConfig(
        port=words.port, work_dir=words.work_dir, registration_backoff=0.2, update_retry_min=1.0
    )
    board = McuTarget("board", load_board("stm32f4"), lambda: asyncio.open_unix_connection(words.uart))
    host = HostTarget("host", cpus=4.0, mem_bytes=256 << 20)
    await host.open()
    await board.open()
    async with Gateway(words.master, [board, host], config):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
