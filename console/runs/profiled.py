"""One task on one emulated board, with its instructions counted: what `mma profile` runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from console.ci.rig import open_rig
from console.cluster.mesos import Task, TaskState
from console.errors import ConsoleError
from console.fit.budgets import Ask
from console.fleet.opening import TargetName
from console.runs import profile
from console.runs.runner import judge
from console.state.loglines import task_of
from emulation.machine import Capability
from hal.mcu import McuTarget
from hal.mcu.placed import Placed


@dataclass(frozen=True, slots=True)
class Profiled:
    """How it went; `failure` is empty if the task finished."""

    stacks: Mapping[profile.Stack, int]
    task: Task
    failure: str


async def profiled(
    module: Path, target: TargetName, arguments: tuple[str, ...], ask: Ask, timeout: float
) -> Profiled:
    """Count from the launch to the end. What cannot be set up, and targets without counts, are raised."""
    if target.board is None or target.emulator is None:
        raise ConsoleError(f"{target.text} is not emulated: its instructions cannot be counted.")
    functions: list[profile.Function] = []

    async def ready(placed: Placed) -> None:
        owner = task_of(placed.key)
        functions.extend(
            profile.Function(address, size, owner, name) for address, size, name, _ in placed.image.symbols
        )

    async with open_rig(target, framework="mma profile", counts=True) as rig:
        machine, device = rig.require(Capability.PROFILE), rig.member.target
        assert isinstance(device, McuTarget)
        device.on_ready.add(ready)
        before = await machine.executed()
        task_id = await rig.submit(module, arguments, ask)
        try:
            async with asyncio.timeout(timeout):
                task = await rig.until_ended(task_id)
        except TimeoutError:
            task = await rig.end(task_id)
        after = await machine.executed()
        firmware = rig.member.firmware
        assert firmware is not None
        functions += await asyncio.to_thread(profile.kernel_functions, firmware)
    counts = {address: count - before.get(address, 0) for address, count in after.items()}
    stacks = profile.stacks_of({address: count for address, count in counts.items() if count}, functions)
    return Profiled(stacks, task, judge(task, TaskState.FINISHED, timeout))
