"""The frame check sequence of CoAP frames: FCS-16 of RFC 1662, appendix C."""

from __future__ import annotations

_INITIAL = 0xFFFF
_GOOD = 0xF0B8
"""What the sum over bytes and their own FCS always is (RFC 1662, PPPGOODFCS16)."""


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ 0x8408 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_TABLE = _table()


def _sum(data: bytes) -> int:
    fcs = _INITIAL
    for byte in data:
        fcs = fcs >> 8 ^ _TABLE[(fcs ^ byte) & 0xFF]
    return fcs


def fcs16(data: bytes) -> int:
    """The FCS of `data` as it is sent: complemented; its least significant byte goes first."""
    return _sum(data) ^ 0xFFFF


def append_fcs(data: bytes) -> bytes:
    """`data` and its FCS."""
    return data + fcs16(data).to_bytes(2, "little")


def check_fcs(data: bytes) -> bool:
    """Whether `data` ends in the FCS of what is before."""
    return len(data) > 2 and _sum(data) == _GOOD
