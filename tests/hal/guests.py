"""Small guests as WebAssembly text, and what every test of a target needs to play with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from wasmtime import wat2wasm

from hal import checks
from hal.errors import HalError
from hal.target import Cause, Ended, Event, Launch, Output, Started, Target

RETURN = '(module (func (export "main") (result i32) (i32.const {})))'
SPIN = '(module (func $spin (export "main") (loop (br 0))))'
SLEEP = """
(module (import "mma" "sleep_us" (func $sleep (param i64)))
  (func (export "main") (call $sleep (i64.const 3600000000))))"""
HELLO = """
(module (import "mma" "log" (func $log (param i32 i32) (result i32)))
  (import "mma" "result" (func $result (param i32 i32) (result i32)))
  (memory 1) (data (i32.const 16) "hello")
  (func (export "main") (result i32)
    (drop (call $log (i32.const 16) (i32.const 5)))
    (drop (call $result (i32.const 17) (i32.const 3)))
    (call $log (i32.const 0x7fffffff) (i32.const 5))))"""
FLOOD = """
(module (import "mma" "log" (func $log (param i32 i32) (result i32)))
  (memory 1) (data (i32.const 0) "0123456789abcde")
  (func (export "main") (local $n i32)
    (loop
      (drop (call $log (i32.const 0) (i32.const 15)))
      (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 5000))))))"""
EXIT = """
(module (import "mma" "exit" (func $exit (param i32)))
  (func $quit (call $exit (i32.const 7)) unreachable)
  (func (export "_start") (call $quit)))"""
GROW = """
(module (memory 1) (func (export "main") (result i32)
  (drop (memory.grow (i32.const 1))) (memory.grow (i32.const 100))))"""
ECHO = """
(module (import "mma" "arg_count" (func $count (result i32)))
  (import "mma" "arg" (func $arg (param i32 i32 i32) (result i32)))
  (import "mma" "result" (func $result (param i32 i32) (result i32)))
  (memory 1)
  (func (export "main") (result i32)
    (drop (call $result (i32.const 8) (call $arg (i32.const 1) (i32.const 8) (i32.const 100))))
    (call $count)))"""
TIME = """
(module (import "mma" "time_us" (func $time (result i64)))
  (import "mma" "sleep_us" (func $sleep (param i64)))
  (import "mma" "yield" (func $yield))
  (func (export "main") (result i32) (local $start i64)
    (local.set $start (call $time))
    (call $yield)
    (call $sleep (i64.const 20000))
    (i64.lt_u (i64.sub (call $time) (local.get $start)) (i64.const 20000))))"""
NO_PINS = """
(module (import "mma" "gpio_write" (func $write (param i32 i32) (result i32)))
  (import "mma" "gpio_mode" (func $mode (param i32 i32) (result i32)))
  (import "mma" "gpio_read" (func $read (param i32) (result i32)))
  (import "mma" "sensor_read" (func $sense (param i32 i32 i32) (result i32)))
  (memory 1)
  (func (export "main") (result i32)
    (i32.add
      (i32.add (call $write (i32.const 99) (i32.const 1)) (call $mode (i32.const 99) (i32.const 1)))
      (i32.add (call $read (i32.const 99)) (call $sense (i32.const 0) (i32.const 4) (i32.const 8))))))"""
DEEP_C = b"""#include "mma.h"
static volatile int zero;
static __attribute__((noinline)) int inner(int n) { return 7 / (n + zero); }
static __attribute__((noinline)) int outer(int n) {
    if (n == 0) return 1;
    return inner(n - 3) + zero;
}
int main(void) {
    return outer(3);
}
"""
DEEP_MESSAGE = (
    "Trap: integer divide by zero in function inner (module.c:3), "
    "called from outer (module.c:6), main (module.c:9)."
)
DEEP_TRACE = ("#0 inner (module.c:3)", "#1 outer (module.c:6)", "#2 main (module.c:9)")

RULES = """
(module (import "mma" "on_timer" (func $timer (param i64 i32) (result i32)))
  (import "mma" "off" (func $off (param i32) (result i32)))
  (import "mma" "wait" (func $wait (result i64)))
  (import "mma" "sleep_us" (func $sleep (param i64)))
  (type $handler (func (param i32)))
  (table 3 funcref) (elem (i32.const 1) $tick $count)
  (global $ticks (mut i32) (i32.const 0)) (global $late (mut i32) (i32.const 0))
  (func $tick (param $periods i32) (global.set $ticks (i32.add (global.get $ticks) (local.get $periods))))
  (func $count (param $periods i32) (global.set $late (local.get $periods)) (drop (call $off (i32.const 0))))
  (func (export "main") (result i32) (local $event i64)
    (if (i32.or (i32.ne (call $timer (i64.const 7000) (i32.const 2)) (i32.const 0))
                (i32.ne (call $timer (i64.const 10000) (i32.const 1)) (i32.const 1)))
      (then (return (i32.const 1))))
    (if (i32.ne (i32.const -2) (call $timer (i64.const 0) (i32.const 1))) (then (return (i32.const 2))))
    (if (i32.ne (i32.const -4) (call $off (i32.const 2))) (then (return (i32.const 3))))
    (call $sleep (i64.const 50000))
    (block $end (loop $again
      (local.set $event (call $wait))
      (br_if $end (i64.eq (local.get $event) (i64.const -1)))
      (call_indirect (type $handler)
        (i32.wrap_i64 (i64.shr_u (local.get $event) (i64.const 32))) (i32.wrap_i64 (local.get $event)))
      (br_if $again (i32.lt_u (global.get $ticks) (i32.const 12)))
      (drop (call $off (i32.const 1)))
      (br $again)))
    (if (i32.lt_u (global.get $late) (i32.const 7)) (then (return (i32.const 4))))
    (i32.const 0)))"""
"""Two timers, both late at first; one ends at once, the other after a dozen periods; then no rule is left.
The first rule is served first: later ones may come true again meanwhile, and tell less then."""
NO_RULES = """
(module (import "mma" "on_edge" (func $edge (param i32 i32 i32) (result i32)))
  (import "mma" "on_threshold" (func $threshold (param i32 i32) (result i32)))
  (import "mma" "pwm" (func $pwm (param i32 i32 i32) (result i32)))
  (memory 1)
  (data (i32.const 0) "\\14\\00\\00\\00\\04\\00\\00\\00\\02\\00\\00\\00\\01\\00\\00\\00\\00\\10\\00\\00nope")
  (func (export "main") (result i32)
    (if (i32.ne (i32.const -3) (call $threshold (i32.const -8) (i32.const 1))) (then (return (i32.const 1))))
    (i32.add (call $threshold (i32.const 0) (i32.const 1))
      (i32.add (call $edge (i32.const 99) (i32.const 1) (i32.const 1))
               (call $pwm (i32.const 99) (i32.const 1000) (i32.const 1))))))"""

TRAPS = {
    "unreachable executed": "(unreachable)",
    "out of bounds memory access": "(drop (i32.load (i32.const 0x7fffffff)))",
    "integer divide by zero": "(drop (i32.div_s (i32.const 1) (local.get 0)))",
    "integer overflow": "(drop (i32.div_s (i32.const 0x80000000) (i32.sub (local.get 0) (i32.const 1))))",
    "invalid conversion to integer": "(drop (i32.trunc_f32_s (f32.div (f32.const 0) (f32.const 0))))",
    "undefined element": "(call_indirect (i32.add (local.get 0) (i32.const 9)))",
    "uninitialized element": "(call_indirect (i32.add (local.get 0) (i32.const 1)))",
    "indirect call type mismatch": "(drop (call_indirect (result i32) (local.get 0)))",
    "call stack exhausted": "(call $deep (i32.const 1))",
}


def trapping(what: str) -> str:
    """A guest whose function $deep, called by $outer, does `what`."""
    return f"""
    (module (memory 1) (table 2 funcref) (elem (i32.const 0) $outer)
      (func $deep (param i32) {what} (drop (local.get 0)))
      (func $outer (call $deep (i32.const 0)))
      (func (export "main") (call $outer)))"""


def wasm(text: str, *inserts: object) -> bytes:
    """A guest's bytes; {} in the text takes an insert."""
    return bytes(wat2wasm(text.format(*inserts) if inserts else text))


