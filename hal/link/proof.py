"""Proof that a request comes from who has the device's key: docs/link.md, "Proof"."""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Sequence

from aiocoap import Code
from aiocoap.numbers.optionnumbers import OptionNumber
from aiocoap.optiontypes import OpaqueOption

from hal.keys import DeviceKey

OPTION = OptionNumber(65001)
"""Of CoAP's range for experiments (RFC 7252 section 12.2); critical."""
TAG = 8
"""Bytes of the HMAC that go along (HMAC 256/64, RFC 9053 section 3.1)."""


class Prover:
    """Proves requests to one boot of one device."""

    def __init__(self, key: DeviceKey, boot: int, counter: int) -> None:
        """`boot` and `counter` as the device tells them: the last counter that it took."""
        self.key = key
        self.boot = boot
        self._counter = counter

    def catch_up(self, counter: int) -> None:
        """Another gateway may have proved more meanwhile."""
        self._counter = max(self._counter, counter)

    def option(self, code: Code, path: Sequence[str], payload: bytes) -> OpaqueOption:
        """The option for a request; each call gives another."""
        self._counter += 1
        return OpaqueOption(OPTION, prove(self.key.secret, self.boot, self._counter, code, path, payload))


def prove(key: bytes, boot: int, counter: int, code: int, path: Sequence[str], payload: bytes) -> bytes:
    """The option's value: the counter, and the first bytes of the HMAC."""
    said = struct.pack(">IIBB", boot, counter, code, len(path))
    for segment in path:
        data = segment.encode()
        said += struct.pack(">I", len(data)) + data
    return struct.pack(">I", counter) + hmac.digest(key, said + payload, hashlib.sha256)[:TAG]
