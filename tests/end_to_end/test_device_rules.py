"""Rules on a board behind a genuine master: two frameworks, a cut link, a dead kernel.

The tests decide what the sensor reads and when an edge comes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from v1_scheduler import Scheduler, scalar

from agent.config import AgentConfig
from agent.gateway import Gateway
from emulation.faults import LinkFaults
from emulation.gdb.remote import Remote
from emulation.machine import Machine
from emulation.master import Master
from emulation.targets import open_machine
from hal import firmware
from hal.boards import load_board
from hal.guest import build_module
from hal.mcu import McuTarget
from hal.target import Connection, Diagnostic, Event, Output

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(200)]

EXAMPLES = Path(__file__).parents[2] / "firmware" / "sdk" / "examples"
BOARD = load_board("stm32f4")
FLAGS = {"agent_ping_timeout": "1secs", "max_agent_ping_timeouts": "3", "allocation_interval": "100ms"}
BUTTON, LED, HEATER = 4, 0, 1


def example(name: str) -> bytes:
    return build_module(EXAMPLES / f"{name}.c")


def gpio(*pins: int) -> dict[str, Any]:
    ranges = {"range": [{"begin": pin, "end": pin} for pin in pins]}
    return {"name": "gpio", "type": "RANGES", "ranges": ranges, "allocation_info": {"role": "*"}}


def sensor(name: str) -> dict[str, Any]:
    return {"name": "sensors", "type": "SET", "set": {"item": [name]}, "allocation_info": {"role": "*"}}


async def until(condition: Callable[[], Awaitable[bool]], timeout: float = 60.0) -> None:
    """Ask again and again until it holds."""
    async with asyncio.timeout(timeout):
        while not await condition():  # noqa: ASYNC110 - the machine tells nobody when a pin moves
            await asyncio.sleep(0.02)


@dataclass
class Board:
    """An stm32f4 in QEMU that is an agent of a master."""

    machine: Machine
    target: McuTarget
    master: Master
    faults: LinkFaults
    events: list[Event]
    changed: asyncio.Condition

    def log(self) -> str:
        """What the executors logged."""
        return b"".join(event.data for event in self.events if isinstance(event, Output)).decode()

    async def saw(self, condition: Callable[[], object], timeout: float = 60.0) -> None:
        """Wait for what the target's events make true."""
        async with asyncio.timeout(timeout), self.changed:
            await self.changed.wait_for(condition)

    async def pin(self, pin: int, level: bool) -> None:
        """Wait until the board drives this level."""

        async def there() -> bool:
            return await self.machine.read_pin(pin) is level

        await until(there)

    async def agent(self) -> dict[str, Any]:
        """The master's own words about this agent."""
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://{self.master.address}/master/state") as answer:
                (found,) = (await answer.json())["slaves"]
        return dict(found)

    async def follow(self) -> None:
        async for event in self.target.events():
            async with self.changed:
                self.events.append(event)
                self.changed.notify_all()


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    faults = LinkFaults()
    async with contextlib.AsyncExitStack() as stack:
        master = await stack.enter_async_context(Master(flags=FLAGS))
        machine = await stack.enter_async_context(open_machine("stm32f4@qemu", faults=faults))
        await machine.start((await asyncio.to_thread(firmware.build, BOARD)).elf)
        target = McuTarget("stm32f4@qemu", BOARD, machine.connect)
        made = Board(machine, target, master, faults, [], asyncio.Condition())
        following = asyncio.create_task(made.follow())
        await target.open()
        stack.push_async_callback(target.close)
        await stack.enter_async_context(Gateway(master.address, [target], AgentConfig(update_retry_min=0.5)))
        yield made
        following.cancel()
        assert master.pid is not None, master.tail()


async def launch(scheduler: Scheduler, name: str, arguments: list[str], *resources: dict[str, Any]) -> None:
    needs = [scalar("cpus", 0.1), scalar("mem", 0.016), *resources]
    command = {"shell": False, "value": f"{name}.wasm", "arguments": arguments}
    await scheduler.run(example(name), name, command=command, resources=needs)
    await scheduler.status(name, "TASK_RUNNING", timeout=60)