async def play(target: Target, *launches: Launch, timeout: float = 60.0) -> list[Event]:
    """Spawn, and all events until every launch ended."""
    stream = target.events()
    waiting = {launch.key for launch in launches}
    events: list[Event] = []
    for launch in launches:
        await target.spawn(launch)
    async with asyncio.timeout(timeout):
        while waiting:
            event = await anext(stream)
            events.append(event)
            if isinstance(event, Ended):
                waiting.discard(event.key)
    return events


def end_of(events: Sequence[Event], key: str = "a") -> Ended:
    """The one Ended of a key, which is its last event."""
    mine = [event for event in events if getattr(event, "key", None) == key]
    assert isinstance(mine[-1], Ended)
    assert sum(isinstance(event, Ended) for event in mine) == 1
    return mine[-1]


def output_of(events: Sequence[Event], key: str = "a") -> bytes:
    """All that a key logged."""
    return b"".join(event.data for event in events if isinstance(event, Output) and event.key == key)


async def run(target: Target, launch: Launch) -> Ended:
    """Spawn one and wait for its end."""
    return end_of(await play(target, launch), launch.key)


def cause_of(ended: Ended) -> tuple[Cause, int]:
    """Cause and status."""
    return ended.cause, ended.status


async def talk(target: Target, module: bytes, too_long: bytes) -> None:
    """Play examples/talk.c: messages to it, its answers, and leave taken within a grace."""
    stream, log = target.events(), b""

    async def until(done: Callable[[Event, bytes], bool]) -> Event:
        nonlocal log
        async with asyncio.timeout(60):
            while True:
                event = await anext(stream)
                log += event.data if isinstance(event, Output) else b""
                if done(event, log):
                    return event

    await target.spawn(Launch("f/a", module))
    await until(lambda event, log: b"ready" in log)
    await target.send("f/a", b"hello")
    await target.send("f/a", b"again")
    await until(lambda event, log: b"\x021: hello\n" in log and b"\x022: again\n" in log)
    with pytest.raises(HalError, match="longer than"):
        await target.send("f/a", too_long)
    with pytest.raises(HalError, match="does not run"):
        await target.send("f/b", b"hello")
    await target.kill("f/a", 30.0)
    ended = await until(lambda event, log: isinstance(event, Ended))
    assert isinstance(ended, Ended)
    assert (ended.cause, ended.status, ended.output) == (Cause.EXITED, 0, b"2 messages")
    assert b"30000 ms left" in log


