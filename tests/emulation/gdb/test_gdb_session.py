"""A session on a real QEMU: run, stop, look."""

from __future__ import annotations

import asyncio
from pathlib import Path

import debuggee
import pytest
from waiting import until

from emulation.gdb import stubs
from emulation.gdb.breakpoints import Access
from emulation.gdb.errors import GdbError, GdbRefused, StillRunning, StubLost, TargetRunning
from emulation.gdb.events import BreakpointChanged, Event, Running, Sent, Stopped, SymbolsChanged
from emulation.gdb.facts import State
from emulation.gdb.session import Session
from emulation.machine import State as Power
from emulation.qemu import QemuMachine

SUM = debuggee.line("int sum")
STORE = debuggee.line("where.x = sum")


async def stop_in_add(session: Session) -> Stopped:
    await session.breakpoints.insert("add", temporary=True)
    return await (await session.execution.continue_()).stopped()


async def test_breakpoint_step_and_locals(session: Session) -> None:
    stop = await stop_in_add(session)
    assert stop.reason == "breakpoint-hit"
    assert stop.frame is not None
    assert (stop.frame.function, stop.frame.line) == ("add", SUM)
    stepped = await (await session.execution.next_()).stopped()
    assert stepped.frame is not None
    assert stepped.frame.line == STORE
    names = {item.name: item for item in await session.stack.variables()}
    assert names["a"].argument
    assert not names["sum"].argument
    assert int(names["sum"].value or "") == int(names["a"].value or "") + int(names["b"].value or "")
    frames = await session.stack.frames()
    assert [frame.function for frame in frames][:3] == ["add", "work", "main"]
    assert [item.name for item in frames[0].arguments] == ["a", "b"]
    assert session.symbols.at(frames[0].address) is session.symbols.main
    finished = await (await session.execution.finish()).stopped()
    assert (finished.reason, finished.result) == ("function-finished", names["sum"].value)


async def test_instructions_until_and_advance(session: Session) -> None:
    stop = await stop_in_add(session)
    assert stop.frame is not None
    one = await (await session.execution.stepi()).stopped()
    assert one.frame is not None
    assert one.frame.address == stop.frame.address + 2
    over = await (await session.execution.nexti(2)).stopped()
    assert over.frame is not None
    assert over.frame.address > one.frame.address
    there = await (await session.execution.until(str(debuggee.line("return sum")))).stopped()
    assert there.frame is not None
    assert there.frame.line == debuggee.line("return sum")
    cursor = await (await session.execution.advance("work")).stopped()
    assert cursor.frame is not None
    assert cursor.frame.function == "work"
    count = debuggee.line("counter++")
    cursor = await (await session.execution.advance(f"debuggee.c:{count}")).stopped()
    assert cursor.frame is not None
    assert cursor.frame.line == count
    into = await (await session.execution.step(2)).stopped()
    assert into.frame is not None
    assert into.frame.line != count
    await session.execution.jump("main")
    await session.execution.interrupt()


async def test_condition_ignore_and_hits(session: Session) -> None:
    made = await session.breakpoints.insert("add", condition="b == 7", ignore=2)
    stop = await (await session.execution.continue_()).stopped()
    assert stop.breakpoint == made.number
    assert await session.data.evaluate("b") == "7"
    (listed,) = await session.breakpoints.list_()
    assert (listed.hits, listed.condition, listed.ignore) == (3, "b == 7", 0)
    await session.breakpoints.set_condition(made.number, "")
    changed = await session.breakpoints.set_ignore(made.number, 3)
    assert (changed.condition, changed.ignore) == ("", 3)
    assert not (await session.breakpoints.enable(made.number, False)).enabled
    await session.breakpoints.delete(made.number)
    assert session.breakpoints.known == ()
    with pytest.raises(GdbError, match="no breakpoint 99"):
        await session.breakpoints.delete("99")


