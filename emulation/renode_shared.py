"""One Renode in which several boards run, with wires between them.

All of its machines are made before the first board starts, each halted: its connectors must not be changed
while the emulation runs (Renode's GPIOConnector). A board's power is then its machine's reset and start.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from emulation.process import Child
from emulation.renode_start import PortHolder, command_line, load_platform, until_listening
from emulation.robot import Robot
from hal.boards import Board

Joint = tuple[str, int, str, int]
"""A board and the number of an output of it, a board and the number of an input of it."""


class SharedRenode:
    """Starts with the first board that enters, ends with the last that leaves."""

    def __init__(self, boards: Mapping[str, Board], joints: Sequence[Joint]) -> None:
        self._boards = dict(boards)
        self._joints = list(joints)
        self._turn = asyncio.Lock()
        self._inside: set[str] = set()
        self._folder: Path | None = None
        self._child: Child | None = None
        self._robot: Robot | None = None

    def machine(self, name: str) -> str:
        """What a board's machine is called there: the Monitor gives some characters a meaning."""
        return f"board{list(self._boards).index(name)}"

    async def enter(self, name: str, program: str) -> tuple[Child, Robot, Path]:
        """The process, its robot port and a folder for the board's files. What Renode refuses is raised."""
        async with self._turn:
            if self._child is not None and not self._child.alive:
                await self._end()
            if self._child is None:
                try:
                    await self._begin(program)
                except BaseException:
                    await self._end()
                    raise
            assert self._child is not None
            assert self._robot is not None
            assert self._folder is not None
            self._inside.add(name)
            folder = self._folder / self.machine(name)
            folder.mkdir(exist_ok=True)
            return self._child, self._robot, folder

    async def leave(self, name: str) -> None:
        """The board's power is off. Idempotent."""
        async with self._turn:
            self._inside.discard(name)
            if not self._inside:
                await self._end()

    async def _begin(self, program: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mma-machine-"))
        with PortHolder() as ports:
            port = ports.reserve()
            self._child = await Child.start(
                command_line(program, self._folder, port),
                name=Path(program).name,
                env={**os.environ, "TMPDIR": str(self._folder)},
                scratch=self._folder,
            )
            robot = self._robot = Robot(port)
            await until_listening(robot, self._child)
        for name, board in self._boards.items():
            machine = self.machine(name)
            await robot.execute(f'mach create "{machine}"')
            await load_platform(robot, board.emulators["renode"], machine)
            await robot.execute("sysbus.cpu IsHalted true", machine)
        for number, joint in enumerate(self._joints):
            await self._connect(robot, f"wire{number}", joint)
        await robot.execute("start")
        for name in self._boards:
            await robot.execute("machine Pause", self.machine(name))

    async def _connect(self, robot: Robot, wire: str, joint: Joint) -> None:
        source, output, sink, input_ = joint
        await robot.execute(f'emulation CreateGPIOConnector "{wire}"')
        for name, pin, end in ((source, output, "Source"), (sink, input_, "Destination")):
            gpio = self._boards[name].emulators["renode"]["gpio"]
            port, bit = divmod(int(gpio["pins"][pin]), int(gpio["width"]))
            peripheral = gpio["input"][port]
            await robot.execute(f"connector Connect {peripheral} {wire}", self.machine(name))
            await robot.execute(f"{wire} Select{end}Pin {peripheral} {bit}", self.machine(name))

    async def _end(self) -> None:
        child, robot, folder = self._child, self._robot, self._folder
        self._child = self._robot = self._folder = None
        if robot is not None:
            await robot.close()
        if child is not None:
            await child.stop(grace=0.5)
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
