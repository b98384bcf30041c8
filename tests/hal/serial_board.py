"""A board on a serial port: a pty whose far end is an emulated board's UART, heard only at the right baud."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
import tty
from pathlib import Path
from types import TracebackType
from typing import Self

from emulation.machine import Machine


class SerialBoard:
    """`port` is a name that outlives replugging, as those in /dev/serial/by-id do."""

    def __init__(self, machine: Machine, folder: Path, baud: int = termios.B115200) -> None:
        self.port = folder / "usb-board"
        self._machine = machine
        self._baud = baud
        self._master = -1
        self._slave = -1
        self._pumps: list[asyncio.Task[None]] = []
        self.sent = 0
        """Bytes that went to the board."""
        self._gone: tuple[int, asyncio.Future[None]] | None = None

    async def __aenter__(self) -> Self:
        await self.plug()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.unplug()

    async def plug(self) -> None:
        """The port appears."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port.symlink_to(os.ttyname(self._slave))
        reader, writer = await self._machine.connect()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._master, self._to_board, writer)
        self._pumps = [asyncio.create_task(self._from_board(reader))]

    def gone_after(self, count: int) -> asyncio.Future[None]:
        """Let the port be unplugged once so many bytes more went to the board; done when it is."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gone = (self.sent + count, done)
        return done

    async def unplug(self) -> None:
        """The port is gone, and who holds it gets an error."""
        if self._master < 0:
            return
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        asyncio.get_running_loop().remove_reader(self._master)
        self.port.unlink()
        os.close(self._master)
        os.close(self._slave)
        self._master = -1

    def _heard(self) -> bool:
        """What a UART at another rate would hear is noise: here it is nothing."""
        return termios.tcgetattr(self._slave)[5] == self._baud

    def _to_board(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            data = os.read(self._master, 4096)
            if self._gone is not None and self.sent + len(data) >= self._gone[0]:
                data = data[: self._gone[0] - self.sent]
            self.sent += len(data)
            if self._heard():
                writer.write(data)
            if self._gone is not None and self.sent >= self._gone[0]:
                done, self._gone = self._gone[1], None
                asyncio.get_running_loop().remove_reader(self._master)
                self._leaving = asyncio.create_task(self.unplug())
                self._leaving.add_done_callback(lambda _: done.set_result(None))

    async def _from_board(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(4096):
            if self._heard():
                with contextlib.suppress(BlockingIOError):
                    os.write(self._master, data)
