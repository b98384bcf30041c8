"""One executor on the host: a thread with an engine, a store and a guest of its own.

An engine of its own gives each executor its own stack limit and its own epoch, so that one can be stopped
without its neighbours noticing. CPU shares become nice values of the thread: under load Linux gives one
nice step about 1.25 times the next one's time (sched(7)), and the gateway itself stays ahead.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wasmtime import Config, Engine, Frame, Func, Linker, Memory, Module, Store, Trap, TrapCode, WasmtimeError

from hal import abi, ends
from hal.abi import ErrorNumber
from hal.aot import binary, wasi
from hal.aot.imports import entry_name
from hal.aot.lines import WASM, Spot, read_lines
from hal.budget import Parts
from hal.host.guest import MEMORY_EXPORT, Guest
from hal.host.module import export_memory
from hal.host.ring import LogRing
from hal.target import Cause, Stage, Usage

log = logging.getLogger(__name__)

LOWEST_NICE = 19
NICE_RATIO = 1.25

TRAPS = {
    TrapCode.STACK_OVERFLOW: abi.Trap.STACK,
    TrapCode.MEMORY_OUT_OF_BOUNDS: abi.Trap.MEMORY,
    TrapCode.TABLE_OUT_OF_BOUNDS: abi.Trap.TABLE,
    TrapCode.INDIRECT_CALL_TO_NULL: abi.Trap.NULL,
    TrapCode.NULL_REFERENCE: abi.Trap.NULL,
    TrapCode.BAD_SIGNATURE: abi.Trap.SIGNATURE,
    TrapCode.INTEGER_OVERFLOW: abi.Trap.OVERFLOW,
    TrapCode.INTEGER_DIVISION_BY_ZERO: abi.Trap.DIVIDE,
    TrapCode.BAD_CONVERSION_TO_INTEGER: abi.Trap.CONVERSION,
    TrapCode.UNREACHABLE: abi.Trap.UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended, as Ended wants it."""

    cause: Cause
    status: int = 0
    message: str = ""
    trace: tuple[str, ...] = ()