async def test_hardware_and_pending_breakpoints(session: Session) -> None:
    hard = await session.breakpoints.insert(f"debuggee.c:{STORE}", hardware=True)
    assert hard.kind == "hw breakpoint"
    stop = await (await session.execution.continue_()).stopped()
    assert stop.breakpoint == hard.number
    with pytest.raises(GdbRefused, match="not defined"):
        await session.breakpoints.insert("nowhere")
    assert (await session.breakpoints.insert("nowhere", pending=True)).pending


async def test_watchpoints(session: Session) -> None:
    watch = await session.breakpoints.watch("where.x", condition="where.x == 45")
    assert watch.watch
    stop = await (await session.execution.continue_()).stopped()
    assert (stop.reason, stop.expression, stop.new) == ("watchpoint-trigger", "where.x", "45")
    assert stop.breakpoint == watch.number
    await session.breakpoints.delete(watch.number)
    await session.breakpoints.watch("counter", Access.READ)
    stop = await (await session.execution.continue_()).stopped()
    assert (stop.reason, stop.expression) == ("read-watchpoint-trigger", "counter")


async def test_registers_tell_what_changed(session: Session) -> None:
    stop = await stop_in_add(session)
    first = {item.name: item for item in await session.data.registers()}
    assert stop.frame is not None
    assert first["pc"].value == stop.frame.address
    assert not any(item.changed for item in first.values())
    await (await session.execution.stepi()).stopped()
    second = {item.name: item for item in await session.data.registers()}
    assert second["pc"].changed
    assert not second["sp"].changed
    again = {item.name: item for item in await session.data.registers()}
    assert again == second
    await session.data.set_register("r4", 0x1234)
    (r4,) = await session.data.registers("r4")
    assert (r4.value, r4.changed) == (0x1234, True)
    with pytest.raises(GdbError, match="no register"):
        await session.data.registers("rax")


async def test_memory(session: Session) -> None:
    address = await session.data.address_of("&blob")
    data = bytes(range(256)) * 40
    scratch = 0x20004000
    await session.data.write(scratch, data)
    assert await session.data.read(scratch, len(data)) == data
    assert await session.data.read(address, 4) == await session.data.read(address, 4)
    with pytest.raises(GdbError, match="0xa0000000"):
        await session.data.read(0xA0000000, 4)
    blocks = await session.data.read_what_is(0x080FFF00, 0x200)
    assert [(block.address, len(block.data)) for block in blocks] == [(0x080FFF00, 0x100)]


async def test_disassembly(session: Session) -> None:
    stop = await stop_in_add(session)
    assert stop.frame is not None
    mixed = await session.data.disassemble_function(stop.frame.address)
    assert {line.line for line in mixed} >= {SUM, STORE}
    flat = [instruction for line in mixed for instruction in line.instructions]
    assert flat[0].function == "add"
    assert flat[0].offset == 0
    code = await session.data.read(flat[0].address, len(flat[0].opcodes))
    assert flat[0].opcodes == code
    plain = await session.data.disassemble(flat[0].address, flat[-1].address)
    assert [item.address for item in plain] == [item.address for item in flat[:-1]]
    ranged = await session.data.disassemble_mixed(flat[0].address, flat[-1].address)
    assert ranged[0].line is not None


async def test_variable_objects(session: Session) -> None:
    await stop_in_add(session)
    where = await session.variables.create("where")
    assert where.openable
    x, y = await session.variables.children(where.name)
    assert (x.expression, y.value) == ("x", "2")
    assert await session.variables.update() == ()
    await session.variables.assign(y.name, "77")
    (changed,) = await session.variables.update()
    assert (changed.name, changed.value, changed.changed) == (y.name, "77", True)
    assert await session.variables.set_format(y.name, "hexadecimal") == "0x4d"
    assert await session.variables.path(y.name) == "(where).y"
    total = await session.variables.create("sum", floating=False)
    await (await session.execution.finish()).stopped()
    gone = {item.name: item for item in await session.variables.update()}
    assert not gone[total.name].in_scope
    await session.variables.delete(where.name)
    assert [item.name for item in session.variables.known] == [total.name]


