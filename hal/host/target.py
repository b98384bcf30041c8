"""The Target `host`: spawns executors on the gateway itself and turns what they do into events."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Collection, Mapping
from functools import partial
from importlib import metadata

from wasmtime import WasmtimeError

from hal import aot
from hal.abi import ErrorNumber
from hal.aot import binary, checks
from hal.broadcast import Broadcast, Stream
from hal.budget import TABLE_NAME, Needs, Parts, split
from hal.errors import BudgetError, HalError, ModuleError
from hal.host.executor import Executor, Outcome
from hal.target import (
    MEBIBYTE,
    Artifact,
    Cause,
    Connection,
    Description,
    Ended,
    Event,
    Launch,
    Output,
    Progress,
    Scalar,
    Stage,
    Started,
    Usage,
)

log = logging.getLogger(__name__)

KIBIBYTE = 1 << 10
LEAST_STACK, MOST_STACK = 16 * KIBIBYTE, 4 * MEBIBYTE
"""A thread's own stack is 8 MiB on Linux; host calls need some of it."""
SEND_TRIES, SEND_PAUSE = 20, 0.1
"""How often, and how many seconds apart, a message is sent to a guest that is still at the last one."""
JOIN_TIME = 5.0
"""Seconds that close() waits for each executor's thread: one that compiles cannot be interrupted."""


