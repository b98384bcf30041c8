"""Modules made to cost the gateway time or memory, and how each must end: see attacks.py."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: int) -> bytes:
    """Unsigned LEB128 (core specification 5.2.2)."""
    out = bytearray()
    while True:
        value, byte = value >> 7, value & 0x7F
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def vector(items: Sequence[bytes]) -> bytes:
    return number(len(items)) + b"".join(items)


def section(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + number(len(body)) + body


def module(
    bodies: Sequence[bytes], *, declared: bytes = b"\0", memory: bytes = b"", tail: bytes = b""
) -> bytes:
    """Functions () -> () with these bodies; the first is the entry."""
    codes = [number(len(declared) + len(body) + 1) + declared + body + b"\x0b" for body in bodies]
    return b"".join(
        (
            b"\0asm\1\0\0\0",
            section(1, b"\1\x60\0\0"),
            section(3, vector([b"\0"] * len(bodies))),
            section(5, memory) if memory else b"",
            section(7, b"\1\4main\0\0"),
            section(10, vector(codes)),
            tail,
        )
    )


_DOUBLE = [b"\x10" + number(callee + 1) for callee in range(17)]
_MANY = b"\1" + number(50_000) + b"\x7f"

BOMBS: dict[str, tuple[bytes, str]] = {
    "locals by the million in a few bytes": (module([b""] * 2000, declared=_MANY), "rejected"),
    "megabytes of code": (module([b"\x41\x01\x1a" * 1_300_000]), "rejected"),
    "a hundred thousand functions": (module([b""] * 100_000), "rejected"),
    "calls that double seventeen times": (module([*(one * 2 for one in _DOUBLE), b"\x01"]), "exit 0"),
    "blocks in blocks in blocks": (module([b"\2\x40" * 20_000 + b"\x0b" * 20_000]), "exit 0|failed|rejected"),
    "half a module": (module([b"\x01" * 500])[:-200], "rejected"),
    "five megabytes of nothing": (module([b""], tail=section(0, b"\1x" + bytes(5 << 20))), "rejected"),
    "not a module": (b"\x7fELF" + bytes(100), "rejected"),
    "debug information without sense": (
        module(
            [b""],
            tail=section(0, b"\x0b.debug_info" + bytes(range(256)) * 40)
            + section(0, b"\x0b.debug_line" + b"\xff" * 4000)
            + section(0, b"\x0d.debug_abbrev" + b"\x01\x11\x01" * 1000),
        ),
        "exit 0",
    ),
    "a page that is no power of two that we have": (module([b""], memory=b"\1\x08\1\3"), "rejected"),
    "nothing": (b"", "rejected"),
}
"""By name: the module, and its end."""