async def test_two_frameworks_control_their_own_pins_of_one_board(board: Board) -> None:
    machine = board.machine
    async with Scheduler(board.master.address) as ours, Scheduler(board.master.address) as theirs:
        await launch(ours, "button", [str(BUTTON), str(LED)], gpio(LED, BUTTON))
        heater = ["20000", "22000", str(HEATER), "20"]
        await launch(theirs, "thermostat", heater, gpio(HEATER), sensor("temp0"))
        assert ours.id != theirs.id
        await board.saw(lambda: "waiting" in board.log())
        for level in (True, False, True):
            await machine.drive_pin(BUTTON, level)
            await board.pin(LED, level)
        for celsius, heats in ((19.5, True), (21.0, True), (22.5, False), (21.0, False), (19.9, True)):
            await machine.set_sensor("temp0", celsius)
            await board.pin(HEATER, heats)
        assert await machine.read_pin(LED)
        (agent,) = [await board.agent()]
        assert agent["used_resources"]["gpio"] == "[0-1, 4-4]"
        await ours.kill("button")
        await ours.status("button", "TASK_KILLED")
        await machine.set_sensor("temp0", 25.0)
        await board.pin(HEATER, False)


async def test_a_rule_outlives_its_link_and_tells_when_that_is_back(board: Board) -> None:
    async with Scheduler(board.master.address) as scheduler:
        await launch(scheduler, "button", [str(BUTTON), str(LED)], gpio(LED, BUTTON))
        await board.saw(lambda: "waiting" in board.log())
        board.faults.cut = True
        await board.saw(lambda: isinstance(board.events[-1], Connection), timeout=60)
        for _ in range(60):
            await board.machine.drive_pin(BUTTON, True)
            await board.pin(LED, True)
            await board.machine.drive_pin(BUTTON, False)
            await board.pin(LED, False)
        await asyncio.sleep(4)  # more than the master's patience with an agent that is silent
        assert "pressed" not in board.log()
        agent = await board.agent()
        assert agent["active"]
        assert scheduler.states("button")[-1] == "TASK_RUNNING"
        board.faults.cut = False
        await board.saw(lambda: "released (60)" in board.log(), timeout=60)
        lost = sum(event.dropped for event in board.events if isinstance(event, Output))
        lines = "".join(f"pressed ({n})\nreleased ({n})\n" for n in range(1, 61))
        assert lost > 0, "the ring holds less than was logged"
        assert board.log() == "waiting\n" + lines[lost:]
        (rule,) = await board.target.link.rules((await board.target.link.slots()).slots[0].slot)
        assert rule.count == 120
        assert scheduler.states("button")[-1] == "TASK_RUNNING"
        assert (await board.agent())["id"] == agent["id"]
        assert not scheduler.failures


async def test_a_dead_kernel_is_told_and_its_tasks_are_gone(board: Board) -> None:
    async with Scheduler(board.master.address) as scheduler:
        await launch(scheduler, "button", [str(BUTTON), str(LED)], gpio(LED, BUTTON))
        before = await board.target.link.device()
        assert board.machine.gdb is not None
        async with Remote(board.machine.gdb) as core:
            await core.jump(15, 0xE000_0000)  # among the system's registers, where nobody may execute
        status = await scheduler.status("button", "TASK_GONE", timeout=60)
        assert status["reason"] == "REASON_AGENT_RESTARTED"
        assert "restarted (by crash)" in status["message"]
        await board.saw(
            lambda: any(
                isinstance(event, Diagnostic) and "kernel crashed" in event.text for event in board.events
            )
        )
        after = await board.target.link.device()
        assert after.boot != before.boot
        assert after.crash is not None
        await scheduler.run(example("hello"), "hello", resources=[scalar("cpus", 0.1), scalar("mem", 0.016)])
        await scheduler.status("hello", "TASK_FINISHED", timeout=60)
