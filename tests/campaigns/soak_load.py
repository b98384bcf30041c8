"""The framework of soak.py: some tasks of each kind at all times, each of which must end as its kind does."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from v1_scheduler import Json, Scheduler, scalar
from wasmtime import wat2wasm

from hal.guest import build_module

EXAMPLES = Path(__file__).parents[2] / "firmware" / "sdk" / "examples"
ROOM = {"stm32f4": (4, 0.016), "microbit": (2, 0.005), "host": (4, 1.0)}
"""Tasks at a time and MB of each, by target."""
LIVING = ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")
LATE = 180.0
"""Seconds after which a task that has not ended is a complaint."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a task does, and how it must end."""

    module: bytes
    state: str
    data: bytes | None = b""
    arguments: tuple[str, ...] = ()
    killed: bool = False
    talks: bool = False


@dataclass(slots=True)
class Living:
    """A task that was launched and has not ended."""

    kind: Kind
    target: str
    agent: str
    since: float
    mercy: float
    """When it is killed (again), if it is of that kind; time.monotonic()."""
    excused: bool = False
    told: bool = False


def nap(number: int) -> bytes:
    """Each number has a module of its own, which has to be compiled."""
    return bytes(
        wat2wasm(f"""
        (module (import "mma" "sleep_us" (func $sleep (param i64)))
          (import "mma" "result" (func $result (param i32 i32) (result i32)))
          (memory 1) (data (i32.const 0) "rested")
          (func (export "main") (result i32)
            (call $sleep (i64.const {400_000 + number}))
            (drop (call $result (i32.const 0) (i32.const 6)))
            (i32.const 0)))""")
    )


LONG = bytes(
    wat2wasm("""
    (module (import "mma" "sleep_us" (func $sleep (param i64)))
      (func (export "main") (call $sleep (i64.const 3600000000))))""")
)
CHATTY = bytes(
    wat2wasm("""
    (module (import "mma" "log" (func $log (param i32 i32) (result i32)))
      (memory 1) (data (i32.const 0) "the same words again and again")
      (func (export "main") (local i32)
        (loop (drop (call $log (i32.const 0) (i32.const 30)))
          (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 400))))))""")
)
TRAP = bytes(wat2wasm('(module (func (export "main") unreachable))'))


class Load:
    """Launches, kills, talks; `count`, `ends` and `complaints` tell what came of it."""

    def __init__(self, scheduler: Scheduler, draw: random.Random, pace: float) -> None:
        self._scheduler = scheduler
        self._random = draw
        self._pause = 1 / pace
        self._living: dict[str, Living] = {}
        self._numbers = itertools.count()
        self._kinds = {
            "fib": Kind(build_module(EXAMPLES / "fib.c"), "TASK_FINISHED", b"6765", ("20",)),
            "nap": Kind(nap(0), "TASK_FINISHED", b"rested"),
            "trap": Kind(TRAP, "TASK_FAILED"),
            "long": Kind(LONG, "TASK_KILLED", killed=True),
            "chatty": Kind(CHATTY, "TASK_FINISHED"),
            "nonsense": Kind(b"\0asm\1\0\0\0\x0b", "TASK_FAILED"),
            "talk": Kind(build_module(EXAMPLES / "talk.c"), "TASK_KILLED", None, killed=True, talks=True),
        }
        self.count = self.answered = self.excused = 0
        self.ends: Counter[str] = Counter()
        self.by_state: Counter[str] = Counter()
        self.ended: dict[str, str] = {}
        self.complaints: list[str] = []

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._launch())
            group.create_task(self._care())

    async def settle(self, seconds: float) -> None:
        """Launch no more; until all have ended."""
        caring = asyncio.create_task(self._care())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._living:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
        caring.cancel()
        await asyncio.wait([caring])
        self.complaints += [f"{name} on {one.target} never ended" for name, one in self._living.items()]

    def excuse(self, target: str) -> None:
        """The board restarts: what it runs may end otherwise."""
        for one in self._living.values():
            one.excused = one.excused or one.target == target

    async def _launch(self) -> None:
        while True:
            offer = await self._scheduler.offer(timeout=3600)
            target = next(item["text"]["value"] for item in offer["attributes"] if item["name"] == "target")
            most, mem = ROOM[target]
            offered = sum(item["scalar"]["value"] for item in offer["resources"] if item["name"] == "mem")
            if sum(one.target == target for one in self._living.values()) >= most or offered < mem:
                decline = {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.3}}
                await self._scheduler.call("DECLINE", decline=decline)
                continue
            names = [name for name, one in self._kinds.items() if not one.talks or target != "microbit"]
            which, number = self._random.choice(names), next(self._numbers)
            kind, name, now = self._kinds[which], f"{number:05}-{which}", time.monotonic()
            module = nap(number) if which == "nap" and number % 4 == 0 else kind.module
            mercy = now + self._random.uniform(0.1, 4.0)
            self._living[name] = Living(kind, target, offer["agent_id"]["value"], now, mercy)
            self.count += 1
            task = {
                "task_id": name,
                "data": module,
                "command": {"shell": False, "value": which, "arguments": list(kind.arguments)},
                "resources": [scalar("cpus", 0.05), scalar("mem", mem)],
            }
            await self._scheduler.launch(offer, task)
            await asyncio.sleep(self._pause)

    async def _care(self) -> None:
        """Hear what is told; kill and talk to those that are for it."""
        while True:
            await asyncio.sleep(0.1)
            updates, self._scheduler.updates[:] = list(self._scheduler.updates), []
            for update in updates:
                self._hear(update)
            self.answered += len(self._scheduler.messages)
            self._scheduler.messages.clear()
            now = time.monotonic()
            for name, one in list(self._living.items()):
                if one.kind.killed and now >= one.mercy:
                    one.mercy = now + 5.0  # again and again: a device may be away
                    await self._scheduler.kill(name, grace=2.0 if one.kind.talks else None)
                elif one.kind.talks and one.told and self._random.random() < 0.2:
                    message = {"agent_id": {"value": one.agent}, "executor_id": {"value": name}}
                    data = base64.b64encode(b"hello").decode()
                    await self._scheduler.call("MESSAGE", message={**message, "data": data})
                if now - one.since > LATE:
                    self.complaints.append(f"{name} on {one.target} has not ended after {LATE:.0f} s")
                    one.since = now + 1e9

    def _hear(self, update: Json) -> None:
        name, state = update["task_id"]["value"], update["state"]
        one = self._living.get(name)
        if one is None:
            return  # an update that is sent again
        one.told = one.told or state == "TASK_RUNNING"
        if state in LIVING:
            return
        del self._living[name]
        data = base64.b64decode(update.get("data", ""))
        self.by_state[state] += 1
        self.ended[name] = state
        self.ends[f"{name[6:]} {state}"] += 1
        right = state == one.kind.state and one.kind.data in (None, data)
        if not right and one.excused:
            self.excused += 1
        elif not right and not (one.kind.killed and state == "TASK_KILLED"):
            words = update.get("message")
            self.complaints.append(f"{name} on {one.target} ended as {state} with {data!r}: {words}")