class Executor:
    """Runs one module in a thread from start() until its end.

    The callbacks come in the executor's thread: `on_stage` before and after compiling and linking,
    `on_started`, `on_log` when there is output to take(), `on_ended` as the last one.
    """

    def __init__(
        self,
        name: str,
        module: binary.Module,
        arguments: Sequence[str],
        parts: Parts,
        burst: int,
        *,
        cpus: float,
        since: float,
        checked: Sequence[str] = (),
        on_stage: Callable[[Stage, bool], None],
        on_started: Callable[[], None],
        on_log: Callable[[], None],
        on_ended: Callable[[Outcome], None],
    ) -> None:
        self.parts = parts
        self._most_memory = parts.linear + burst
        self.ring = LogRing(parts.log, on_log)
        self._module = module
        self._cpus = cpus
        self._on_stage, self._on_started, self._on_ended = on_stage, on_started, on_ended
        self._engine = Engine(_config(parts.stack))
        interrupt = self._engine.increment_epoch
        self._guest = Guest(arguments, self.ring.write, parts.result, interrupt, since, checked)
        self._clock: int | None = None
        self._cpu_seconds = 0.0
        self._thread = threading.Thread(target=self._main, name=f"executor {name}", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def kill(self) -> None:
        """End it, whatever it does. Idempotent; from any thread."""
        self._guest.stop()

    def ask_to_stop(self, grace: float) -> None:
        """Tell the guest that it is to end within `grace` seconds; from any thread."""
        self._guest.ask_to_stop(grace)

    def deliver(self, data: bytes) -> ErrorNumber:
        """Hand a message to the guest; from any thread."""
        return self._guest.deliver(data)

    def call(self, request: int) -> None:
        """Have an export called when the guest waits; from any thread."""
        self._guest.ask(request)

    def join(self, timeout: float) -> bool:
        """Wait until the thread has ended; False if it has not in `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def result(self) -> bytes:
        """What the guest published so far."""
        return self._guest.result

    def usage(self) -> Usage:
        """What it used so far."""
        seconds = self._cpu_seconds
        if self._clock is not None:
            with contextlib.suppress(OSError):  # the thread ended just now
                seconds = time.clock_gettime(self._clock)
        return Usage(
            cpu_seconds=seconds,
            switches=self._guest.switches,
            code_bytes=self.parts.code,
            stack_bytes=self.parts.stack,
            memory_bytes=self.parts.linear,
            memory_peak=self._guest.memory_bytes,
        )

    # -- in its thread --------------------------------------------------------------------------------

    def _main(self) -> None:
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._renice()
        try:
            outcome = self._run()
        except Exception as error:  # a thread that dies in silence would leave the task running for ever
            log.exception("The executor's thread failed")
            outcome = Outcome(Cause.LAUNCH_FAILED, message=f"The host could not run it: {error}.")
        self._cpu_seconds = time.thread_time()
        self._clock = None
        self._on_ended(outcome)

    def _renice(self) -> None:
        steps = math.log(max(self._cpus, 0.001), NICE_RATIO)
        nice = min(LOWEST_NICE, max(0, round(-steps)))
        with contextlib.suppress(OSError):  # Linux takes thread ids here; elsewhere shares are not kept
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)

    def _run(self) -> Outcome:
        self._on_stage(Stage.COMPILE, False)
        with Module(self._engine, export_memory(self._module)) as module, Store(self._engine) as store:
            self._on_stage(Stage.COMPILE, True)
            self._on_stage(Stage.LINK, False)
            store.set_limits(memory_size=self._most_memory, instances=1, memories=1)
            store.set_epoch_deadline(1)
            with Linker(self._engine) as linker:
                self._guest.define(linker, wasi.used(self._module))
                if self._guest.killed:
                    return self._stopped()
                return self._call(linker, module, store)

    def _call(self, linker: Linker, module: Module, store: Store) -> Outcome:
        memory = None
        try:
            instance = linker.instantiate(store, module)
            memory = instance.exports(store).get(MEMORY_EXPORT)
            if isinstance(memory, Memory):
                self._guest.memory_bytes = memory.data_len(store)
            entry = instance.exports(store).get(entry_name(self._module) or "")
            assert isinstance(entry, Func)  # validated
            self._on_stage(Stage.LINK, True)
            self._on_started()
            status = entry(store)
        except Trap as trap:
            return self._trapped(trap)
        except WasmtimeError as error:
            return Outcome(Cause.LAUNCH_FAILED, message=f"wasmtime refused the module: {error}".strip())
        finally:
            if isinstance(memory, Memory):
                self._guest.memory_bytes = memory.data_len(store)
        if self._guest.trap is not None:
            return self._trapped(self._guest.trap)
        if self._guest.exit_status is not None or self._guest.killed:
            return self._stopped()  # killed in a sleep, it may have come to its end without a loop
        self._guest.wasi.flush()
        status = status or 0
        return Outcome(Cause.EXITED, status, ends.exited(status))

    def _stopped(self) -> Outcome:
        status = self._guest.exit_status
        if status is not None:
            return Outcome(Cause.EXITED, status, ends.exited(status))
        return Outcome(Cause.KILLED, message=ends.killed())

    def _trapped(self, trap: Trap) -> Outcome:
        if self._guest.exit_status is not None or self._guest.killed:
            # code after a call of exit that cannot return is `unreachable` in most compilers' output
            return self._stopped()
        trap = self._guest.trap or trap  # of an export that the gateway had called: it came first
        kind = TRAPS.get(trap.trap_code) if trap.trap_code else None
        words = kind.words if kind else trap.message.splitlines()[-1]
        chain = self._chain(trap.frames)
        return Outcome(Cause.TRAPPED, int(kind or 0), ends.trapped(words, chain), ends.trace(chain))

    def _chain(self, frames: Sequence[Frame]) -> list[ends.Call]:
        lines = read_lines(self._module.data)
        shift = len(export_memory(self._module)) - len(self._module.data)  # all before the code
        chain = []
        for frame in frames:
            place = frame.module_offset - shift
            spot = lines.at(place) or Spot(WASM, place)
            chain.append(ends.Call(self._module.function_name(frame.func_index), str(spot)))
        return chain


def _config(stack: int) -> Config:
    """The features that hal.aot.validate admits, an epoch to stop by, and the stack limit in bytes."""
    config = Config()
    config.epoch_interruption = True
    config.max_wasm_stack = stack
    config.wasm_custom_page_sizes = True
    return config
