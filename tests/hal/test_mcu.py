"""The microcontroller target against a device double on the real wire: launches, ends, and bad days.

The code is compiled and linked for real; only the CPU that would run it is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import guests
import pytest
from device_double import Behaviour, DeviceDouble, Executor, double, exit_at_once
from guests import end_of, output_of, play, run, wasm
from noisy_line import Line, Noise

from hal.abi import EndCause, ResetCause, State, Trap
from hal.aot import Image
from hal.boards import load_board
from hal.errors import BoardError, HalError
from hal.link import ExecutorState, Slots, SlotState, transport
from hal.mcu import McuTarget
from hal.mcu.report import report
from hal.mcu.tenant import key_digest
from hal.target import (
    Artifact,
    Budget,
    Cause,
    Connection,
    Diagnostic,
    Ended,
    Event,
    Grants,
    Items,
    Launch,
    Output,
    Progress,
    Ranges,
    Scalar,
    Stage,
    Started,
    Target,
)

BOARD = load_board("stm32f4")
MODULE = wasm(guests.RETURN, 0)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PATIENCE", 0.03)


@contextlib.asynccontextmanager
async def opened(
    behave: Behaviour = exit_at_once, noise: Noise | None = None, **options: int
) -> AsyncIterator[tuple[McuTarget, DeviceDouble, Line]]:
    """A target whose device is a double."""
    async with double(behave, noise, **options) as (device, line):
        device.board = "stm32f4"
        target = McuTarget("stm32f4@double", BOARD, line.connect)
        await target.open()
        try:
            yield target, device, line
        finally:
            await target.close()


async def forever(device: DeviceDouble, executor: Executor) -> None:
    await asyncio.Event().wait()


async def until(stream: AsyncIterator[Event], wanted: Callable[[Event], bool]) -> Event:
    """The next event that is wanted."""
    async with asyncio.timeout(60):
        while not wanted(event := await anext(stream)):
            pass
    return event


def is_a(kind: type) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, kind)


async def test_a_launch_from_end_to_end() -> None:
    async with opened() as (target, device, _):
        events = await play(target, Launch("f/a", MODULE))
        ended = end_of(events, "f/a")
        assert (ended.cause, ended.status, ended.output) == (Cause.EXITED, 0, b"42")
        assert output_of(events, "f/a") == b"hello from " + key_digest("f/a").hex().encode() + b"\n"
        kinds = [type(event) for event in events if not isinstance(event, Progress)]
        assert kinds == [Artifact, Artifact, Started, Output, Ended]
        texts = {event.name: event.text for event in events if isinstance(event, Artifact)}
        assert "mma_start" in texts["module.map"]
        assert "total" in texts["budget.txt"]
        stages = [
            event.stage for event in events if isinstance(event, Progress) and event.done == event.total
        ]
        assert stages == [Stage.VALIDATE, Stage.COMPILE, Stage.LINK, Stage.UPLOAD]
        assert ended.usage.cpu_seconds == pytest.approx(0.001234)
        await target.link.slots()  # the slot was freed right after the end was told
        assert device.executors == {}


async def test_it_tells_what_the_device_said() -> None:
    async with opened() as (opened_target, _, _):
        target: Target = opened_target
        description = target.describe()
        assert description.mem_bytes == 65536
        assert Scalar("mem", 0.062) in description.resources
        assert Scalar("flash_kb", 1024) in description.resources
        assert Ranges("gpio", ((0, 15),)) in description.resources
        assert Items("sensors", frozenset({"temp0", "light"})) in description.resources
        assert description.attributes["firmware"] == "mma 0.1"


async def test_another_board_is_refused() -> None:
    async with double() as (device, line):
        device.board = "microbit"
        with pytest.raises(BoardError, match=r"is not a stm32f4: its firmware was built for microbit\. Name"):
            await McuTarget("x", BOARD, line.connect).open()


async def test_the_budget_arrives_to_the_byte() -> None:
    asked: list[dict[int, object]] = []

    async def look(device: DeviceDouble, executor: Executor) -> None:
        asked.append(executor.create)
        device.end(executor, EndCause.EXIT)

    grants = Grants(gpio=frozenset({3, 4}), sensors=frozenset({"light"}))
    budget = Budget(total=8192, cpus=0.25, stack=1024, log=256)
    async with opened(look) as (target, _, _):
        await run(target, Launch("a", wasm(guests.HELLO), budget=budget, grants=grants))
    wish = asked[0]
    assert (wish[2], wish[4], wish[6], wish[7], wish[8]) == (1024, 256, 250, 0b11000, 0b10)
    assert sum(int(str(wish[key])) for key in range(1, 6)) == 8192


@pytest.mark.parametrize(
    ("launch", "cause", "words"),
    [
        (Launch("a", b"no module"), Cause.MODULE_REJECTED, "not a WebAssembly module"),
        (Launch("a", MODULE, budget=Budget(total=600)), Cause.NO_ROOM, "600 bytes are not enough"),
        (Launch("a", MODULE, budget=Budget(total=70_000)), Cause.NO_ROOM, "The device is 4464 bytes short"),
        (Launch("a", MODULE, grants=Grants(gpio=frozenset({16, 3}))), Cause.NO_ROOM, "has no gpio 16."),
        (Launch("a", MODULE, grants=Grants(sensors=frozenset({"x"}))), Cause.NO_ROOM, "has no sensor x."),
    ],
)
async def test_what_cannot_run_is_refused_and_leaves_nothing(
    launch: Launch, cause: Cause, words: str
) -> None:
    async with opened() as (target, device, _):
        ended = await run(target, launch)
        assert ended.cause is cause
        assert words in ended.message
        assert device.executors == {}
        assert (await run(target, Launch("b", MODULE))).cause is Cause.EXITED


async def test_more_than_there_are_slots() -> None:
    async with opened(forever, slots=2) as (target, _, _):
        stream = target.events()
        for key in "ab":
            await target.spawn(Launch(key, MODULE))
            await until(stream, is_a(Started))
        assert (await run(target, Launch("c", MODULE))).message == "All 2 slots of the device are taken."
        with pytest.raises(HalError, match="key a is there already"):
            await target.spawn(Launch("a", MODULE))


async def test_eight_at_once_and_twenty_in_a_row() -> None:
    async with opened() as (target, device, _):
        launches = [Launch(str(number), MODULE) for number in range(8)]
        events = await play(target, *launches)
        assert all(end_of(events, launch.key).cause is Cause.EXITED for launch in launches)
        for number in range(20):
            assert (await run(target, Launch(str(number), MODULE))).output == b"42"
        assert device.started == 28


async def test_kill_and_grace() -> None:
    async with opened(forever) as (target, device, _):
        stream = target.events()
        await target.spawn(Launch("a", MODULE))
        await until(stream, is_a(Started))
        assert (await target.usage())["a"].switches == 5
        await target.kill("a", grace=0.05)
        await target.kill("a")
        await target.kill("never was")
        ended = await until(stream, is_a(Ended))
        assert isinstance(ended, Ended)
        assert (ended.cause, ended.message) == (Cause.KILLED, "The executor was killed.")
        await target.link.slots()
        assert device.executors == {}
        assert await target.usage() == {}


@pytest.mark.parametrize("stage", [Stage.VALIDATE, Stage.LINK, Stage.UPLOAD])
async def test_kill_during_a_launch(stage: Stage) -> None:
    async with opened(forever) as (target, device, _):
        stream = target.events()
        await target.spawn(Launch("a", MODULE))
        await until(stream, lambda event: isinstance(event, Progress) and event.stage is stage)
        await target.kill("a")
        ended = await until(stream, is_a(Ended))
        assert isinstance(ended, Ended)
        assert ended.cause is Cause.KILLED
        await asyncio.sleep(0.05)
        assert device.executors == {}
        assert (await run_killed(target)).cause is Cause.KILLED


async def run_killed(target: McuTarget) -> Ended:
    """The target still works: start another and kill it."""
    stream = target.events()
    await target.spawn(Launch("b", MODULE))
    await until(stream, is_a(Started))
    await target.kill("b")
    ended = await until(stream, is_a(Ended))
    assert isinstance(ended, Ended)
    return ended


async def test_a_log_that_overflows_counts_what_was_lost() -> None:
    async def chatter(device: DeviceDouble, executor: Executor) -> None:
        for number in range(200):
            executor.write(b"line %d" % number)
            if number % 50 == 0:
                device.updated_state()
                await asyncio.sleep(0.005)
        device.end(executor, EndCause.EXIT)

    async with opened(chatter) as (target, _, _):
        events = await play(target, Launch("a", MODULE, budget=Budget(log=256)))
    outputs = [event for event in events if isinstance(event, Output)]
    total = sum(len(b"line %d\n" % number) for number in range(200))
    assert sum(len(output.data) + output.dropped for output in outputs) == total
    assert any(output.dropped for output in outputs)
    assert outputs[-1].data.endswith(b"line 199\n")


async def test_a_log_past_four_gigabytes() -> None:
    async def behave(device: DeviceDouble, executor: Executor) -> None:
        for number in range(9):
            executor.log_end += 1 << 29  # nobody was quick enough for these
            executor.log.clear()
            executor.write(b"line %d" % number)
            device.updated_state()
            await asyncio.sleep(0.1)
        executor.write(b"last words")
        device.end(executor, EndCause.EXIT, 0)

    async with opened(behave) as (target, _, _):
        outputs = [one for one in await play(target, Launch("a", MODULE)) if isinstance(one, Output)]
    assert sum(len(output.data) + output.dropped for output in outputs) == 9 * (1 << 29) + 9 * 7 + 11
    assert b"line 8\nlast words\n" in b"".join(output.data for output in outputs)


async def test_a_device_that_restarts() -> None:
    async with opened(forever) as (target, device, _):
        stream = target.events()
        await target.spawn(Launch("a", MODULE))
        await until(stream, is_a(Started))
        device.reset_cause = 3
        device.reboot()
        ended = await until(stream, is_a(Ended))
        assert isinstance(ended, Ended)
        assert ended.cause is Cause.DEVICE_RESET
        assert "restarted (by watchdog)" in ended.message
        device.behave = exit_at_once
        assert (await run(target, Launch("b", MODULE))).cause is Cause.EXITED


async def test_a_restart_in_the_middle_of_a_launch_that_the_follower_has_seen_first() -> None:
    async with opened() as (target, device, _):
        stream = target.events()
        await target.spawn(Launch("a", wasm(guests.HELLO)))
        await until(stream, lambda event: isinstance(event, Progress) and event.stage is Stage.UPLOAD)
        device.reboot()
        target._roster.started(await target.link.device())
        ended = await until(stream, is_a(Ended))
        assert isinstance(ended, Ended)
        assert ended.cause is Cause.DEVICE_RESET


async def test_a_tenant_is_not_swept_away_as_who_had_its_slot_before(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(forever) as (target, device, _):
        await target.recover(())
        before = Slots(target.facts.boot, (SlotState(0, State.ENDED, EndCause.EXIT, 0, 77),))
        executor, asked, go = target.link.executor, asyncio.Event(), asyncio.Event()

        async def slowly(slot: int) -> ExecutorState:
            asked.set()
            await go.wait()
            return await executor(slot)

        monkeypatch.setattr(target.link, "executor", slowly)
        sweeping = asyncio.create_task(target._roster.sweep(before))
        await asked.wait()
        stream = target.events()
        await target.spawn(Launch("a", MODULE))
        await asyncio.sleep(1)
        go.set()
        await sweeping
        await until(stream, is_a(Started))
        await asyncio.sleep(0.2)
        assert [one.state for one in device.executors.values()] == [State.RUNNING]


async def test_a_restart_in_the_middle_of_a_launch() -> None:
    async with opened() as (target, device, _):
        stream = target.events()
        await target.spawn(Launch("a", wasm(guests.HELLO)))
        await until(stream, lambda event: isinstance(event, Progress) and event.stage is Stage.UPLOAD)
        device.reboot()
        ended = await until(stream, is_a(Ended))
        assert isinstance(ended, Ended)
        assert ended.cause in (Cause.DEVICE_RESET, Cause.EXITED)  # if the last block was there already
        assert (await run(target, Launch("b", MODULE))).cause is Cause.EXITED


@pytest.mark.parametrize(("cause", "words"), [(ResetCause.CRASH, "crashed"), (ResetCause.WATCHDOG, "hung")])
async def test_a_crash_record_is_told(cause: ResetCause, words: str) -> None:
    async with opened(forever) as (target, device, _):
        stream = target.events()
        device.reset_cause = cause
        device.crash = {0: 4, 1: 0x08000100, 2: 0x08000200, 3: 0x82, 4: 0x12345678, 5: -1}
        await target.spawn(Launch("a", MODULE))
        await until(stream, is_a(Started))
        device.reboot()
        told = await until(stream, lambda event: isinstance(event, Diagnostic) and words in event.text)
        assert isinstance(told, Diagnostic)
        assert "pc 0x08000100" in told.text


async def test_executors_live_on_while_the_link_is_cut() -> None:
    async with opened(forever) as (target, device, line):
        stream = target.events()
        await target.spawn(Launch("a", MODULE))
        await until(stream, is_a(Started))
        line.hang_up()
        lost = await until(stream, is_a(Connection))
        assert lost == Connection(False, "The link to stm32f4@double was closed at its other end.")
        executor = device.executors[0]
        executor.write(b"alone")
        device.end(executor, EndCause.EXIT, 5)
        back = await until(stream, is_a(Connection))
        assert isinstance(back, Connection)
        assert back.up
        output = await until(stream, is_a(Output))
        ended = await until(stream, is_a(Ended))
        assert isinstance(output, Output)
        assert isinstance(ended, Ended)
        assert (output.data, ended.cause, ended.status) == (b"alone\n", Cause.EXITED, 5)


@pytest.mark.parametrize("seed", range(3))
async def test_tasks_over_a_noisy_line(seed: int) -> None:
    noise = Noise(damage=1e-3, drop=0.01, double=0.03, random=random.Random(seed))
    async with opened(noise=noise, slots=3) as (target, device, _):
        events = await play(target, *[Launch(str(number), MODULE) for number in range(5)], timeout=60)
        for number in range(5):
            ended = end_of(events, str(number))
            assert (ended.cause, ended.output) == (Cause.EXITED, b"42"), ended
        assert device.started == 5


async def test_a_restarted_gateway_finds_its_executors() -> None:
    async with double(forever) as (device, line):
        device.board = "stm32f4"
        first = McuTarget("one", BOARD, line.connect)
        await first.open()
        stream = first.events()
        for key in ("f/running", "f/ended", "f/unknown"):
            await first.spawn(Launch(key, MODULE))
            await until(stream, is_a(Started))
        await first.close()
        ended_alone = next(one for one in device.executors.values() if one.create[0] == key_digest("f/ended"))
        ended_alone.write(b"seen")
        ended_alone.write(b"unseen")
        device.end(ended_alone, EndCause.EXIT, 3)

        second = McuTarget("two", BOARD, line.connect)
        await second.open()
        stream = second.events()
        found = await second.recover(["f/running", "f/ended", "f/lost"], {"f/ended": 5})
        assert found == {"f/running", "f/ended"}
        output = await until(stream, is_a(Output))
        ended = await until(stream, is_a(Ended))
        assert output == Output("f/ended", b"unseen\n")
        assert isinstance(ended, Ended)
        assert (ended.key, ended.cause, ended.status) == ("f/ended", Cause.EXITED, 3)
        await second.kill("f/running")
        ended = await until(stream, is_a(Ended))
        assert isinstance(ended, Ended)
        assert (ended.key, ended.cause) == ("f/running", Cause.KILLED)
        await second.link.slots()
        assert len(device.executors) == 2  # only the unknown one was removed: who found them may die, too
        for key in ("f/running", "f/ended", "f/ended", "f/nobody"):
            await second.release(key)
        assert device.executors == {}
        await second.close()


async def test_an_executor_removed_by_somebody_else() -> None:
    async with opened(forever) as (target, device, _):
        stream = target.events()
        await target.spawn(Launch("a", MODULE))
        await until(stream, is_a(Started))
        device.executors.clear()
        device.updated_state()
        ended = await until(stream, is_a(Ended))
        assert isinstance(ended, Ended)
        assert ended.cause is Cause.DEVICE_GONE


async def test_a_device_that_reports_nonsense() -> None:
    async def end_with_nonsense(device: DeviceDouble, executor: Executor) -> None:
        executor.pc = -5
        device.end(executor, EndCause.EXIT)

    async with opened(end_with_nonsense) as (target, _, _):
        ended = await run(target, Launch("a", MODULE))
        assert ended.cause is Cause.FAULTED
        assert "nobody knows how: The device's state of an executor makes no sense: member 4" in ended.message


def _state(cause: EndCause, status: int, pc: int = 0x1010, calls: tuple[int, ...] = ()) -> ExecutorState:
    return ExecutorState(b"", State.ENDED, cause, status, pc, 0x20, 0, 0, 0, 0, 0, 0, 0, calls, 0)


_SYMBOLS = ((0x1000, 0x20, "mma_start", None), (0x1020, 0x20, "inner", 1), (0x1040, 0x20, "outer", 2))
IMAGE = Image(b"", b"", 0, 0, 0, Path(), (), _SYMBOLS)


@pytest.mark.parametrize(
    ("state", "cause", "words"),
    [
        (_state(EndCause.EXIT, 0), Cause.EXITED, ""),
        (_state(EndCause.EXIT, 0xFFFFFFFF), Cause.EXITED, "The executor exited with status -1."),
        (_state(EndCause.KILLED, 0), Cause.KILLED, "The executor was killed."),
        (
            _state(EndCause.TRAP, Trap.MEMORY, 0x1024, (0x1044, 0x1006)),
            Cause.TRAPPED,
            "Trap: out of bounds memory access in function inner (pc 0x00001024), called from outer, main.",
        ),
        (
            _state(EndCause.TRAP, Trap.DIVIDE, 0x1024, (0x1022, 0x1044, 0x1044)),
            Cause.TRAPPED,
            "Trap: integer divide by zero in function inner (pc 0x00001024), called from outer (2 times).",
        ),
        (
            _state(EndCause.TRAP, Trap.STACK, 0, (0x1024, 0x1024, 0x1024)),
            Cause.TRAPPED,
            "Trap: call stack exhausted in function inner, called from inner (2 times).",
        ),
        (
            _state(EndCause.TRAP, Trap.BUDGET),
            Cause.MEMORY_LIMIT,
            "Trap: memory past the task's budget in function main (pc 0x00001010).",
        ),
        (
            _state(EndCause.FAULT, 0x82),
            Cause.FAULTED,
            "Fault: an access outside its slot at 0x00000020 in function main (pc 0x00001010).",
        ),
    ],
)
def test_ends_are_told_in_sentences(state: ExecutorState, cause: Cause, words: str) -> None:
    told = report(IMAGE, state, "armv7e-m")
    assert (told.cause, told.message) == (cause, words)
