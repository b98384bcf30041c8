"""What a device answers when it refuses (docs/link.md), or not at all, as exceptions."""

from __future__ import annotations

import contextlib

import cbor2
from aiocoap import Message

from hal.abi import ErrorNumber
from hal.errors import DeviceError, LinkError

CBOR = 60
"""Content-format of all CBOR payloads (RFC 7252 section 12.3's registry)."""


class Refused(DeviceError):
    """The device answered with an error response.

    `number` is the device's enum mma_error, or None; `missing` and `largest` are bytes where it was room
    that it lacked, `taken` those of the image that it has where a block was not the next one.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        number: int | None,
        missing: int | None,
        largest: int | None,
        taken: int | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.number = number
        self.missing = missing
        self.largest = largest
        self.taken = taken


def successful(response: Message) -> Message:
    """The response, or Refused with what it says."""
    if response.code.is_successful():
        return response
    number = missing = largest = taken = None
    if response.opt.content_format == CBOR:
        with contextlib.suppress(Exception):  # an error's details are a courtesy; its code is what counts
            details = cbor2.loads(response.payload)
            number, missing, largest, taken = (_number(details.get(key)) for key in range(4))
    try:
        words = ErrorNumber(number).name.lower() if number is not None else str(response.code)
    except ValueError:
        words = f"error {number}"
    room = f", {missing} bytes are missing" if missing is not None else ""
    room += f", the largest free run is {largest} bytes" if largest is not None else ""
    raise Refused(
        f"The device refused: {words}{room}.",
        code=response.code.dotted,
        number=number,
        missing=missing,
        largest=largest,
        taken=taken,
    )


def no_answer(name: str) -> LinkError:
    """Nothing came back, however often it was sent."""
    return LinkError(f"{name} does not answer.", remedy="It is tried again when the link is back.")


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
