"""What else goes wrong between two kills of the gateway: the leading master dies and another one leads, the
disk is full for a while, the computer's clock jumps."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "agent"))

from kazoo.client import KazooClient
from test_agent_detector import contend, contender
from zookeeper_server import ZooKeeper

from agent.wire.upid import Upid
from emulation.master import Master
from hal import toolchain

ROOM = 16 << 20
"""Bytes of the small disk."""
FULL = 1.5
"""Seconds for which it is full."""


class Masters:
    """Two genuine masters of which one leads, as ZooKeeper tells; each forgets everything when it dies."""

    def __init__(self, flags: dict[str, str]) -> None:
        self._masters = [Master(flags=flags), Master(flags=flags)]
        self._stack = contextlib.AsyncExitStack()
        self._sessions: list[contextlib.AbstractContextManager[KazooClient]] = []
        self.changes = 0

    async def __aenter__(self) -> Masters:
        try:
            for master in self._masters:
                await self._stack.enter_async_context(master)
            scratch = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="mma-zookeeper-"))
            self._zookeeper = await self._stack.enter_async_context(ZooKeeper(Path(scratch)))
            self._stack.callback(self._resign)
            self._contend()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def leader(self) -> Master:
        return self._masters[0]

    @property
    def url(self) -> str:
        """Where agents find the leader."""
        return f"zk://{self._zookeeper.address}/mesos"

    @property
    def alive(self) -> bool:
        return all(master.pid is not None for master in self._masters)

    async def change(self) -> None:
        """The leader dies; the other one leads, and has never heard of anybody. The dead one comes back."""
        dead = self.leader
        await dead.stop(grace=0)
        self._resign()
        self._masters.reverse()
        self._contend()
        await dead.start()
        self.changes += 1

    def _contend(self) -> None:
        session = contender(self._zookeeper)
        contend(session.__enter__(), Upid("master", self.leader.ip, self.leader.port))
        self._sessions.append(session)

    def _resign(self) -> None:
        while self._sessions:
            self._sessions.pop().__exit__(None, None, None)


class Disk:
    """A small disk of its own in a folder, where one may be mounted; else there is only the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.small = False
        self.times = 0

    def __enter__(self) -> Disk:
        self.folder.mkdir(parents=True, exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(self.folder)]
        with contextlib.suppress(OSError):
            self.small = subprocess.run(words, capture_output=True, check=False).returncode == 0
        return self

    def __exit__(self, *_: object) -> None:
        if self.small:
            subprocess.run(["umount", "--lazy", str(self.folder)], capture_output=True, check=False)

    @contextlib.asynccontextmanager
    async def full(self) -> AsyncIterator[None]:
        """Not a byte is left; within, the gateway lives on. Without a small disk nothing is done."""
        if not self.small:
            yield
            return
        ballast = self.folder / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                for size in (1 << 20, 1 << 12, 1):
                    with contextlib.suppress(OSError):
                        while file.write(bytes(size)) == size:
                            pass
            self.times += 1
            yield
            await asyncio.sleep(FULL)
        finally:
            ballast.unlink(missing_ok=True)


class Clock:
    """The wall clock of one program, which jumps when it is told to; the clock that only goes on does so, as
    when somebody sets a computer's own. See jumping_clock.c."""

    def __init__(self, folder: Path) -> None:
        self._library, self._file = folder / "clock.so", folder / "clock"
        source = Path(__file__).with_name("jumping_clock.c")
        words = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", self._library, source]
        toolchain.must(words)
        self._file.write_bytes(bytes(8))
        self.jumps = 0

    @property
    def environment(self) -> dict[str, str]:
        """What the program is to be started with."""
        return os.environ | {"LD_PRELOAD": str(self._library), "MMA_CLOCK": str(self._file)}

    def jump(self, seconds: float) -> None:
        """So much off the truth, from now on."""
        with self._file.open("r+b") as file:
            file.write(round(seconds * 1e9).to_bytes(8, "little", signed=True))
        self.jumps += 1
