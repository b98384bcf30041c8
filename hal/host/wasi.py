"""WASI preview 1 for guests on the host, from the calls of module `mma`, like firmware/sdk/executor/wasi.h.

What is written to descriptors 1 and 2 becomes lines of the log; there are no files, no environment and no
random numbers that are secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Protocol

from wasmtime import Caller

from hal.aot import wasi


class Errno(IntEnum):
    """Of the WASI snapshot preview1 documentation."""

    SUCCESS = 0
    BADF = 8
    FAULT = 21
    INVAL = 28
    NOTSUP = 58
    SPIPE = 70


_CHARACTER_DEVICE = 2
_RIGHT_READ, _RIGHT_WRITE = 1 << 1, 1 << 6
_SUBSCRIPTION, _EVENT = 48, 32


class Calls(Protocol):
    """What it is made of: a guest's memory and its calls of module `mma`."""

    @property
    def arguments(self) -> Sequence[bytes]:
        """The task's, without a program name."""
        ...

    def read(self, caller: Caller, pointer: int, length: int) -> bytes | None:
        """None where it leaves the guest's memory."""
        ...

    def write(self, caller: Caller, data: bytes, pointer: int) -> bool:
        """False where it leaves the guest's memory."""
        ...

    def call_exit(self, caller: Caller, status: int) -> None: ...

    def call_sleep_us(self, caller: Caller, microseconds: int) -> None: ...

    def call_time_us(self, caller: Caller) -> int: ...

    def call_yield(self, caller: Caller) -> None: ...

    def log_line(self, line: bytes) -> None:
        """One line of the log."""
        ...


