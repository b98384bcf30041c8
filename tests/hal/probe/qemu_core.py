"""A core for dap_double that is QEMU's: its GDB stub is what the debug port reaches.

QEMU's machine for the micro:bit has the chip's flash controller too, so pyOCD's flash algorithm runs on the
emulated core and changes the emulated flash.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterable, Iterator

from emulation.gdb.rsp import Kind, Splitter, frame, is_stop_reply

_XPSR = 25  # its number in QEMU's M-profile description
_CHUNK = 1024


class QemuCore:
    """Follows dap_double.Core. One client at a time; calls may come from several threads."""

    def __init__(self, stub: str, cpuid: int, parts: dict[int, int]) -> None:
        self.cpuid = cpuid
        self.parts = parts
        self._lock = threading.RLock()
        self._splitter = Splitter()
        self._pieces: list[bytes] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(stub)
        self._inserted: set[int] = set()
        self._running = False
        self._ask(b"?", stops=True)
        self._ask(b"qXfer:features:read:target.xml:0,fff")  # only then it tells registers
        self.run(())

    def close(self) -> None:
        """The core runs on."""
        with self._lock:
            if self._running:
                self._interrupt()
            self._ask(b"D")
            self._socket.close()

    # -- packets

    def _send(self, body: bytes) -> None:
        self._socket.sendall(frame(body))

    def _receive(self, timeout: float = 30.0) -> bytes:
        while not self._pieces:
            if not self._hear(timeout):
                raise TimeoutError("QEMU's stub does not answer")
        return self._pieces.pop(0)

    def _hear(self, timeout: float) -> bool:
        """Take what came; whether anything did."""
        if not select.select([self._socket], [], [], timeout)[0]:
            return False
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError("QEMU is gone")
        for piece in self._splitter.feed(data):
            if piece.kind is Kind.PACKET:
                self._socket.sendall(b"+")
                self._pieces.append(piece.body)
        return True

    def _ask(self, body: bytes, *, stops: bool = False) -> bytes:
        """With `stops` the answer is a stop reply; else late ones of those are passed over."""
        self._send(body)
        while is_stop_reply(answer := self._receive()) is not stops:
            pass
        return answer

    def _interrupt(self) -> None:
        self._socket.sendall(b"\x03")
        while not is_stop_reply(self._receive()):
            pass
        self._halted()

    def _halted(self) -> None:
        self._running = False
        for address in self._inserted:
            self._ask(b"z1,%x,2" % address)
        self._inserted.clear()

    @contextlib.contextmanager
    def _still(self) -> Iterator[None]:
        """The core stands meanwhile."""
        with self._lock:
            was, points = not self.stopped(), set(self._inserted)
            if was:
                self._interrupt()
            yield
            if was:
                self._go(points)

    def _go(self, points: set[int]) -> None:
        for address in points:
            self._ask(b"Z1,%x,2" % address)
        self._inserted = points
        self._running = True
        self._send(b"c")

    # -- Core

    def read(self, address: int, size: int) -> bytes:
        found = b""
        with self._still():
            while len(found) < size:
                part = min(_CHUNK, size - len(found))
                answer = self._ask(b"m%x,%x" % (address + len(found), part))
                if answer[:1] == b"E":
                    raise KeyError(address)
                found += bytes.fromhex(answer.decode())
        return found

    def write(self, address: int, data: bytes) -> None:
        with self._still():
            for at in range(0, len(data), _CHUNK):
                part = data[at : at + _CHUNK]
                body = b"M%x,%x:%s" % (address + at, len(part), part.hex().encode())
                if self._ask(body) != b"OK":
                    raise KeyError(address)

    def register(self, number: int) -> int:
        with self._lock:
            answer = self._ask(b"p%x" % (_XPSR if number == 16 else number))
            return int.from_bytes(bytes.fromhex(answer.decode()), "little")

    def set_register(self, number: int, value: int) -> None:
        with self._lock:
            text = value.to_bytes(4, "little").hex().encode()
            self._ask(b"P%x=%s" % (_XPSR if number == 16 else number, text))

    def run(self, breakpoints: Iterable[int]) -> None:
        with self._lock:
            points = set(breakpoints)
            back = self.register(14) & ~1
            # A flash algorithm returns to a BKPT, which QEMU takes for a fault.
            if 0x20000000 <= back < 0x20004000 and self.read(back, 2) == b"\x00\xbe":
                points.add(back)
            self._go(points)

    def step(self) -> None:
        with self._lock:
            self._ask(b"s", stops=True)

    def stop(self) -> None:
        with self._lock:
            if not self.stopped():
                self._interrupt()

    def stopped(self) -> bool:
        with self._lock:
            if self._running:
                while self._hear(0):
                    pass
                if any(is_stop_reply(body) for body in self._pieces):
                    self._pieces.clear()
                    self._halted()
            return not self._running

    def reset(self) -> None:
        with self._lock:
            self.stop()
            self._send(b"qRcmd," + b"system_reset".hex().encode())
            while self._receive() != b"OK":
                pass
            self._ask(b"?", stops=True)
