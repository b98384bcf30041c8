"""A client of QEMU's qtest socket, which works beside TCG as well as in QEMU's own tests.

A line goes in, a line `OK ...` or `FAIL ...` comes out (comment at the top of softmmu/qtest.c). Memory is
read as the first core sees it, peripherals included.
"""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

from emulation.errors import MachineError

_CHUNK = 1 << 16
_LIMIT = 1 << 20  # a chunk in base64 is one line


class Qtest:
    """One open qtest socket; calls wait for their turn. A lost connection raises ConnectionError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> Qtest:
        return cls(*await asyncio.open_unix_connection(str(path), limit=_LIMIT))

    def close(self) -> None:
        self._writer.close()

    async def read(self, address: int, size: int) -> bytes:
        """`size` bytes of guest memory."""
        data = bytearray()
        while len(data) < size:
            count = min(size - len(data), _CHUNK)
            data += base64.b64decode(await self._ask(f"b64read {address + len(data):#x} {count:#x}"))
        return bytes(data)

    async def write(self, address: int, data: bytes) -> None:
        """Write guest memory."""
        for start in range(0, len(data), _CHUNK):
            part = data[start : start + _CHUNK]
            text = base64.b64encode(part).decode()
            await self._ask(f"b64write {address + start:#x} {len(part):#x} {text}")

    async def set_input(self, lines: str, number: int, level: bool) -> None:
        """Drive one of a device's input lines; `lines` is the device's QOM path and the lines' name."""
        await self._ask(f"set_irq_in {lines} {number} {int(level)}")

    async def _ask(self, line: str) -> str:
        """One command; what follows the OK of its answer."""
        async with self._turn:
            self._writer.write(line.encode() + b"\n")
            await self._writer.drain()
            try:
                answer = (await self._reader.readuntil(b"\n")).decode().strip()
            except asyncio.IncompleteReadError as error:
                raise ConnectionResetError("QEMU closed its qtest socket") from error
        word, _, rest = answer.partition(" ")
        if word != "OK":
            raise MachineError(f"QEMU refused {line.split()[0]}: {rest or answer}.")
        return rest
