"""A real serial port as the link's byte stream: its baud found, its loss lived through.

Of the operating system's errors each becomes a sentence with what to do. A board that is unplugged ends the
stream; connecting again opens the port anew, by whatever name it was given (/dev/serial/by-id keeps one).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Callable, Iterable, Sequence

import serial
from serial.tools.list_ports import comports
from serial.tools.list_ports_common import ListPortInfo
from serial_asyncio_fast import open_serial_connection

from hal.errors import LinkError
from hal.link.keeper import Streams
from hal.link.slipmux import CoapFrame, Decoder, encode_coap

log = logging.getLogger(__name__)

BAUDS = (115200, 921600, 460800, 230400, 57600, 38400, 19200, 9600)
"""Rates that are tried where the board's own is not answered, in this order."""

Listed = Callable[[], Iterable[ListPortInfo]]

_PING = encode_coap(bytes([0x40, 0x00, 0x00, 0x00]))
"""An empty confirmable message: a living CoAP endpoint answers with a reset (RFC 7252 section 4.3)."""
_PATIENCE = 0.4
_TRIES = 2


class SerialPort:
    """Its `connect` is what hal.link.Link wants. The rate that was answered is tried first the next time.

    A device on USB that comes back under another port's name is found there by its USB serial number.
    """

    def __init__(
        self, port: str, baud: int, others: Sequence[int] = BAUDS, listed: Listed = comports
    ) -> None:
        """`baud` is the board's, in bit/s; `others` are tried after it. `listed` gives all ports."""
        self.port = port
        self._listed = listed
        self._usb = ""
        self._bauds = [baud, *(rate for rate in others if rate != baud)]

    @property
    def baud(self) -> int:
        """The rate that was answered last, else the board's."""
        return self._bauds[0]

    async def connect(self) -> Streams:
        """Open the port at the rate at which somebody answers. LinkError says why there is none."""
        await asyncio.to_thread(self._find)
        for baud in list(self._bauds):
            streams = await self._open(baud)
            try:
                if await _answers(*streams):
                    log.info("%s answers at %d baud", self.port, baud)
                    self._bauds.remove(baud)
                    self._bauds.insert(0, baud)
                    return streams
            except BaseException:
                streams[1].close()
                raise
            streams[1].close()
            with contextlib.suppress(OSError):
                await streams[1].wait_closed()
        rates = ", ".join(map(str, self._bauds))
        raise LinkError(
            f"Nobody answers on {self.port} at {rates} baud.",
            remedy="Is the board powered and flashed with the mma firmware, and is this its port?",
        )

    def _find(self) -> None:
        """Where the device is by now; reads /sys. Names that are links, as udev makes, follow by themselves,
        and what is not on USB stays where it was. LinkError when another device has its place."""
        ports = {os.path.realpath(one.device): usb for one in self._listed() if (usb := _usb(one))}
        here = ports.get(os.path.realpath(self.port), "")
        if not self._usb:
            self._usb = "" if os.path.islink(self.port) else here
        elif here != self._usb:
            moved = [device for device, usb in ports.items() if usb == self._usb]
            if len(moved) == 1:
                log.warning("what was on %s is on %s", self.port, moved[0])
                self.port = moved[0]
            elif here:
                raise LinkError(f"Another device is on {self.port}: {here} in place of {self._usb}.")

    async def _open(self, baud: int) -> Streams:
        try:
            streams: Streams = await open_serial_connection(url=self.port, baudrate=baud, exclusive=True)
        except serial.SerialException as error:
            raise LinkError(*_why(self.port, error)) from error
        except (OSError, ValueError) as error:
            raise LinkError(f"{self.port} cannot be opened: {error}.") from error
        return streams


def _usb(port: ListPortInfo) -> str:
    """Vendor, product and serial number; empty where it cannot be told from others of its kind."""
    return f"{port.vid:04x}:{port.pid:04x}:{port.serial_number}" if port.serial_number else ""


def _why(port: str, error: serial.SerialException) -> tuple[str]:
    number = error.errno if error.errno is not None else getattr(error.__context__, "errno", None)
    if number == errno.ENOENT:
        return (f"There is no serial port {port}. Is the board plugged in? `mma boards` lists the ports.",)
    if number in (errno.EACCES, errno.EPERM):
        return (f"{port} may not be opened. Add yourself to its group: sudo usermod -aG dialout $USER.",)
    if number in (errno.EAGAIN, errno.EBUSY) or "lock" in str(error):
        return (f"{port} is in use by another program. Close it: only one can hold the link.",)
    return (f"{port} cannot be opened: {error}.",)


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Somebody sends a CoAP message with a right checksum."""
    decoder = Decoder()
    for _ in range(_TRIES):
        writer.write(_PING)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while data := await reader.read(4096):
                    if any(isinstance(frame, CoapFrame) for frame in decoder.feed(data)):
                        return True
                raise LinkError("The port was closed at its other end.")
    return False