class HostTarget:
    """Executors on the gateway's own CPU."""

    def __init__(
        self, name: str = "host", *, cpus: float | None = None, mem_bytes: int | None = None
    ) -> None:
        """`cpus` and `mem_bytes` are what it offers: all cores and half of the RAM if None."""
        self._name = name
        self._cpus = cpus or float(os.cpu_count() or 1)
        self._mem = mem_bytes or _half_of_ram()
        self._events = Broadcast()
        self._executors: dict[str, Executor] = {}
        self._launches: dict[str, asyncio.Task[None]] = {}
        self._kills: set[asyncio.Task[None]] = set()
        self._ended: dict[str, asyncio.Event] = {}
        self._since = time.monotonic()

    @property
    def name(self) -> str:
        return self._name

    async def open(self) -> None:
        self._since = time.monotonic()
        self._events.publish(Connection(True, "The host is always there."))

    async def close(self) -> None:
        """Kill what runs; the host's executors cannot outlive the gateway."""
        for task in [*self._launches.values(), *self._kills]:
            task.cancel()
        for executor in self._executors.values():
            executor.kill()
        for key, executor in list(self._executors.items()):
            if not await asyncio.to_thread(executor.join, JOIN_TIME):
                log.warning("The executor of %s is still compiling; it is left behind.", key)
        await asyncio.sleep(0)  # their last callbacks are queued in the loop by now
        self._events.close()

    def describe(self) -> Description:
        attributes = {
            "board": "host",
            "mcu": platform.processor() or platform.machine(),
            "isa": platform.machine(),
            "firmware": f"wasmtime {metadata.version('wasmtime')}",
            "isolation": "wasmtime",
        }
        megabytes = int(self._mem * 1000 / MEBIBYTE) / 1000  # Mesos would round up what is not there
        # Executors write nothing to disk; masters want some of it for the executor of a task group.
        disk = shutil.disk_usage(tempfile.gettempdir()).total // 2 // MEBIBYTE
        resources = (Scalar("cpus", self._cpus), Scalar("mem", megabytes), Scalar("disk", disk))
        return Description(self._name, resources, attributes, self._mem, bursts=True)

    async def recover(
        self, keys: Collection[str], offsets: Mapping[str, int] | None = None
    ) -> frozenset[str]:
        """Executors are threads of the gateway: a restarted one has none, a removed agent's live on."""
        for key in self._ended.keys() - set(keys):
            await self.kill(key)
        return frozenset(self._ended.keys() & set(keys))

    async def release(self, key: str) -> None:
        """Nothing is kept of an executor that ended."""

    async def spawn(self, launch: Launch) -> None:
        if launch.key in self._ended:
            raise HalError(f"An executor with the key {launch.key} is there already.")
        self._ended[launch.key] = asyncio.Event()
        task = asyncio.create_task(self._launch(launch), name=f"launch {launch.key}")
        self._launches[launch.key] = task
        task.add_done_callback(lambda _: self._launches.pop(launch.key, None))

    async def kill(self, key: str, grace: float = 0.0) -> None:
        if key in self._ended:
            task = asyncio.create_task(self._kill(key, grace), name=f"kill {key}")
            self._kills.add(task)
            task.add_done_callback(self._kills.discard)

    async def send(self, key: str, data: bytes) -> None:
        for _ in range(SEND_TRIES):
            executor = self._executors.get(key)
            if executor is None:
                raise HalError("The executor does not run.")
            match executor.deliver(data):
                case ErrorNumber.OK:
                    return
                case ErrorNumber.NOENT:
                    raise HalError("The executor takes no messages.", remedy="Let it call on_message.")
                case ErrorNumber.NOROOM:
                    raise HalError("The message is longer than what the executor has room for.")
            await asyncio.sleep(SEND_PAUSE)
        raise HalError("The executor is too busy to take the message.")

    async def call(self, key: str, request: int) -> None:
        executor = self._executors.get(key)
        if executor is None:
            raise HalError("The executor does not run.")
        executor.call(request)

    async def usage(self) -> Mapping[str, Usage]:
        return {key: executor.usage() for key, executor in self._executors.items()}

    def events(self) -> Stream:
        return self._events.subscribe()

    async def size(self, launch: Launch) -> Parts:
        """What a launch would take, to the byte, before it is made. BudgetError where it does not fit."""
        module = await asyncio.to_thread(_read, launch.module)
        return self._parts(launch, module)

    # -- a launch ------------------------------------------------------------------------------------

    async def _launch(self, launch: Launch) -> None:
        key, publish = launch.key, self._events.publish
        try:
            publish(Progress(key, Stage.VALIDATE, 0, 1))
            module = await asyncio.to_thread(_read, launch.module)
            checks.exports(module, launch.checked)
            publish(Progress(key, Stage.VALIDATE, 1, 1))
            parts = self._parts(launch, module)
            publish(Artifact(key, TABLE_NAME, parts.table()))
            self._start(launch, module, parts)
        except ModuleError as error:
            self._end(key, Ended(key, Cause.MODULE_REJECTED, message=str(error)))
        except BudgetError as error:
            self._end(key, Ended(key, Cause.NO_ROOM, message=str(error)))
        except asyncio.CancelledError:
            self._end(key, Ended(key, Cause.KILLED, message="The executor was killed before it began."))
        except (WasmtimeError, RuntimeError) as error:  # RuntimeError: no more threads
            self._executors.pop(key, None)
            message = f"The host could not run it: {error}."
            self._end(key, Ended(key, Cause.LAUNCH_FAILED, message=message))

    def _start(self, launch: Launch, module: binary.Module, parts: Parts) -> None:
        key, loop = launch.key, asyncio.get_running_loop()

        def later(event: Event) -> None:
            _call_soon(loop, partial(self._events.publish, event))

        executor = Executor(
            key,
            module,
            launch.arguments,
            parts,
            launch.budget.burst,
            cpus=launch.budget.cpus,
            since=self._since,
            checked=launch.checked,
            on_stage=lambda stage, done: later(Progress(key, stage, int(done), 1)),
            on_started=lambda: later(Started(key)),
            on_log=lambda: _call_soon(loop, partial(self._take_log, key)),
            on_ended=lambda outcome: _call_soon(loop, partial(self._on_ended, key, outcome)),
        )
        self._executors[key] = executor
        executor.start()

    def _parts(self, launch: Launch, module: binary.Module) -> Parts:
        """Split the budget. What nobody chose grows with the total."""
        if launch.grants.gpio or launch.grants.sensors:
            what = ", ".join([*sorted(launch.grants.sensors), *(f"gpio {pin}" for pin in launch.grants.gpio)])
            raise BudgetError(f"The host has no {what}.", missing=0, where="grants")
        stack = launch.budget.stack
        if stack is not None and stack > MOST_STACK:
            raise BudgetError(
                f"A stack of {stack} bytes is too large: the host's most is {MOST_STACK}.",
                missing=0,
                where="stack",
            )
        total = launch.budget.total or MEBIBYTE
        small = min(max(total // 32, KIBIBYTE), 64 * KIBIBYTE)
        needs = Needs(
            code=len(module.data),
            stack=min(max(total // 16, LEAST_STACK), MEBIBYTE),
            least_stack=LEAST_STACK,
            memory=sum(memory.minimum * memory.page for memory in module.memories),
            log=small,
            result=small,
        )
        parts = split(launch.budget, needs)
        taken = sum(executor.parts.total for executor in self._executors.values())
        if taken + parts.total > self._mem:
            missing = taken + parts.total - self._mem
            raise BudgetError(f"The host has {missing} bytes too few.", missing=missing, where="memory")
        return parts

    # -- callbacks of executors, in the loop -----------------------------------------------------------

    def _take_log(self, key: str) -> None:
        data, dropped = self._executors[key].ring.take()
        if data or dropped:
            self._events.publish(Output(key, data, dropped))

    def _on_ended(self, key: str, outcome: Outcome) -> None:
        self._take_log(key)
        executor = self._executors.pop(key)
        end = Ended(
            key,
            outcome.cause,
            outcome.status,
            outcome.message,
            executor.result,
            executor.usage(),
            outcome.trace,
        )
        self._end(key, end)

    def _end(self, key: str, end: Ended) -> None:
        self._ended.pop(key).set()
        self._events.publish(end)

    async def _kill(self, key: str, grace: float) -> None:
        ended = self._ended[key]
        if grace > 0 and key in self._executors:
            self._executors[key].ask_to_stop(grace)
        try:
            async with asyncio.timeout(grace):
                await ended.wait()
        except TimeoutError:
            if key in self._executors:
                self._executors[key].kill()
            elif key in self._launches:
                self._launches[key].cancel()


def _read(data: bytes) -> binary.Module:
    aot.validate(data)
    return binary.read(data)


def _call_soon(loop: asyncio.AbstractEventLoop, call: partial[None]) -> None:
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        log.debug("The gateway is gone; an executor's event is lost with it.")


def _half_of_ram() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
