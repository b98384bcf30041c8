"""How a Renode is started and given its machines: the command line, its ports, the platform of a board."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from emulation.process import Child
from emulation.robot import RenodeRefused, Robot


class PortHolder:
    """TCP ports that nobody else is given until close(). 1.13.3 does not know port 0 for any free one; and it
    can have ours all the same: it too sets SO_REUSEADDR, and our sockets never listen."""

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()

    def reserve(self) -> int:
        """A free one."""
        held = self._held.enter_context(socket.socket())
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("", 0))
        return int(held.getsockname()[1])

    def close(self) -> None:
        """Give them all up. Idempotent."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def command_line(program: str, folder: Path, port: int) -> list[str]:
    """Renode without a screen, to be commanded by its robot port. For all releases from 1.13.3 on.

    --disable-xwt is the word that all of them know (--disable-gui is its other name from 1.15 on).
    """
    words = [program, "--disable-xwt", "--plain", "--hide-log"]
    words += ["--config", str(folder / "config"), "--pid-file", str(folder / "pid")]
    return [*words, "--robot-server-port", str(port)]


async def until_listening(robot: Robot, child: Child) -> None:
    """Until it answers; the caller bounds the time. OSError if it ends instead."""
    while True:
        try:
            await robot.execute("version")
            return
        except OSError:
            if not child.alive:
                raise
            await asyncio.sleep(0.02)


async def load_platform(robot: Robot, page: Mapping[str, Any], machine: str) -> None:
    """The platform of a board's page, into a machine that is there already. RenodeRefused."""
    try:
        await robot.execute(f"machine LoadPlatformDescription @{page['platform']}", machine)
    except RenodeRefused:
        # Without a network the platform's SVD file is not found, which Renode counts as an error of
        # the whole command although the platform is there: the core tells.
        await robot.execute("sysbus.cpu PC", machine)
    for command in page.get("prepare", ()):
        await robot.execute(str(command), machine)
