"""Debian's ZooKeeper on a free port of loopback, for as long as a test lasts."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from pathlib import Path

import pytest

JAR = Path("/usr/share/java/zookeeper.jar")
JAVA = ("java", "-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
MAIN = "org.apache.zookeeper.server.ZooKeeperServerMain"


class ZooKeeper:
    """One server; stop() and start() again keep its port and its data."""

    def __init__(self, folder: Path) -> None:
        if not JAR.exists() or shutil.which("java") is None:
            pytest.skip("ZooKeeper is not installed: apt install --no-install-recommends zookeeper")
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        config = self._folder / "zoo.cfg"
        config.write_text(
            f"tickTime=200\ndataDir={self._folder / 'data'}\nclientPortAddress=127.0.0.1\n"
            f"clientPort={self.port}\nadmin.enableServer=false\nminSessionTimeout=400\n"
        )
        with (self._folder / "zookeeper.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *JAVA, "-cp", str(JAR), MAIN, str(config), stdout=log, stderr=log
            )
        async with asyncio.timeout(60):
            while not await self._answers():
                assert self._process.returncode is None, (self._folder / "zookeeper.log").read_text()[-2000:]
                await asyncio.sleep(0.05)

    async def _answers(self) -> bool:
        # From another address: a connection to a port where nobody listens yet may else become one to itself.
        # One that comes as the server starts may never be answered.
        with contextlib.suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.port, local_addr=("127.0.0.2", 0)
            )
            writer.write(b"srvr")
            try:
                return b"Mode: standalone" in await asyncio.wait_for(reader.read(), 2)
            finally:
                writer.close()
        return False

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def __aenter__(self) -> ZooKeeper:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
