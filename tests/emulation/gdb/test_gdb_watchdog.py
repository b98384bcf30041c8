"""Bad stubs and a bad GDB: noticed, repaired, and told. QEMU is behind all of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import pytest
from badstub import BadStub
from waiting import gone, until

from emulation.gdb import stubs
from emulation.gdb.errors import GdbError, GdbSilent, StubLost
from emulation.gdb.events import Chatty, Event, Listener, Lost, Recovered, Stopped, Wedged
from emulation.gdb.facts import State
from emulation.gdb.session import Session
from emulation.gdb.stubs import Stub
from emulation.gdb.watchdog import Patience
from emulation.machine import State as Power
from emulation.qemu import QemuMachine

_T = TypeVar("_T", bound=Event)
HASTY = Patience(answer=0.4, interrupt=0.4, reconnect=2.0, doubt=0.1, gdb=8.0)


@pytest.fixture
async def stub(machine: QemuMachine, tmp_path: Path) -> AsyncIterator[BadStub]:
    assert machine.gdb is not None
    async with BadStub(tmp_path / "stub", machine.gdb).serving() as stub:
        yield stub


@pytest.fixture
async def session(gdb: None, stub: BadStub, program: Path) -> AsyncIterator[Session]:
    async with Session(stub=stubs.QEMU, patience=HASTY) as session:
        await session.symbols.load(program)
        await session.attach(stub.address)
        yield session


async def first(events: Listener, kind: type[_T], timeout: float = 60.0) -> _T:
    async with asyncio.timeout(timeout):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the session ended")


async def value_of_b(session: Session) -> int:
    return int(await session.data.evaluate("b"))


async def test_doubled_stop_replies_are_dropped(session: Session, stub: BadStub) -> None:
    stub.double_stops = True
    await session.breakpoints.insert("add")
    values = []
    with session.listen() as events:
        for _ in range(5):
            await (await session.execution.continue_()).stopped()
            values.append(await value_of_b(session))
            await (await session.execution.stepi()).stopped()
        chatty = await first(events, Chatty)
    assert values == [(values[0] + index) % 10 for index in range(5)]
    assert chatty.packet.startswith("T05")
    assert session.chatter >= 5
    assert stub.connections == 1


async def test_a_swallowed_stop_is_found_by_interrupt(session: Session, stub: BadStub) -> None:
    await session.breakpoints.insert("add")
    stub.swallow_stops = 1
    with session.listen() as events:
        await session.execution.continue_()
        await asyncio.sleep(0.2)  # QEMU stands at the breakpoint; GDB does not know
        stop = await session.execution.interrupt()
        wedged, recovered = await first(events, Wedged), await first(events, Recovered)
    assert stop.frame is not None
    assert stop.frame.function == "add"
    assert wedged.what == "the stub did not stop when asked to"
    assert recovered.actions[0] == "asked it once more to stop"
    before = await value_of_b(session)
    await (await session.execution.continue_()).stopped()
    assert await value_of_b(session) == (before + 1) % 10


async def test_a_swallowed_stop_is_found_by_a_second_opinion(
    gdb: None, stub: BadStub, machine: QemuMachine, program: Path
) -> None:
    async def runs() -> bool:
        return machine.state is Power.RUNNING

    async with Session(stub=stubs.QEMU, patience=HASTY) as session:
        await session.symbols.load(program)
        await session.attach(stub.address, runs=runs)
        await session.breakpoints.insert("add")
        stub.swallow_stops = 1
        with session.listen() as events:
            resumed = await session.execution.continue_()
            stop = await resumed.stopped(5)
            assert (await first(events, Wedged)).what == "the stub stopped the target without a word"
        assert stop.frame is not None
        assert stop.frame.function == "add"


async def test_a_deaf_stub_is_asked_again(session: Session, stub: BadStub) -> None:
    stub.deaf = 1
    await session.execution.continue_()
    with session.listen() as events:
        stop = await session.execution.interrupt()
        recovered = await first(events, Recovered)
    assert (stop.reason, stop.signal) == ("signal-received", "SIGINT")
    assert recovered.actions == ("asked it once more to stop",)
    assert stub.connections == 1


async def test_a_swallowed_answer_is_asked_for_again(session: Session, stub: BadStub) -> None:
    stub.swallow_prefix, stub.swallow_answers = b"m", 1
    with session.listen() as events:
        assert await session.data.read(0x08000000, 4) == (0x20010000).to_bytes(4, "little")
        recovered = await first(events, Recovered)
    assert recovered.actions == ("checked that it still listens", "repeated the request")
    assert stub.connections == 1


async def test_a_late_answer_is_not_taken_for_another(session: Session, stub: BadStub) -> None:
    stub.late_answers, stub.delay = 1, 0.6
    data = await session.data.read(0x08000000, 8)
    assert data[:4] == (0x20010000).to_bytes(4, "little")
    assert await session.data.read(0x08000000, 8) == data
    assert await session.data.read(0x08000004, 4) == data[4:]


async def test_a_frozen_connection_is_replaced(session: Session, stub: BadStub) -> None:
    made = await session.breakpoints.insert("add")
    stub.frozen = True
    asyncio.get_running_loop().call_later(1.2, setattr, stub, "frozen", False)
    with session.listen() as events:
        await session.data.read(0x20000000, 4)
        recovered = await first(events, Recovered)
    assert "connected anew" in recovered.actions
    assert "repeated the request" in recovered.actions
    stop = await (await session.execution.continue_()).stopped()
    assert stop.breakpoint == made.number


async def test_a_connection_lost_while_running(session: Session, stub: BadStub, machine: QemuMachine) -> None:
    made = await session.breakpoints.insert("reset")
    await session.execution.continue_()
    await asyncio.sleep(0.05)
    with session.listen() as events:
        stub.drop()
        recovered = await first(events, Recovered)
    assert recovered.actions == ("connected anew", "put 1 breakpoint back", "let the target run on")
    assert session.state is State.RUNNING
    await machine.reset()
    assert (await session.execution.wait(5)).breakpoint == made.number


async def test_a_connection_lost_while_stopped(session: Session, stub: BadStub) -> None:
    await session.breakpoints.insert("add")
    stop = await (await session.execution.continue_()).stopped()
    with session.listen() as events:
        stub.drop()
        recovered = await first(events, Recovered)
    assert not recovered.moved  # QEMU keeps it stopped
    assert stop.frame is not None
    (pc,) = await session.data.registers("pc")
    assert pc.value == stop.frame.address
    assert (await (await session.execution.continue_()).stopped()).reason == "breakpoint-hit"


async def test_a_target_that_moved_is_looked_at_anew(
    gdb: None, stub: BadStub, machine: QemuMachine, program: Path
) -> None:
    async with Session(stub=Stub("a stub that lets go", runs_on_loss=True), patience=HASTY) as session:
        await session.symbols.load(program)
        await session.attach(stub.address)
        await session.breakpoints.insert("add")
        await (await session.execution.continue_()).stopped()
        await session.breakpoints.delete("1")
        with session.listen() as events:
            await machine.resume()  # as Renode does
            stub.drop()
            stop = await first(events, Stopped)
        assert stop.reason == "recovered"
        (pc,) = await session.data.registers("pc")
        assert stop.frame is not None
        assert pc.value == stop.frame.address


async def test_a_stub_that_stays_away(session: Session, stub: BadStub, machine: QemuMachine) -> None:
    with session.listen() as events:
        stub.refuse = True
        stub.drop()
        lost = await first(events, Lost)
    assert "is gone" in lost.what
    assert session.state is State.LOST
    with pytest.raises(StubLost, match="Reset or restart the target"):
        await session.data.read(0x20000000, 4)
    stub.refuse = False
    await session.attach(stub.address)
    assert session.state is State.STOPPED
    await session.data.read(0x20000000, 4)


async def test_a_stub_that_never_answers(gdb: None, tmp_path: Path) -> None:
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_unix_server(lambda _, writer: held.append(writer), str(tmp_path / "mute"))
    async with Session(patience=HASTY) as session:
        with pytest.raises(StubLost):
            await session.attach(str(tmp_path / "mute"))
    server.close()
    for writer in held:
        writer.close()


async def test_a_gdb_that_died_is_replaced(session: Session, stub: BadStub, guest: Path) -> None:
    await session.symbols.add(guest)
    made = await session.breakpoints.insert("add", condition="b == 1000")
    await session.breakpoints.watch("where.y")
    await session.execution.continue_()
    old = session.gdb_pid
    assert old is not None
    with session.listen() as events:
        os.kill(old, signal.SIGKILL)
        recovered = await first(events, Recovered)
    assert recovered.party == "gdb"
    assert recovered.actions[1:] == (
        "started a new GDB",
        "connected it",
        "set 2 breakpoints again",
        "let the target run on",
    )
    assert session.gdb_pid != old
    assert session.state is State.RUNNING
    again = session.breakpoints.known
    assert [item.what for item in again] == ["add", "where.y"]
    assert again[0].condition == made.condition
    await session.breakpoints.set_condition(again[0].number, "")
    assert (await session.execution.wait(5)).breakpoint == again[0].number
    assert str(guest) in session.symbols.added


async def test_a_hanging_gdb_is_replaced(gdb: None, machine: QemuMachine, program: Path) -> None:
    patience = Patience(answer=0.4, interrupt=0.4, reconnect=2.0, gdb=0.8)
    async with Session(stub=stubs.QEMU, patience=patience) as session:
        await session.symbols.load(program)
        await session.attach(machine.gdb or "")
        pid = session.gdb_pid
        assert pid is not None
        with session.listen() as events:
            os.kill(pid, signal.SIGSTOP)
            with pytest.raises(GdbSilent):
                await session.data.read(0x20000000, 4)
            assert (await first(events, Wedged)).party == "gdb"
            assert "started a new GDB" in (await first(events, Recovered)).actions
        assert gone(pid)
        await session.data.read(0x20000000, 4)


async def test_a_busy_gdb_is_interrupted(session: Session) -> None:
    with session.listen() as events:
        with pytest.raises(GdbError):
            await session.console.run(
                "python import time; [time.sleep(0.01) for _ in range(10000)]", timeout=0.5
            )
        recovered = await first(events, Recovered)
    assert recovered.actions == ("interrupted GDB",)
    await session.data.read(0x20000000, 4)


async def test_the_target_runs_on_when_gdb_cannot_detach(
    gdb: None, machine: QemuMachine, program: Path
) -> None:
    session = Session(stub=stubs.QEMU, patience=HASTY)
    await session.open()
    await session.attach(machine.gdb or "")
    pid = session.gdb_pid
    assert pid is not None
    assert machine.state is Power.PAUSED
    os.kill(pid, signal.SIGSTOP)
    await session.close()
    await until(lambda: machine.state is Power.RUNNING)
    assert gone(pid)