async def test_source_files_and_symbols(session: Session, program: Path) -> None:
    path = str(program.with_suffix(".c"))
    assert await session.symbols.files() == (path,)
    source = await session.symbols.source(path)
    assert source.lines[SUM - 1].strip() == "int sum = a + b;"
    assert {SUM, STORE} <= source.code
    assert debuggee.line("struct point {") not in source.code
    found = {item.name: item for item in await session.symbols.find("o")}
    assert found.keys() == {"work", "counter", "vectors", "blob"}
    assert found["work"].line == debuggee.line("int work")
    assert found["counter"].path == path
    assert await session.symbols.find("w.r") == ()
    with pytest.raises(GdbError, match=r"cannot be read.*substitute"):
        await session.symbols.source("/nowhere/x.c")


async def test_console_and_completion(session: Session) -> None:
    assert "Line" in await session.console.run(f"info line {SUM}")
    assert "R15=" in await session.console.run("monitor info registers")
    assert (await session.console.complete("break wo")).matches == ("break work",)
    with pytest.raises(GdbRefused, match="Undefined command"):
        await session.console.run("frobnicate")
    for line in ("commands 1", "quit", "target remote :1", "python", "k"):
        with pytest.raises(GdbError):
            await session.console.run(line)
    assert "3" in await session.console.run("python print(1 + 2)")
    # A breakpoint with commands: pygdbmi's parser never comes back from its `script`.
    await session.breakpoints.insert("add")
    await session.console.run("python gdb.breakpoints()[0].commands = 'silent'")
    assert len(await session.breakpoints.list_()) == 1


async def test_executor_symbols(session: Session, guest: Path) -> None:
    added = await session.symbols.add(guest)
    assert (added.start, added.path) == (debuggee.GUEST_AT, str(guest))
    assert await session.data.address_of("guest_square") & ~1 == debuggee.GUEST_AT
    found = await session.breakpoints.insert("guest_square")
    assert found.line == debuggee.line("int result", debuggee.GUEST)
    assert session.symbols.at(found.address or 0) == added
    again = await session.symbols.add(guest)
    assert list(session.symbols.added.values()) == [again]
    await session.symbols.remove(guest)
    with pytest.raises(GdbRefused):
        await session.data.evaluate("guest_square")
    shifted = await session.symbols.add(guest, offset=0x1000)
    assert shifted.start == debuggee.GUEST_AT + 0x1000
    assert await session.data.address_of("guest_square") & ~1 == debuggee.GUEST_AT + 0x1000
    with pytest.raises(GdbError, match="no ELF"):
        await session.symbols.add(guest.with_suffix(".c"))


async def test_running_target(session: Session, machine: QemuMachine) -> None:
    resumed = await session.execution.continue_()
    await until(lambda: machine.state is Power.RUNNING)
    with pytest.raises(TargetRunning):
        await session.data.registers()
    with pytest.raises(TargetRunning):
        await session.execution.step()
    with pytest.raises(StillRunning, match=r"within 0\.05 s"):
        await resumed.stopped(0.05)
    with session.listen() as events:
        made = await session.breakpoints.insert("add", condition="b == 100")
        assert session.state is State.RUNNING
        seen: list[Event] = []
        while not isinstance(event := await anext(events), Running):
            seen.append(event)
    (stop,) = [event for event in seen if isinstance(event, Stopped)]
    assert stop.passing
    assert event.passing
    await session.breakpoints.set_condition(made.number, "")
    assert (await resumed.stopped()).breakpoint == made.number


async def test_interrupt_beats_a_busy_breakpoint(session: Session) -> None:
    """Each hit of a false condition is a stop, in which a stub ignores an interrupt."""
    await session.breakpoints.insert("add", condition="b == 1000")
    for _ in range(20):
        await session.execution.continue_()
        await asyncio.sleep(0.005)
        async with asyncio.timeout(60):
            await session.execution.interrupt()


