"""Runs translated modules on the CPU of the tests: the real compiler, linker and image, in this process.

The image is mapped at the addresses it was linked for, below 2 GiB as clang's small code model wants. A trap
comes back as the number that a device's kernel would see.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Callable, Mapping
from types import TracebackType

from elftools.elf.elffile import ELFFile

from hal.aot import Layout, Machine, link
from hal.aot.binary import read
from hal.aot.compiler import compile_for
from hal.aot.translate import HOSTS, Harness

X86_64 = Machine("x86_64-linux-gnu", ("-mno-avx", "-march=x86-64"), stack_check=True)
STACK = 1 << 20
EXIT = 0x100

_LOW, _HIGH, _STEP = 0x1000_0000, 0x7000_0000, 0x10_0000
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *([ctypes.c_int] * 3), ctypes.c_long)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_FIXED_NOREPLACE = 0x100000
_HOST = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint32, *([ctypes.c_uint64] * 3))

Host = Callable[[int, int, int, int], int]


def _reserve(size: int) -> int:
    """Map so many bytes of zeros, executable, at a free place below 2 GiB."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _FIXED_NOREPLACE
    for base in range(_LOW, _HIGH - size, _STEP):
        if _libc.mmap(base, size, 7, flags, -1, 0) == base:
            return base
    raise MemoryError(f"no room below 2 GiB for {size} bytes: close instances")


class TrapError(Exception):
    """The guest trapped; `code` is an enum mma_trap."""

    def __init__(self, code: int) -> None:
        super().__init__(f"trap {code}")
        self.code = code


class ExitError(Exception):
    """The guest ended by itself with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"exit {status}")
        self.status = status


class Native:
    """A module's instance in this process. Close it: few fit below 2 GiB."""

    def __init__(
        self,
        module: bytes,
        *,
        memory: int | None = None,
        arguments: tuple[str, ...] = (),
        host: Host = lambda number, a, b, c: 0,
        hosts: Mapping[tuple[str, str], str] = HOSTS,
        prelude: str = "",
        machine: Machine = X86_64,
        stack: int = STACK,
    ) -> None:
        """`memory` is the budget of linear memory in bytes, by default 1 MiB more than declared."""
        self.module = read(module)
        self.object = compile_for(module, machine, Harness(hosts, prelude))
        linear = self.object.declared_memory + (1 << 20) if memory is None else memory
        code = -(-(self.object.code_bytes + self.object.arguments_bytes(arguments)) // 4096) * 4096
        part = self.object.memory_part(linear)
        self.size = -(-(code + stack + part) // 4096) * 4096
        self.base = base = _reserve(self.size)
        layout = Layout(base, code, base + code, stack, base + code + stack, part)
        self.image = link(self.object, layout, arguments)
        self.memory = layout.memory
        self._stack = layout.stack + layout.stack_bytes
        stream, at = self.image.stream, 0
        while at < len(stream):
            address, length = struct.unpack_from("<II", stream, at)
            ctypes.memmove(address, stream[at + 8 : at + 8 + length], length)
            at += 8 + length
        with self.image.elf.open("rb") as file:
            table = ELFFile(file).get_section_by_name(".symtab")
            self.symbols = {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}
        self._host = _HOST(host)
        pointer = ctypes.cast(self._host, ctypes.c_void_p).value
        assert pointer is not None
        ctypes.c_uint64.from_address(self.symbols["mma_host"]).value = pointer
        self._enter = ctypes.CFUNCTYPE(ctypes.c_uint32, *([ctypes.c_void_p] * 3))(self.symbols["mma_enter"])
        if self.module.start is not None and not {"main", "_start"} & self.module.exports.keys():
            self._run(self.symbols["mma_start"], None, ended=True)

    def main(self) -> int:
        """Run the module as a device would; its exit status. TrapError."""
        try:
            self._run(self.symbols["mma_start"], None)
        except ExitError as ended:
            return ended.status
        raise AssertionError("mma_start returned")

    def call(self, name: str, *arguments: int) -> list[int]:
        """Call an export with the bits of its arguments; the bits of its results. TrapError, ExitError."""
        index = self.module.exports[name][1]
        signature = self.module.signature(index)
        values = (ctypes.c_uint64 * 64)(*arguments)
        self._run(self.symbols[f"mma_export_{index}"], values)
        masks = {"i64": (1 << 64) - 1, "f64": (1 << 64) - 1}
        return [values[n] & masks.get(kind, 0xFFFFFFFF) for n, kind in enumerate(signature.results)]

    def _run(self, function: int, values: object, *, ended: bool = False) -> None:
        code = self._enter(function, ctypes.cast(values, ctypes.c_void_p) if values else None, self._stack)  # type: ignore[arg-type]
        if code == EXIT:
            if not ended:
                raise ExitError(ctypes.c_int32.from_address(self.symbols["mma_status"]).value)
        elif code:
            raise TrapError(code)

    def read(self, offset: int, count: int) -> bytes:
        """Bytes of linear memory."""
        return ctypes.string_at(self.memory + offset, count)

    def write(self, offset: int, data: bytes) -> None:
        """Change linear memory, as a host call would."""
        ctypes.memmove(self.memory + offset, data, len(data))

    def close(self) -> None:
        """Unmap it."""
        if self.size:
            _libc.munmap(self.base, self.size)
            self.size = 0

    def __enter__(self) -> Native:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
