"""Prepares a validated module for the host: its memory gets an export that the host calls find."""

from __future__ import annotations

from hal.aot.binary import Module, Reader
from hal.host.guest import MEMORY_EXPORT

_EXPORTS = 7
_MEMORY_KIND = 2


def export_memory(module: Module) -> bytes:
    """The module's bytes with one more export, its memory. Unchanged if it has none.

    On a device the kernel knows where a guest's memory is; wasmtime only shows what is exported, and a
    module need not export its memory. Offsets inside functions stay what they were.
    """
    if not module.memories and not any(one.what == "memory" for one in module.imports):
        return module.data
    out = bytearray(module.data[:8])
    reader = Reader(module.data, 8)
    while reader.more:
        section, size = reader.byte(), reader.u32()
        body = reader.take(size)
        if section == _EXPORTS:
            inner = Reader(body)
            count = inner.u32()
            name = MEMORY_EXPORT.encode()
            entry = bytes([len(name)]) + name + bytes([_MEMORY_KIND, 0])
            body = _leb(count + 1) + body[inner.place :] + entry
        out += bytes([section]) + _leb(len(body)) + body
    return bytes(out)


def _leb(value: int) -> bytes:
    """Unsigned LEB128 (WebAssembly core specification, section 5.2.2)."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
