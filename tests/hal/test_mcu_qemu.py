"""Executors on the real kernel, in QEMU: the compiler, the link and the kernel together."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib import resources
from pathlib import Path

import guests
import pytest
from guests import end_of, output_of, play, run, wasm

from emulation.faults import LinkFaults
from emulation.machine import Machine
from emulation.targets import open_machine
from hal import firmware
from hal.boards import Board, board_names, load_board
from hal.errors import BudgetError
from hal.guest import build_module
from hal.mcu import McuTarget
from hal.target import MEBIBYTE, Budget, Cause, Ended, Grants, Launch, Output, Started

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is missing: see mma doctor"),
]
BOARD = load_board("stm32f4")
every_board = pytest.mark.parametrize(
    "board", [load_board(name) for name in board_names()], ids=board_names()
)
EXAMPLES = Path(str(resources.files("firmware"))) / "sdk" / "examples"


def example(name: str) -> bytes:
    return build_module(EXAMPLES / f"{name}.c")


@contextlib.asynccontextmanager
async def device(
    board: Board = BOARD, faults: LinkFaults | None = None
) -> AsyncIterator[tuple[McuTarget, Machine]]:
    """A board in QEMU and its target."""
    async with open_machine(f"{board.name}@qemu", faults=faults) as machine:
        await machine.start(firmware.build(board).elf)
        target = McuTarget(f"{board.name}@qemu", board, machine.connect)
        await target.open()
        try:
            yield target, machine
        finally:
            await target.close()


@every_board
async def test_the_examples(board: Board) -> None:
    async with device(board) as (target, _):
        events = await play(target, Launch("a", example("hello")))
        assert output_of(events) == b"hello from an executor\n"
        assert end_of(events).output == b"hello"
        assert (await run(target, Launch("a", example("fib"), ("20",)))).output == b"6765"
        ended = await run(target, Launch("a", example("trap")))
        assert ended.cause is Cause.TRAPPED
        assert "integer divide by zero in function" in ended.message
        ended = await run(target, Launch("a", example("oob")))
        assert ended.message.startswith("Trap: out of bounds memory access in function walk (oob.c:5, pc 0x")
        ended = await run(target, Launch("a", example("crc32")))
        assert (ended.cause, ended.status) == (Cause.EXITED, 0)


async def test_the_templates() -> None:
    """What `mma new executor` begins with, in each language."""
    async with device() as (target, _):
        for source in sorted((EXAMPLES.parent / "templates").iterdir()):
            grants = Grants(gpio=frozenset({0})) if source.stem == "blink" else Grants()
            events = await play(target, Launch("a", build_module(source), grants=grants))
            ended = end_of(events)
            wanted = {"hello": b"hello", "rule": b"3", "blink": b""}[source.stem]
            assert (ended.cause, ended.status, ended.output) == (Cause.EXITED, 0, wanted), source
            assert source.stem != "blink" or output_of(events) == b"blinked 5 times\n"


async def test_source_lines_of_a_trap() -> None:
    def without_pc(text: str) -> str:
        return re.sub(r", pc 0x\w+", "", text)

    async with device() as (target, _):
        ended = await run(target, Launch("a", build_module(guests.DEEP_C, kind="c")))
        assert without_pc(ended.message) == guests.DEEP_MESSAGE
        assert tuple(map(without_pc, ended.trace)) == guests.DEEP_TRACE


@every_board
@pytest.mark.parametrize("words", guests.TRAPS)
async def test_every_trap_has_the_words_that_it_has_on_the_host(board: Board, words: str) -> None:
    async with device(board) as (target, _):
        module = wasm(guests.trapping(guests.TRAPS[words]))
        ended = await run(target, Launch("a", module, budget=Budget(total=8192)))
        assert ended.cause is Cause.TRAPPED
        assert ended.message.startswith(f"Trap: {words} in function ")
        assert (await run(target, Launch("b", wasm(guests.RETURN, 3)))).status == 3


@every_board
async def test_host_calls(board: Board) -> None:
    small = Budget(memory=256)
    async with device(board) as (target, _):
        ended = await run(target, Launch("a", wasm(guests.HELLO), budget=small))
        assert (ended.status, ended.output) == (-3, b"ell")
        ended = await run(target, Launch("a", wasm(guests.ECHO), ("one", "zwei \u20ac"), small))
        assert (ended.status, ended.output) == (2, "zwei \u20ac".encode())
        assert (await run(target, Launch("a", wasm(guests.TIME)))).status == 0
        assert (await run(target, Launch("a", wasm(guests.EXIT)))).status == 7
        assert (await run(target, Launch("a", wasm(guests.NO_PINS), budget=small))).status == 4 * -4
        assert (await run(target, Launch("a", wasm(guests.NO_RULES), budget=small))).status == 3 * -4
        assert (await run(target, Launch("a", wasm(guests.RULES), budget=small))).status == 0


@every_board
async def test_pins_that_are_not_granted_are_refused_and_said_so(board: Board) -> None:
    text = """(module (import "mma" "gpio_mode" (func $mode (param i32 i32) (result i32)))
      (func (export "main") (result i32)
        (i32.add (i32.mul (i32.const 100) (call $mode (i32.const 3) (i32.const 1)))
                 (call $mode (i32.const 4) (i32.const 1)))))"""
    async with device(board) as (target, _):
        events = await play(target, Launch("a", wasm(text), grants=Grants(gpio=frozenset({3}))))
        assert end_of(events).status == -1
        assert b"not granted" in output_of(events)


@every_board
async def test_a_loop_and_a_sleep_are_killed_while_others_work(board: Board) -> None:
    async with device(board) as (target, _):
        stream = target.events()
        for key, module in (("spin", example("spin")), ("sleep", wasm(guests.SLEEP))):
            await target.spawn(Launch(key, module))
            while not isinstance(await anext(stream), Started):
                pass
        assert (await run(target, Launch("fib", example("fib"), ("18",)))).output == b"2584"
        assert (await target.usage())["spin"].cpu_seconds > 0
        for key in ("spin", "sleep"):
            await target.kill(key)
            while not (isinstance(event := await anext(stream), Ended) and event.key == key):
                pass
            assert event.cause is Cause.KILLED


async def test_a_hundred_in_a_row() -> None:
    module = example("fib")
    async with device() as (target, _):
        before = await target.link.device()
        for number in range(100):
            ended = await run(target, Launch(f"task {number}", module, (str(number % 15),), Budget(cpus=1)))
            assert ended.cause is Cause.EXITED, ended
        after = await target.link.device()
        assert (after.boot, after.free_bytes) == (before.boot, before.free_bytes)
        assert (await target.link.counters()).lost_bytes == 0


async def test_eight_at_once_one_of_them_hostile() -> None:
    module = example("fib")
    async with device() as (target, _):
        await target.spawn(Launch("hostile", example("spin"), budget=Budget(cpus=0.5)))
        launches = [Launch(f"{n}", module, (f"{n}",), Budget(cpus=0.05)) for n in range(15, 22)]
        events = await play(target, *launches)
        results = [end_of(events, launch.key).output for launch in launches]
        assert results == [b"610", b"987", b"1597", b"2584", b"4181", b"6765", b"10946"]
        assert len((await target.link.slots()).slots) == 1


async def test_a_flooded_log() -> None:
    async with device() as (target, _):
        events = await play(target, Launch("a", wasm(guests.FLOOD), budget=Budget(memory=256, log=512)))
        outputs = [event for event in events if isinstance(event, Output)]
        assert sum(len(output.data) + output.dropped for output in outputs) == 5000 * 16
        assert output_of(events).endswith(b"0123456789abcde\n")


async def test_a_damaged_line() -> None:
    """1e-3 of all bytes flipped, both ways: slower, and nothing wrong."""
    faults = LinkFaults(seed=3)
    async with device(faults=faults) as (target, _):
        faults.flip = 1e-3
        for number in range(10, 13):
            ended = await run(target, Launch("a", example("fib"), (f"{number}",)))
            assert ended.output == str({10: 55, 11: 89, 12: 144}[number]).encode()
        faults.flip = 0
        counters = await target.link.counters()
        assert counters.fcs_errors + target.link.statistics.fcs_errors > 0


async def test_a_reset_under_a_running_task() -> None:
    async with device() as (target, machine):
        stream = target.events()
        await target.spawn(Launch("a", example("spin")))
        while not isinstance(await anext(stream), Started):
            pass
        await machine.reset()
        async with asyncio.timeout(60):
            while not isinstance(event := await anext(stream), Ended):
                pass
        assert event.cause is Cause.DEVICE_RESET
        assert (await run(target, Launch("b", example("fib"), ("10",)))).output == b"55"


async def test_a_restarted_gateway_finds_its_executor() -> None:
    async with device() as (target, machine):
        stream = target.events()
        await target.spawn(Launch("f/a", example("spin")))
        while not isinstance(await anext(stream), Output):
            pass
        await target.close()
        again = McuTarget("stm32f4@qemu", BOARD, machine.connect)
        await again.open()
        stream = again.events()
        assert await again.recover(["f/a", "f/b"], {"f/a": len(b"spinning\n")}) == {"f/a"}
        await again.kill("f/a")
        async with asyncio.timeout(60):
            while not isinstance(event := await anext(stream), Ended):
                assert not isinstance(event, Output)
        assert (event.key, event.cause) == ("f/a", Cause.KILLED)
        await again.close()


async def test_messages_and_a_kill_with_grace() -> None:
    async with device() as (target, _):
        await guests.talk(target, example("talk"), bytes(64))


async def test_exports_are_called_while_it_waits() -> None:
    async with device() as (target, _):
        await guests.is_checked(target, example("watchman"))
        await guests.a_check_disturbs_nothing(target)


async def test_two_gateways_after_each_other_and_a_restart_keep_their_proofs() -> None:
    """A gateway that finds its counter behind catches up; one that meant an earlier boot changes nothing."""
    async with device() as (target, machine):
        assert (await run(target, Launch("a", example("fib"), ("10",)))).output == b"55"
        prover = target.link._prover
        assert prover is not None
        prover._counter -= 2  # as if another gateway had proved more meanwhile
        assert (await run(target, Launch("b", example("fib"), ("11",)))).output == b"89"
        await machine.reset()
        assert (await run(target, Launch("c", example("fib"), ("12",)))).output == b"144"


BYTEWISE = """(module (memory (export "memory") 100 (pagesize 1))
  (func (export "main") (result i32)
    (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (i32.store8 (i32.sub (memory.size) (i32.const 1)) (i32.const 7))
    (memory.size)))"""
"""Grows byte by byte as far as it may, writes the last one, and tells how many there are."""
PAGED = """(module (memory (export "memory") 1 4)
  (func (export "main") (result i32)
    (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (return (i32.const -2))))
    (i32.store (i32.const {}) (i32.const 7))
    (i32.load (i32.const {}))))"""
"""Cannot grow, as its first page of 64 KiB is more than it has; then touches one word."""


@pytest.mark.parametrize("thousandths", [4, 17])
async def test_a_budget_is_met_to_the_byte(thousandths: int) -> None:
    """`mem` in steps of 0.001 MB is what the slot takes, to the alignment; memory.grow ends there."""
    total = thousandths * MEBIBYTE // 1000
    launch = Launch("a", wasm(BYTEWISE), budget=Budget(total=total))
    async with device() as (target, _):
        parts = await target.size(launch)
        assert total - target.facts.alignment < parts.total <= total
        stream = target.events()
        free = (await target.link.device()).free_bytes
        await target.spawn(launch)
        while not isinstance(await anext(stream), Started):
            pass
        slots = await target.link.device()
        async with asyncio.timeout(60):
            while not isinstance(event := await anext(stream), Ended):
                pass
        assert slots.free_bytes in (free - parts.total, free)  # it may have ended already
        assert (event.cause, event.status) == (Cause.EXITED, parts.linear)
        assert (await target.link.device()).free_bytes == free


async def test_a_page_of_64_kib_is_capped_at_the_budget() -> None:
    async with device() as (target, _):
        budget = Budget(total=8 << 10, memory=2048)
        inside = await run(target, Launch("a", wasm(PAGED, 2044, 2044), budget=budget))
        assert (inside.cause, inside.status) == (Cause.EXITED, 7)
        past = await run(target, Launch("b", wasm(PAGED, 4096, 4096), budget=budget))
        assert past.cause is Cause.MEMORY_LIMIT, past


async def test_a_refusal_says_how_many_bytes_are_missing_and_where() -> None:
    async with device() as (target, _):
        launch = Launch("a", wasm(BYTEWISE), budget=Budget(total=1024, stack=900))
        ended = await run(target, launch)
        assert ended.cause is Cause.NO_ROOM
        assert "are not enough: code takes" in ended.message
        least = int(ended.message.split(" in all")[0].rsplit(" ", 1)[1])
        assert (await target.size(replace(launch, budget=Budget(total=least, stack=900)))).total <= least
        with pytest.raises(BudgetError) as caught:
            await target.size(replace(launch, budget=Budget(total=least - 1, stack=900)))
        assert (caught.value.missing, caught.value.where) == (1, "memory")
        free = (await target.link.device()).largest_free
        ended = await run(target, Launch("b", wasm(BYTEWISE), budget=Budget(total=free + 320)))
        assert ended.cause is Cause.NO_ROOM
        assert f"its largest free run has {free}" in ended.message
