"""The module `mma` for guests on the host: what firmware/sdk/mma.h promises, by wasmtime."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wasmtime import Caller, Func, FuncType, Linker, Memory, Trap, ValType

from hal import checks
from hal.abi import ErrorNumber
from hal.aot import wasi
from hal.aot.imports import FUNCTIONS, MODULE, RULES
from hal.host.wasi import Wasi

MEMORY_EXPORT = "mma:memory"
"""Name under which every module exports its memory here; see hal.host.module."""

_TYPES = {"i32": ValType.i32, "i64": ValType.i64}


@dataclass(slots=True)
class Timer:
    """A rule: `period` in seconds, `due` in time.monotonic()'s."""

    period: float
    handler: int
    due: float


@dataclass(slots=True)
class Told:
    """A rule about what the gateway tells: that it is to end, or (`size` set) a message for its buffer."""

    handler: int
    to: int = 0
    size: int | None = None
    waiting: bytes | None = None
    """The message, or b"" for an end that is wanted."""
    value: int = 0


class Guest:
    """One executor's side of the host calls. Runs in the executor's thread, but for stop().

    No call raises: wasmtime-py keeps a callback's exception in a global that all threads share. A guest
    that exits or is killed is stopped by its engine's epoch instead, at its next loop or call.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        log: Callable[[bytes], None],
        result_bytes: int,
        interrupt: Callable[[], None],
        started: float,
        checked: Sequence[str] = (),
    ) -> None:
        """`interrupt` makes wasmtime end the guest; `started` is time.monotonic() of the target's start;
        `checked` are exports that may be called while it waits."""
        self._checked = checked
        self._asked: int | None = None
        self._calling = False
        self.exit_status: int | None = None
        self.killed = False
        self.trap: Trap | None = None
        """How an export ended that the gateway had called."""
        self.result = b""
        self.memory_bytes = 0
        self.switches = 0
        self._memory: Memory | None = None
        self.arguments = tuple(argument.encode() for argument in arguments)
        self.wasi = Wasi(self)
        self._log = log
        self._result_bytes = result_bytes
        self._interrupt = interrupt
        self._started = started
        self._timers: dict[int, Timer] = {}
        self._told: dict[int, Told] = {}
        self._lock = threading.Lock()
        """Over what the gateway's thread puts into the rules."""
        self._news = threading.Event()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Kill: ends a sleep at once and a loop at its next turn. From any thread."""
        self.killed = True
        self._stopping.set()
        self._news.set()
        self._interrupt()

    def ask_to_stop(self, grace: float) -> None:
        """Its rule about that comes true, if it has one. From any thread."""
        with self._lock:
            for rule in self._told.values():
                if rule.size is None:
                    rule.waiting, rule.value = b"", min(round(grace * 1000), (1 << 31) - 1)
        self._news.set()

    def deliver(self, data: bytes) -> ErrorNumber:
        """A message: OK, or NOENT, NOROOM, BUSY. From any thread."""
        with self._lock:
            rule = next((rule for rule in self._told.values() if rule.size is not None), None)
            if rule is None or rule.size is None:
                return ErrorNumber.NOENT
            if len(data) > rule.size:
                return ErrorNumber.NOROOM
            if rule.waiting is not None:
                return ErrorNumber.BUSY
            rule.waiting, rule.value = data, len(data)
        self._news.set()
        return ErrorNumber.OK

    def ask(self, request: int) -> None:
        """Have an export called; the newest request counts. From any thread."""
        with self._lock:
            self._asked = request
        self._news.set()

    def define(self, linker: Linker, with_wasi: bool = False) -> None:
        """Give a linker all that a guest may import."""
        calls = {(MODULE, name): getattr(self, f"call_{name}") for name in FUNCTIONS}
        types = {(MODULE, name): signature for name, signature in FUNCTIONS.items()}
        if with_wasi:
            calls |= {(wasi.MODULE, name): call for name, call in self.wasi.functions().items()}
            types |= {(wasi.MODULE, name): signature for name, signature in wasi.FUNCTIONS.items()}
        for (module, name), call in calls.items():
            signature = types[module, name]
            kind = FuncType(
                [_TYPES[one]() for one in signature.parameters], [_TYPES[one]() for one in signature.results]
            )
            linker.define_func(module, name, kind, call, access_caller=True)

    # -- rules: no edges and thresholds, since the host has no pins and sensors ---------------------

    def call_on_timer(self, caller: Caller, period: int, handler: int) -> int:
        period &= 0xFFFF_FFFF_FFFF_FFFF
        if not period or handler == -1:
            return ErrorNumber.INVALID
        number = self._free_rule()
        if number >= 0:
            self._timers[number] = Timer(period / 1e6, handler, time.monotonic() + period / 1e6)
        return number

    def _free_rule(self) -> int:
        free = (number for number in range(RULES) if number not in self._timers and number not in self._told)
        return next(free, ErrorNumber.NOROOM)

    def call_on_stop(self, caller: Caller, handler: int) -> int:
        return self._tell(Told(handler))

    def call_on_message(self, caller: Caller, to: int, size: int, handler: int) -> int:
        if self.read(caller, to, size) is None:
            return ErrorNumber.FAULT
        return self._tell(Told(handler, to & 0xFFFF_FFFF, size & 0xFFFF_FFFF))

    def _tell(self, rule: Told) -> int:
        if rule.handler == -1:
            return ErrorNumber.INVALID
        number = self._free_rule()
        if number >= 0:
            with self._lock:
                self._told[number] = rule
        return number

    def call_off(self, caller: Caller, rule: int) -> int:
        with self._lock:
            gone = self._timers.pop(rule, None) or self._told.pop(rule, None)
        return ErrorNumber.NOENT if gone is None else ErrorNumber.OK

    def call_wait(self, caller: Caller) -> int:
        self.switches += 1
        while (self._timers or self._told) and not self._stopping.is_set() and not self._calling:
            self._news.clear()
            if not self._answer(caller):
                break
            told = self._take_told(caller)
            if told is not None:
                return told
            if not self._timers:
                self._news.wait(threading.TIMEOUT_MAX)
                continue
            # the one that is due for longest, so that each has its turn
            timer = min(self._timers.values(), key=lambda timer: timer.due)
            left = timer.due - time.monotonic()
            if left <= 0:
                periods = 1 + int(-left / timer.period)
                timer.due += periods * timer.period
                return (timer.handler & 0xFFFF_FFFF) | min(periods, 100) << 32
            self._news.wait(min(left, threading.TIMEOUT_MAX))
        return -1

    def _answer(self, caller: Caller) -> bool:
        """Call the export that was asked for, if one was. False when it trapped: then the guest is to end,
        by the same trap as on a device, where it is one of the guest's own."""
        with self._lock:
            request, self._asked = self._asked, None
        if request is None:
            return True
        export = caller.get(self._checked[checks.which(request)])
        assert isinstance(export, Func)  # looked at before it was launched
        self._calling = True
        try:
            status = export(caller)
        except Trap as error:
            self.trap = self.trap or error
            self._stopping.set()
            self._interrupt()
            return False
        finally:
            self._calling = False
        if not self._stopping.is_set():
            self._log(checks.line(request, int(status)) + b"\n")
        return True

    def _take_told(self, caller: Caller) -> int | None:
        """What wait() gives for a rule that came true; its message is in the guest's memory by then."""
        with self._lock:
            rule = next((rule for rule in self._told.values() if rule.waiting is not None), None)
            if rule is None:
                return None
            data, rule.waiting = rule.waiting, None
        memory = self._memory_of(caller)
        if data and memory is not None:
            memory.write(caller, data, rule.to)
        return (rule.handler & 0xFFFF_FFFF) | rule.value << 32

    def call_on_edge(self, caller: Caller, pin: int, edges: int, handler: int) -> int:
        return ErrorNumber.NOENT

    def call_on_threshold(self, caller: Caller, threshold: int, handler: int) -> int:
        what = self.read(caller, threshold, 20)  # struct mma_threshold of mma.h
        if what is None or self.read(caller, *struct.unpack_from("<II", what)) is None:
            return ErrorNumber.FAULT
        return ErrorNumber.NOENT

    def call_pwm(self, caller: Caller, pin: int, period: int, high: int) -> int:
        return ErrorNumber.NOENT

    # -- the other calls, by their import names -----------------------------------------------------------

    def call_log(self, caller: Caller, pointer: int, length: int) -> int:
        data = self.read(caller, pointer, length)
        if data is None:
            return ErrorNumber.FAULT
        self.log_line(data)
        return ErrorNumber.OK

    def log_line(self, line: bytes) -> None:
        """A line of its log, without the newline."""
        if not self._stopping.is_set():
            self._log(line + b"\n")

    def call_result(self, caller: Caller, pointer: int, length: int) -> int:
        data = self.read(caller, pointer, length)
        if data is None:
            return ErrorNumber.FAULT
        if len(data) > self._result_bytes:
            return ErrorNumber.NOROOM
        if not self._stopping.is_set():
            self.result = data
        return ErrorNumber.OK

    def call_arg_count(self, caller: Caller) -> int:
        return len(self.arguments)

    def call_arg(self, caller: Caller, index: int, pointer: int, capacity: int) -> int:
        if not 0 <= index < len(self.arguments):
            return ErrorNumber.NOENT
        argument = self.arguments[index]
        if not self.write(caller, argument[: capacity & 0xFFFF_FFFF], pointer):
            return ErrorNumber.FAULT
        return len(argument)

    def call_sleep_us(self, caller: Caller, microseconds: int) -> None:
        self.switches += 1
        # threads cannot wait for longer than this at once; no task lives for centuries
        seconds = min((microseconds & 0xFFFF_FFFF_FFFF_FFFF) / 1e6, threading.TIMEOUT_MAX)
        self._stopping.wait(seconds)

    def call_time_us(self, caller: Caller) -> int:
        return int((time.monotonic() - self._started) * 1e6)

    def call_yield(self, caller: Caller) -> None:
        self.switches += 1
        time.sleep(0)

    def call_exit(self, caller: Caller, status: int) -> None:
        if not self._stopping.is_set():
            self.exit_status = status
            self._stopping.set()
        self._interrupt()

    def call_sensor_read(self, caller: Caller, name: int, length: int, to: int) -> int:
        if self.read(caller, name, length) is None or self.read(caller, to, 4) is None:
            return ErrorNumber.FAULT
        return ErrorNumber.NOENT  # the host has no sensors, so none can be granted either

    def call_gpio_mode(self, caller: Caller, pin: int, mode: int) -> int:
        return ErrorNumber.NOENT

    def call_gpio_write(self, caller: Caller, pin: int, level: int) -> int:
        return ErrorNumber.NOENT

    def call_gpio_read(self, caller: Caller, pin: int) -> int:
        return ErrorNumber.NOENT

    # -- its memory ---------------------------------------------------------------------------------------

    def read(self, caller: Caller, pointer: int, length: int) -> bytes | None:
        """The guest's bytes, or None if they leave its memory."""
        memory = self._memory_of(caller)
        pointer, length = pointer & 0xFFFF_FFFF, length & 0xFFFF_FFFF
        if memory is None:
            return b"" if pointer == length == 0 else None
        self.memory_bytes = memory.data_len(caller)
        if pointer + length > self.memory_bytes:
            return None
        return bytes(memory.read(caller, pointer, pointer + length))

    def write(self, caller: Caller, data: bytes, pointer: int) -> bool:
        """Into the guest's memory; False if that would leave it."""
        memory = self._memory_of(caller)
        pointer &= 0xFFFF_FFFF
        if pointer + len(data) > (memory.data_len(caller) if memory else 0):
            return False
        if memory and data:
            memory.write(caller, data, pointer)
        return True

    def _memory_of(self, caller: Caller) -> Memory | None:
        """The guest's memory; looked up once, since an instance keeps the one it has."""
        if self._memory is None:
            memory = caller.get(MEMORY_EXPORT)
            self._memory = memory if isinstance(memory, Memory) else None
        return self._memory