CHECKED = """(module
  (import "mma" "log" (func $log (param i32 i32) (result i32)))
  (import "mma" "on_message" (func $message (param i32 i32 i32) (result i32)))
  (import "mma" "off" (func $off (param i32) (result i32)))
  (import "mma" "wait" (func $wait (result i64)))
  (memory (export "memory") 64 (pagesize 1))
  (data (i32.const 0) "0123456789ab")
  (func (export "five") (result i32) (drop (call $wait)) (i32.const -5))
  (func (export "trap") (result i32) unreachable)
  (func (export "main") (result i32)
    (local $rule i32)
    (local.set $rule (call $message (i32.const 32) (i32.const 8) (i32.const 7)))
    (drop (call $wait))
    (drop (call $log (i32.const 0) (i32.const 12)))
    (drop (call $off (local.get $rule)))
    (i64.eq (call $wait) (i64.const -1))))
"""
"""Waits for a message, tells that its memory is what it was, and has nothing to wait for then."""


async def ask(target: Target, key: str, which: int, tag: int) -> None:
    """Have an export called. A guest that has just started may not have come to where it listens."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await target.call(key, checks.asked(which, tag))
            except HalError:
                await asyncio.sleep(0.05)


async def answer(target: Target, stream: AsyncIterator[Event], key: str, which: int, tag: int) -> int:
    """What an export of a guest returned."""
    await ask(target, key, which, tag)
    log = b""
    async with asyncio.timeout(60):
        while True:
            event = await anext(stream)
            log += event.data if isinstance(event, Output) else b""
            for line in log.split(b"\n")[:-1]:
                found = checks.read(line)
                if found is not None and found.tag == tag:
                    return found.status


async def is_checked(target: Target, module: bytes) -> None:
    """Play examples/watchman.c: well, sick, and asked to leave."""
    stream = target.events()
    await target.spawn(Launch("f/a", module, checked=("healthy", "beats")))
    async with asyncio.timeout(60):
        while not isinstance(await anext(stream), Started):
            pass
    assert await answer(target, stream, "f/a", 0, 1) == 0
    await target.send("f/a", b"sick")
    async with asyncio.timeout(60):
        while await answer(target, stream, "f/a", 0, 2) != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        while await answer(target, stream, "f/a", 1, 3) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await target.kill("f/a", 30.0)
    ended = None
    async with asyncio.timeout(60):
        while not isinstance(ended := await anext(stream), Ended):
            pass
    assert (ended.cause, ended.status) == (Cause.EXITED, 0)
    with pytest.raises(HalError, match="does not run"):
        await target.call("f/a", checks.asked(0, 4))


async def a_check_disturbs_nothing(target: Target) -> None:
    """Memory, the answer of wait, and a trap that is the guest's own."""
    stream = target.events()
    await target.spawn(Launch("f/b", wasm(CHECKED), checked=("five", "trap")))
    async with asyncio.timeout(60):
        while not isinstance(await anext(stream), Started):
            pass
    assert await answer(target, stream, "f/b", 0, 1) == -5
    await target.send("f/b", b"go")
    events: list[Event] = []
    async with asyncio.timeout(60):
        while not events or not isinstance(events[-1], Ended):
            events.append(await anext(stream))
    ended = end_of(events, "f/b")
    assert (ended.cause, ended.status) == (Cause.EXITED, 1)
    assert b"0123456789ab\n" in output_of(events, "f/b")
    await target.spawn(Launch("f/c", wasm(CHECKED), checked=("five", "trap")))
    async with asyncio.timeout(60):
        while not isinstance(await anext(stream), Started):
            pass
    await ask(target, "f/c", 1, 2)
    async with asyncio.timeout(60):
        while not isinstance(event := await anext(stream), Ended):
            pass
    assert event.cause is Cause.TRAPPED
    assert "unreachable" in event.message