async def test_it_runs_again_when_a_held_target_is_let_go(session: Session) -> None:
    """GDB answers a resume before it tells that the target runs: wait() must not take the old stop."""
    made = await session.breakpoints.insert("add", condition="b == 1000")
    await session.execution.continue_()
    for limit in range(40):
        await session.breakpoints.set_condition(made.number, f"b == {1000 + limit}")
        assert session.state is State.RUNNING
    with pytest.raises(StillRunning):
        await session.execution.wait(0.05)


async def test_two_holders_of_a_running_target(session: Session) -> None:
    await session.execution.continue_()

    async def peek(delay: float) -> int:
        async with session.paused():
            await asyncio.sleep(delay)
            return int(await session.data.evaluate("counter"))

    values = await asyncio.gather(peek(0.05), peek(0.0), peek(0.02))
    assert len(set(values)) == 1
    assert session.state is State.RUNNING
    async with session.paused():
        await session.execution.interrupt()
    assert session.state is State.STOPPED
    assert session.last_stop is not None
    assert not session.last_stop.passing


async def test_attach_and_detach_let_it_run(gdb: None, machine: QemuMachine, program: Path) -> None:
    assert machine.gdb is not None
    async with Session(stub=stubs.QEMU) as session:
        await session.symbols.load(program)
        found = await session.attach(f"unix:{machine.gdb}", stop=False)
        assert found.paused_for is not None
        assert found.paused_for < 1.0
        assert not found.reverse
        assert "rr=replay" in found.why_not
        assert any(feature.startswith("PacketSize=") for feature in found.features)
        await until(lambda: machine.state is Power.RUNNING)
        assert session.held == 0
        await session.breakpoints.insert("add")
        stop = await session.execution.wait(10)
        assert stop.reason == "breakpoint-hit"
        assert session.held > 0
        with pytest.raises(GdbError, match=r"cannot run backwards\. QEMU"):
            await session.execution.step(reverse=True)
        await session.detach()
        await until(lambda: machine.state is Power.RUNNING)
        await session.attach(machine.gdb, stop=False)  # breakpoints are still known
        assert (await session.execution.wait(10)).reason == "breakpoint-hit"
    await until(lambda: machine.state is Power.RUNNING)
    before = await machine.read_memory(0x20000000, 16)
    await asyncio.sleep(0.02)
    assert await machine.read_memory(0x20000000, 16) != before


async def test_detach_from_a_running_target(session: Session, machine: QemuMachine) -> None:
    await session.breakpoints.insert("add", condition="b == 1000")
    await session.execution.continue_()
    await session.detach()
    await until(lambda: machine.state is Power.RUNNING)
    with pytest.raises(GdbError, match="Attach first"):
        await session.execution.interrupt()


async def test_leave_stopped(gdb: None, machine: QemuMachine, program: Path) -> None:
    session = Session(stub=stubs.QEMU)
    await session.open()
    await session.attach(machine.gdb or "")
    await session.close(leave_stopped=True)
    await asyncio.sleep(0.05)
    assert machine.state is Power.PAUSED


async def test_reset(session: Session) -> None:
    await stop_in_add(session)
    stop = await session.execution.reset()
    assert stop.frame is not None
    assert (stop.reason, stop.frame.function) == ("reset", "reset")
    await session.breakpoints.insert("main")
    assert (await (await session.execution.continue_()).stopped()).reason == "breakpoint-hit"


async def test_events_tell_the_story(session: Session, guest: Path) -> None:
    with session.listen() as events:
        await session.symbols.add(guest)
        await session.breakpoints.insert("work", temporary=True)
        await (await session.execution.continue_()).stopped()
    kinds = [type(event) for event in [event async for event in events]]
    for kind in (Sent, SymbolsChanged, BreakpointChanged, Running, Stopped):
        assert kind in kinds


async def test_nobody_there(gdb: None, tmp_path: Path) -> None:
    async with Session() as session:
        with pytest.raises(StubLost, match="Nothing answers at"):
            await session.attach(f"unix:{tmp_path / 'none'}")
        with pytest.raises(GdbError, match="no address"):
            await session.attach("somewhere")
        assert session.state is State.LOST
    with pytest.raises(GdbError):
        await session.execution.continue_()
