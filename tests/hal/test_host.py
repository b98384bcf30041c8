"""The target `host`: real WebAssembly in wasmtime, killed, trapped and limited."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import guests
import pytest
import pytest_asyncio
from guests import cause_of, end_of, output_of, play, run, wasm

from hal.errors import HalError
from hal.guest import build_module
from hal.host import HostTarget
from hal.target import (
    MEBIBYTE,
    Artifact,
    Budget,
    Cause,
    Ended,
    Grants,
    Launch,
    Output,
    Progress,
    Scalar,
    Stage,
    Started,
    Target,
)

EXAMPLES = Path(str(resources.files("firmware"))) / "sdk" / "examples"


@pytest_asyncio.fixture
async def host() -> AsyncIterator[HostTarget]:
    target = HostTarget(cpus=2, mem_bytes=256 * MEBIBYTE)
    await target.open()
    yield target
    await target.close()


def test_it_is_a_target() -> None:
    target: Target = HostTarget(cpus=2, mem_bytes=100 * MEBIBYTE)
    description = target.describe()
    assert Scalar("cpus", 2) in description.resources
    assert Scalar("mem", 100.0) in description.resources
    assert description.mem_bytes == 100 * MEBIBYTE
    assert description.attributes["isolation"] == "wasmtime"


async def test_a_task_logs_publishes_and_returns(host: HostTarget) -> None:
    events = await play(host, Launch("a", wasm(guests.HELLO)))
    ended = end_of(events)
    assert output_of(events) == b"hello\n"
    assert (ended.cause, ended.status, ended.output) == (Cause.EXITED, -3, b"ell")
    assert "status -3" in ended.message
    assert ended.usage.memory_bytes >= 65536
    assert ended.usage.memory_peak == 65536
    assert ended.usage.cpu_seconds > 0
    stages = [event.stage for event in events if isinstance(event, Progress) and event.done]
    assert stages == [Stage.VALIDATE, Stage.COMPILE, Stage.LINK]
    kinds = [type(event) for event in events if not isinstance(event, Progress)]
    assert kinds == [Artifact, Started, Output, Ended]


@pytest.mark.parametrize("status", [0, 1, -1])
async def test_the_status_is_what_main_returns(host: HostTarget, status: int) -> None:
    ended = await run(host, Launch("a", wasm(guests.RETURN, status)))
    assert (ended.cause, ended.status, bool(ended.message)) == (Cause.EXITED, status, status != 0)


async def test_exit_ends_at_once(host: HostTarget) -> None:
    ended = await run(host, Launch("a", wasm(guests.EXIT)))
    assert (ended.cause, ended.status) == (Cause.EXITED, 7)


async def test_arguments(host: HostTarget) -> None:
    ended = await run(host, Launch("a", wasm(guests.ECHO), arguments=("one", "zwei \u20ac")))
    assert (ended.status, ended.output) == (2, "zwei \u20ac".encode())


async def test_time_passes_in_sleep(host: HostTarget) -> None:
    ended = await run(host, Launch("a", wasm(guests.TIME)))
    assert ended.status == 0
    assert ended.usage.switches == 2


@pytest.mark.parametrize("words", guests.TRAPS)
async def test_every_trap_is_named_with_its_function(host: HostTarget, words: str) -> None:
    ended = await run(host, Launch("a", wasm(guests.trapping(guests.TRAPS[words]))))
    assert ended.cause is Cause.TRAPPED
    assert ended.message.startswith(f"Trap: {words} in function deep (wasm 0x")
    if words != "call stack exhausted":
        names = [line.split()[1] for line in ended.trace]
        assert names == ["deep", "outer", "main"]
        assert re.search(r"called from outer \(wasm 0x\w+\), main \(wasm 0x\w+\)\.$", ended.message)


async def test_source_lines_of_a_trap(host: HostTarget) -> None:
    ended = await run(host, Launch("a", build_module(guests.DEEP_C, kind="c")))
    assert ended.message == guests.DEEP_MESSAGE
    assert ended.trace == guests.DEEP_TRACE


@pytest.mark.parametrize("text", [guests.SPIN, guests.SLEEP])
async def test_kill_ends_a_loop_and_a_sleep(host: HostTarget, text: str) -> None:
    stream = host.events()
    await host.spawn(Launch("a", wasm(text)))
    while not isinstance(await anext(stream), Started):
        pass
    await asyncio.sleep(0.02)
    assert (await host.usage())["a"].code_bytes > 0
    await host.kill("a")
    async with asyncio.timeout(60):
        ended = await anext(stream)
    assert isinstance(ended, Ended)
    assert (ended.cause, ended.message) == (Cause.KILLED, "The executor was killed.")
    if text == guests.SPIN:
        assert ended.usage.cpu_seconds > 0
    await host.kill("a")
    await host.kill("never was")


async def test_grace_lets_it_end_by_itself(host: HostTarget) -> None:
    stream = host.events()
    await host.spawn(Launch("a", wasm(guests.TIME)))
    while not isinstance(await anext(stream), Started):
        pass
    await host.kill("a", grace=5)
    ended = await anext(stream)
    assert isinstance(ended, Ended)
    assert ended.cause is Cause.EXITED


async def test_killed_before_it_began(host: HostTarget) -> None:
    stream = host.events()
    await host.spawn(Launch("a", wasm(guests.SPIN)))
    await host.kill("a")
    async with asyncio.timeout(60):
        while not isinstance(event := await anext(stream), Ended):
            pass
    assert event.cause is Cause.KILLED


async def test_a_flooded_log_drops_its_oldest_and_counts(host: HostTarget) -> None:
    events = await play(host, Launch("a", wasm(guests.FLOOD), budget=Budget(log=1000)))
    outputs = [event for event in events if isinstance(event, Output)]
    assert sum(len(output.data) + output.dropped for output in outputs) == 80_000
    assert outputs[-1].data.endswith(b"0123456789abcde\n")


async def test_memory_grows_within_its_budget(host: HostTarget) -> None:
    ended = await run(host, Launch("a", wasm(guests.GROW), budget=Budget(total=MEBIBYTE)))
    assert ended.status == -1
    assert ended.usage.memory_peak == 2 * 65536


async def test_what_does_not_fit_is_refused(host: HostTarget) -> None:
    ended = await run(
        host,
        Launch(
            "a", wasm("(module (memory 40) {})", guests.RETURN[8:-1].format(0)), budget=Budget(total=MEBIBYTE)
        ),
    )
    assert ended.cause is Cause.NO_ROOM
    assert "1048576 bytes are not enough" in ended.message
    ended = await run(host, Launch("b", wasm(guests.RETURN, 0), budget=Budget(total=300 * MEBIBYTE)))
    assert (ended.cause, ended.message) == (Cause.NO_ROOM, "The host has 46137344 bytes too few.")
    ended = await run(host, Launch("c", wasm(guests.RETURN, 0), grants=Grants(sensors=frozenset({"temp0"}))))
    assert (ended.cause, ended.message) == (Cause.NO_ROOM, "The host has no temp0.")


async def test_the_stack_is_limited_to_its_budget(host: HostTarget) -> None:
    """64 KiB end a recursion of 10,000 frames; 2 MiB do not."""
    text = """(module (func $f (param i32) (result i32) (if (result i32) (local.get 0)
      (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
      (func (export "main") (result i32) (call $f (i32.const 10000))))"""
    small = await run(host, Launch("a", wasm(text), budget=Budget(stack=65536)))
    large = await run(host, Launch("b", wasm(text), budget=Budget(stack=2 * MEBIBYTE)))
    assert "call stack exhausted" in small.message
    assert (large.cause, large.status) == (Cause.EXITED, 10000)


async def test_hardware_that_is_not_there(host: HostTarget) -> None:
    ended = await run(host, Launch("a", wasm(guests.NO_PINS)))
    assert ended.status == 4 * -4
    assert (await run(host, Launch("a", wasm(guests.NO_RULES)))).status == 3 * -4


async def test_rules(host: HostTarget) -> None:
    assert cause_of(await run(host, Launch("a", wasm(guests.RULES)))) == (Cause.EXITED, 0)


async def test_messages_and_a_kill_with_grace(host: HostTarget) -> None:
    module = build_module(EXAMPLES / "talk.c")
    await guests.talk(host, module, bytes(64))
    stream = host.events()
    await host.spawn(Launch("deaf", wasm(guests.SLEEP)))
    while not isinstance(await anext(stream), Started):
        pass
    with pytest.raises(HalError, match="takes no messages"):
        await host.send("deaf", b"hello")


async def test_who_waits_is_killed(host: HostTarget) -> None:
    text = """(module (import "mma" "on_timer" (func $timer (param i64 i32) (result i32)))
      (import "mma" "wait" (func $wait (result i64)))
      (func (export "main") (drop (call $timer (i64.const -1) (i32.const 0))) (drop (call $wait))))"""
    stream = host.events()
    await host.spawn(Launch("a", wasm(text)))
    while not isinstance(await anext(stream), Started):
        pass
    await host.kill("a")
    while not isinstance(event := await anext(stream), Ended):
        pass
    assert event.cause is Cause.KILLED


@pytest.mark.parametrize("data", [b"", b"hello, world", wasm(guests.RETURN, 0)[:-3]])
async def test_what_is_no_module_is_rejected(host: HostTarget, data: bytes) -> None:
    ended = await run(host, Launch("a", data))
    assert ended.cause is Cause.MODULE_REJECTED
    assert ended.message
    assert (await run(host, Launch("b", wasm(guests.RETURN, 0)))).cause is Cause.EXITED


async def test_a_key_is_used_once_at_a_time(host: HostTarget) -> None:
    await host.spawn(Launch("a", wasm(guests.SLEEP)))
    with pytest.raises(HalError, match="key a is there already"):
        await host.spawn(Launch("a", wasm(guests.SLEEP)))


async def test_twenty_at_once_do_not_disturb_each_other(host: HostTarget) -> None:
    """Traps, exits and ends in many threads at the same time: each gets its own."""
    bodies = [guests.RETURN.format(3), guests.EXIT, guests.trapping("(unreachable)"), guests.TIME]
    launches = [Launch(f"{n}", wasm(bodies[n % 4])) for n in range(20)]
    events = await play(host, *launches)
    for number in range(20):
        ended = end_of(events, str(number))
        expected = [(Cause.EXITED, 3), (Cause.EXITED, 7), (Cause.TRAPPED, 1), (Cause.EXITED, 0)]
        assert (ended.cause, ended.status) == expected[number % 4]


async def test_close_leaves_no_thread() -> None:
    import threading

    target = HostTarget()
    await target.open()
    stream = target.events()
    for key in "abc":
        await target.spawn(Launch(key, wasm(guests.SPIN)))
    started = 0
    while started < 3:
        started += isinstance(await anext(stream), Started)
    await target.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("executor ")]
    await target.close()


TEMPLATES = sorted((Path(str(resources.files("firmware"))) / "sdk" / "templates").iterdir())


@pytest.mark.parametrize("source", TEMPLATES, ids=lambda path: path.name)
async def test_templates(host: HostTarget, source: Path) -> None:
    """What `mma new executor` begins with; the host has no pins to blink."""
    ended = await run(host, Launch("a", build_module(source)))
    wanted = {"hello": (0, b"hello"), "rule": (0, b"3"), "blink": (1, b"")}[source.stem]
    assert (ended.cause, ended.status, ended.output) == (Cause.EXITED, *wanted)


async def test_exports_are_called_while_it_waits(host: HostTarget) -> None:
    await guests.is_checked(host, build_module(EXAMPLES / "watchman.c"))
    await guests.a_check_disturbs_nothing(host)


@pytest.mark.parametrize(
    ("module", "name", "said"),
    [
        (guests.CHECKED, "absent", "not there"),
        (guests.CHECKED, "memory", "not there"),
        (
            '(module (func (export "main")) (func (export "f") (result i64) (i64.const 0)))',
            "f",
            "() -> (i32)",
        ),
        (guests.HELLO, "main", "never waits"),
    ],
)
async def test_what_cannot_be_called_is_told_before_it_runs(
    host: HostTarget, module: str, name: str, said: str
) -> None:
    ended = end_of(await play(host, Launch("a", wasm(module), checked=(name,))))
    assert ended.cause is Cause.MODULE_REJECTED
    assert said in ended.message
