"""Plays one case on one target: launch, timeline, end, and what of it was not as expected."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.ci import timeline as act
from console.ci.inflict import clock_of, inflict, restarts, wait_until
from console.ci.recording import SNAPSHOT, Recording
from console.ci.rig import Rig, open_rig
from console.ci.scenario import HERE, Case, Expect, Other, Scenario
from console.cluster.mesos import Task, TaskState
from console.errors import ConsoleError, exit_code
from console.fleet.opening import TargetName
from emulation.errors import EmulationError, EnvironmentMissing
from emulation.machine import Capability, State

_POLL = 0.005
_SETUP_TIME = 120.0
_LAST_DOINGS = 3.0
"""Seconds that another board of a case has to come to what is expected of it after the task's end."""


@dataclass(slots=True)
class Attempt:
    """One go. `failures` is empty when all was as expected; `missing` says what this machine lacks for it.

    `outcome` is what must come out the same again: no times, no ids. `seconds` are the host's.
    """

    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    missing: str = ""
    outcome: dict[str, Any] = field(default_factory=dict)
    recording: Recording = field(default_factory=Recording)

    @property
    def met(self) -> bool:
        """As expected."""
        return not self.failures and not self.missing

    @property
    def digest(self) -> str:
        """Of the outcome: the same seed gives the same one.

        Without the deepest stack: an interrupt of the link lands where it lands, and at the deepest point it
        puts the core's frame on top (ARMv7-M Architecture Reference Manual, B1.5.6).
        """
        usage = {name: value for name, value in self.outcome.get("usage", {}).items() if name != "stack_peak"}
        text = json.dumps({**self.outcome, "usage": usage}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


async def play(case: Case, target: TargetName, scenario: Scenario, *, vcd: bool = False) -> Attempt:
    """Play it once; `vcd` records the pins. What goes wrong is told in the attempt; only bugs and
    cancellation are raised."""
    attempt = Attempt()
    begin = time.monotonic()
    try:
        async with open_rig(
            target,
            seed=scenario.seed,
            icount=scenario.icount,
            others=case.others,
            wires=case.wires,
            counts=case.expect.instructions is not None,
            vcd=vcd,
        ) as rig:
            attempt.recording = rig.recording
            await _Play(rig, case, attempt).run()
    except EnvironmentMissing as error:
        attempt.missing = str(error)
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        if isinstance(error, ConsoleError) and error.exit_code == 3:
            attempt.missing = str(error)
        attempt.failures.append(str(error))
    attempt.seconds = time.monotonic() - begin
    return attempt


class _Play:
    def __init__(self, rig: Rig, case: Case, attempt: Attempt) -> None:
        self._rig = rig
        self._case = case
        self._attempt = attempt
        self._base = 0.0
        self._others: dict[str, str] = {}  # the task on each of the other boards

    def _fail(self, text: str) -> None:
        self._attempt.failures.append(text)

    async def run(self) -> None:
        rig, case = self._rig, self._case
        neighbours = []
        async with asyncio.timeout(_SETUP_TIME):
            for module in case.beside:
                neighbour = await rig.submit(module)
                await rig.until_running(neighbour)
                neighbours.append(neighbour)
            for other in case.others:
                if other.module is not None:
                    task_id = await rig.submit(other.module, other.arguments, other.ask, on=other.name)
                    await rig.until_running(task_id)
                    self._others[other.name] = task_id
        counted = await self._instructions()
        async with asyncio.timeout(_SETUP_TIME):
            task_id = await rig.submit(case.module, case.arguments, case.ask)
        task = await self._follow(task_id)
        pins = {pin: await self._level(pin) for pin in case.expect.pins}
        for other in case.others:
            await self._end_other(other)
        instructions = await self._instructions()
        spent = instructions - counted if instructions is not None and counted is not None else None
        for neighbour in neighbours:
            before = rig.framework.tasks[neighbour]
            if before.state is not TaskState.RUNNING:
                self._fail(f"Its neighbour {before.spec.name} did not live on: it is {before.state.value}.")
            await rig.end(neighbour)
        self._judge(task, pins, spent)
        await self._keep_machine()

    async def _keep_machine(self) -> None:
        """A snapshot of the board when the first thing went wrong, where its emulator has that."""
        machine, recording = self._rig.member.machine, self._rig.recording
        if not self._attempt.failures or recording.snapshot or machine is None:
            return
        if machine.state is not State.RUNNING or Capability.SNAPSHOT not in machine.capabilities:
            return
        with tempfile.TemporaryDirectory(prefix="mma-snapshot-") as folder:
            path = Path(folder) / SNAPSHOT
            with contextlib.suppress(EmulationError):  # it has just died, say: there are other artifacts
                await machine.save(path)
                recording.snapshot = await asyncio.to_thread(path.read_bytes)

    # -- the time of the task

    async def _follow(self, task_id: str) -> Task:
        rig, case = self._rig, self._case
        died = asyncio.create_task(self._watch_machine(), name="watch machine")
        ended = asyncio.create_task(rig.until_ended(task_id), name="until ended")
        steps = asyncio.create_task(self._steps(task_id), name="timeline")
        try:
            await asyncio.wait([died, ended], timeout=case.timeout, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                self._fail(
                    died.result() if died.done() else f"The task had not ended after {case.timeout:g} s."
                )
                await self._keep_machine()
                return await rig.end(task_id)
            if not steps.done():
                await asyncio.wait([steps], timeout=0.2)
            return ended.result()
        finally:
            late = not steps.done()
            for work in (died, ended, steps):
                work.cancel()
            done = await asyncio.gather(steps, died, ended, return_exceptions=True)
            if isinstance(done[0], Exception):
                raise done[0]
            if late and ended.done() and not ended.cancelled():
                self._attempt.outcome["late_steps"] = True

    async def _watch_machine(self) -> str:
        machine = self._rig.member.machine
        if machine is None:  # not emulated: nothing to watch
            await asyncio.Event().wait()
        assert machine is not None
        while True:
            with contextlib.suppress(Exception):
                return await machine.wait_died()
            await asyncio.sleep(0.5)  # off, by a power cut of ours

    async def _now(self) -> float:
        return await clock_of(self._rig.member.machine)

    async def _steps(self, task_id: str) -> None:
        if not self._case.steps:
            return
        await self._rig.until_running(task_id)
        self._base = await self._now()
        for step in self._case.steps:
            await wait_until(self._base + step.at, self._rig.member.machine)
            try:
                await self._do(step, task_id)
            except Exception as error:
                if exit_code(error) is None:
                    raise
                self._fail(f"At {step.at:g} s: {step}: {error}")
            await self._keep_machine()

    async def _do(self, step: act.Step, task_id: str) -> None:
        rig, action = self._rig, step.action
        task_id = self._others.get(step.on, task_id)
        if isinstance(action, act.Kill):
            await rig.framework.kill(task_id, action.grace)
        elif isinstance(action, act.ExpectPin):
            if not await self._within(
                action.within, lambda: self._is_level(action.pin, action.level, step.on)
            ):
                self._fail(
                    f"At {step.at:g} s pin {action.pin} did not become {int(action.level)}"
                    f" within {action.within:g} s."
                )
        elif isinstance(action, act.ExpectLog):
            if not await self._within(action.within, lambda: self._has_said(task_id, action.text)):
                self._fail(
                    f"At {step.at:g} s its log did not say {action.text!r} within {action.within:g} s."
                )
        else:
            await inflict(action, rig.member_on(step.on).machine, rig.faults_on(step.on))
            if restarts(action) and step.on in ("", HERE):
                self._base = await self._now() - step.at  # its clock began anew

    async def _within(self, seconds: float, check: Callable[[], Any]) -> bool:
        end = await self._now() + seconds
        while True:
            if await check():
                return True
            if await self._now() >= end:
                return False
            await asyncio.sleep(_POLL)

    async def _has_said(self, task_id: str, text: str) -> bool:
        return any(text in line for line in self._rig.log_of(task_id))

    async def _is_level(self, pin: int, level: bool, board: str = "") -> bool:
        return await self._rig.require(Capability.READ_PINS, board).read_pin(pin) is level

    async def _level(self, pin: int, board: str = "") -> bool | None:
        try:
            return await self._rig.require(Capability.READ_PINS, board).read_pin(pin)
        except Exception as error:
            if exit_code(error) is None:
                raise
            self._fail(f"Pin {pin} cannot be read: {error}")
            return None

    async def _instructions(self) -> int | None:
        machine = self._rig.member.machine
        if machine is None or Capability.INSTRUCTIONS not in machine.capabilities:
            return None
        return (await machine.counters()).instructions

    async def _end_other(self, other: Other) -> None:
        """What another board did; its last doings may be under way still."""
        rig, expect = self._rig, other.expect
        task_id = self._others.get(other.name, "")

        async def come() -> bool:
            if other.state is not None and task_id and rig.framework.tasks[task_id].state is not other.state:
                return False
            said = _missing_line(expect, rig.log_of(task_id)) is None
            return said and all([await self._is_level(*one, other.name) for one in expect.pins.items()])

        await self._within(_LAST_DOINGS, come)
        pins = {pin: await self._level(pin, other.name) for pin in expect.pins}
        facts: dict[str, Any] = {"pins": {str(pin): level for pin, level in pins.items()}}
        who = f"{other.name}: "
        if task_id:
            before = rig.framework.tasks[task_id]
            wanted = (TaskState.RUNNING, TaskState.FINISHED) if other.state is None else (other.state,)
            if before.state not in wanted:
                self._fail(f"{who}its task is {before.state.value}: {before.status.message}")
            await rig.end(task_id)
            facts["log"] = rig.log_of(task_id)
            self._judge_log(expect, facts["log"], who)
        self._judge_pins(expect, pins, who)
        self._attempt.outcome.setdefault("boards", {})[other.name] = facts

    # -- the verdict

    def _judge(self, task: Task, pins: dict[int, bool | None], instructions: int | None) -> None:
        expect, status = self._case.expect, task.status
        result = status.data.decode("utf-8", "backslashreplace")
        log = self._rig.log_of(task.id)
        self._attempt.outcome |= {
            "states": [one.state.value for one in task.history],
            "reason": status.reason,
            "result": result,
            "log": log,
            "pins": {str(pin): level for pin, level in pins.items()},
        }
        if task.state is not expect.state:
            why = f": {status.message}" if status.message else ""
            self._fail(f"It ended as {task.state.value}, not as {expect.state.value}{why}")
        for what, wanted, given in (
            ("reason", expect.reason, status.reason.removeprefix("REASON_")),
            ("result", expect.result, result),
        ):
            if wanted is not None and wanted.removeprefix("REASON_") != given:
                self._fail(f"Its {what} is {given!r}, not {wanted!r}.")
        if expect.message is not None and expect.message not in status.message:
            self._fail(f"Its message {status.message!r} does not hold {expect.message!r}.")
        self._judge_log(expect, log)
        self._judge_pins(expect, pins)
        self._judge_bounds(task, instructions)

    def _judge_log(self, expect: Expect, log: list[str], who: str = "") -> None:
        missing = _missing_line(expect, log)
        if missing is not None:
            self._fail(f"{who}Its log does not say {missing}.")
        for text in expect.no_log:
            if any(text in line for line in log):
                self._fail(f"{who}Its log says {text!r}.")

    def _judge_pins(self, expect: Expect, pins: Mapping[int, bool | None], who: str = "") -> None:
        for pin, level in expect.pins.items():
            if pins[pin] is not None and pins[pin] is not level:
                self._fail(f"{who}Pin {pin} is {int(not level)} at the end, not {int(level)}.")

    def _judge_bounds(self, task: Task, instructions: int | None) -> None:
        expect, usage = self._case.expect, self._rig.usage_of(task.id)
        used = {
            "stack_peak": usage.stack_peak if usage else None,
            "memory_peak": usage.memory_peak if usage else None,
            "cpu_us": round(usage.cpu_seconds * 1e6) if usage else None,
            "instructions": instructions,
        }
        self._attempt.outcome["usage"] = {name: used[name] for name in ("stack_peak", "memory_peak")}
        for name, value in used.items():
            most = getattr(expect, name)
            if most is None:
                continue
            if value is None:
                self._fail(f"{name} is not known on {self._rig.target}.")
            elif value > most:
                self._fail(f"{name} is {value:,}, more than {most:,}.")


def _missing_line(expect: Expect, log: Sequence[str]) -> str | None:
    """The first of the expected texts that no line holds after those of the others; None if all are there."""
    at = 0
    for text in expect.log:
        found = next((number for number in range(at, len(log)) if text in log[number]), None)
        if found is None:
            return f"{text!r}{' after that' if at else ''}"
        at = found + 1
    return None