class Wasi:
    """The calls of one guest, by their import names. None raises (hal.host.guest)."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._line = bytearray()

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """All that a guest may import, by name; those that no target has answer ENOSYS."""
        return {name: getattr(self, name, _absent) for name in wasi.FUNCTIONS}

    def flush(self) -> None:
        """What was written of a line that has not ended."""
        if self._line:
            self._calls.log_line(bytes(self._line))
            self._line.clear()

    # -- arguments and environment ------------------------------------------------------------------------

    def args_sizes_get(self, caller: Caller, count: int, size: int) -> int:
        words = self._words()
        return self._numbers(caller, (count, len(words)), (size, sum(map(len, words))))

    def args_get(self, caller: Caller, pointers: int, to: int) -> int:
        for number, word in enumerate(self._words()):
            place = (pointers & 0xFFFF_FFFF) + 4 * number
            to &= 0xFFFF_FFFF
            done = self._calls.write(caller, to.to_bytes(4, "little"), place)
            if not (done and self._calls.write(caller, word, to)):
                return Errno.FAULT
            to += len(word)
        return Errno.SUCCESS

    def environ_sizes_get(self, caller: Caller, count: int, size: int) -> int:
        return self._numbers(caller, (count, 0), (size, 0))

    def environ_get(self, caller: Caller, pointers: int, to: int) -> int:
        return Errno.SUCCESS

    def _words(self) -> list[bytes]:
        return [word + b"\0" for word in (wasi.PROGRAM.encode(), *self._calls.arguments)]

    def _table(self, caller: Caller, pointer: int, size: int, count: int) -> bytes | None:
        """`count` things of `size` bytes; None where they leave the guest's memory."""
        length = size * (count & 0xFFFF_FFFF)
        return self._calls.read(caller, pointer, length) if length <= 0xFFFF_FFFF else None

    def _numbers(self, caller: Caller, *pairs: tuple[int, int]) -> Errno:
        done = [self._calls.write(caller, value.to_bytes(4, "little"), to) for to, value in pairs]
        return Errno.SUCCESS if all(done) else Errno.FAULT

    # -- descriptors --------------------------------------------------------------------------------------

    def fd_write(self, caller: Caller, descriptor: int, parts: int, count: int, written: int) -> int:
        if descriptor not in (1, 2):
            return Errno.BADF
        table = self._table(caller, parts, 8, count)
        if table is None or self._calls.read(caller, written, 4) is None:
            return Errno.FAULT
        total = 0
        for at in range(0, len(table), 8):
            place, length = (int.from_bytes(table[one : one + 4], "little") for one in (at, at + 4))
            data = self._calls.read(caller, place, length)
            if data is None:
                return Errno.FAULT
            self._stream(data)
            total += length
        return self._numbers(caller, (written, total & 0xFFFF_FFFF))

    def _stream(self, data: bytes) -> None:
        """Lines that lie whole in `data` go out as they are, others are broken where LINE bytes are full."""
        *ended, rest = data.split(b"\n")
        for line in ended:
            if self._line:
                self._gather(line)
                self.flush()
            else:
                self._calls.log_line(line)
        self._gather(rest)

    def _gather(self, data: bytes) -> None:
        while data:
            if len(self._line) == wasi.LINE:
                self.flush()
            room = wasi.LINE - len(self._line)
            self._line += data[:room]
            data = data[room:]

    def fd_read(self, caller: Caller, descriptor: int, parts: int, count: int, read: int) -> int:
        return self._numbers(caller, (read, 0)) if descriptor == 0 else Errno.BADF

    def fd_close(self, caller: Caller, descriptor: int) -> int:
        return _of_three(descriptor)

    def fd_fdstat_get(self, caller: Caller, descriptor: int, to: int) -> int:
        right = _RIGHT_WRITE if descriptor else _RIGHT_READ
        stat = _CHARACTER_DEVICE.to_bytes(8, "little") + right.to_bytes(8, "little") + bytes(8)
        known = _of_three(descriptor)
        return known or (Errno.SUCCESS if self._calls.write(caller, stat, to) else Errno.FAULT)

    def fd_fdstat_set_flags(self, caller: Caller, descriptor: int, flags: int) -> int:
        return _of_three(descriptor)

    def fd_seek(self, caller: Caller, descriptor: int, offset: int, whence: int, to: int) -> int:
        return _of_three(descriptor) or Errno.SPIPE

    def fd_prestat_get(self, caller: Caller, descriptor: int, to: int) -> int:
        return Errno.BADF

    def fd_prestat_dir_name(self, caller: Caller, descriptor: int, to: int, size: int) -> int:
        return Errno.BADF

    # -- time, chance, the end ----------------------------------------------------------------------------

    def clock_res_get(self, caller: Caller, clock: int, to: int) -> int:
        return self._wide(caller, clock, to, 1000)

    def clock_time_get(self, caller: Caller, clock: int, precision: int, to: int) -> int:
        return self._wide(caller, clock, to, self._calls.call_time_us(caller) * 1000)

    def _wide(self, caller: Caller, clock: int, to: int, value: int) -> Errno:
        if clock not in (0, 1):
            return Errno.INVAL
        done = self._calls.write(caller, value.to_bytes(8, "little"), to)
        return Errno.SUCCESS if done else Errno.FAULT

    def poll_oneoff(self, caller: Caller, come: int, out: int, count: int, events: int) -> int:
        if not count:
            return Errno.INVAL
        table = self._table(caller, come, _SUBSCRIPTION, count)
        if table is None or self._table(caller, out, _EVENT, count) is None:
            return Errno.FAULT
        now = self._calls.call_time_us(caller)
        parts = (table[at : at + _SUBSCRIPTION] for at in range(0, len(table), _SUBSCRIPTION))
        asked = [_Subscription(part, now) for part in parts]
        first = min(one.left for one in asked)
        if first:
            self._calls.call_sleep_us(caller, first)
        told = [one.event() for one in asked if one.kind or one.left <= first]
        self._calls.write(caller, b"".join(told), out)
        return self._numbers(caller, (events, len(told)))

    def sched_yield(self, caller: Caller) -> int:
        self._calls.call_yield(caller)
        return Errno.SUCCESS

    def random_get(self, caller: Caller, to: int, count: int) -> int:
        count &= 0xFFFF_FFFF
        if self._calls.read(caller, to, count) is None:
            return Errno.FAULT
        state = self._calls.call_time_us(caller) * 0x9E3779B9 & 0xFFFF_FFFF | 1
        out = bytearray()
        for _ in range(count):
            state ^= state << 13 & 0xFFFF_FFFF
            state ^= state >> 17
            state ^= state << 5 & 0xFFFF_FFFF
            out.append(state >> 24)
        self._calls.write(caller, bytes(out), to)
        return Errno.SUCCESS

    def proc_exit(self, caller: Caller, status: int) -> None:
        self.flush()
        self._calls.call_exit(caller, status)


class _Subscription:
    """A subscription of poll_oneoff; `left` are microseconds from now on."""

    def __init__(self, data: bytes, now: int) -> None:
        self._user = data[:8]
        self.kind = data[8]
        left = (int.from_bytes(data[24:32], "little") + 999) // 1000
        if data[40] & 1:
            left = max(0, left - now)
        self.left = 0 if self.kind else left

    def event(self) -> bytes:
        """What is told once it is over; descriptors cannot be waited for."""
        error = Errno.NOTSUP if self.kind else Errno.SUCCESS
        return self._user + error.to_bytes(2, "little") + bytes((self.kind,)) + bytes(21)


def _of_three(descriptor: int) -> Errno:
    return Errno.SUCCESS if 0 <= descriptor <= 2 else Errno.BADF


def _absent(*_: object) -> int:
    return wasi.ENOSYS
