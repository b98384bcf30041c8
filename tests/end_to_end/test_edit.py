"""Saves in a real session: what fails touches nothing, what compiles and fits takes the place of what ran."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from console.cluster.mesos import Task, TaskState
from console.edit.saving import Save
from console.edit.view import Build, Phase
from console.fit.budgets import Ask
from console.fleet.opening import parse_name
from console.fleet.session import Plan, Session, open_session
from console.runs.runner import complete, prepare, task_spec

pytestmark = pytest.mark.end_to_end

TARGET = "stm32f4@qemu"
SOURCE = """\
#include "mma.h"
static volatile uint8_t room[16];
int main(void) {
    mma_logf("step %d", mma_arg_i32(0, 0) + 1);
    for (uint32_t n = 0;; n++) {
        room[n % sizeof room] = (uint8_t)n;
        mma_sleep_ms(50);
    }
}
"""


async def save(session: Session, path: Path, text: str) -> Build:
    """The end that a save comes to."""
    told: list[Build] = []

    async def let_go(target: str) -> None:
        """Nobody debugs."""

    path.write_text(text)  # noqa: ASYNC240 (a small one)
    await Save(session, path, told.append, let_go).run()
    return told[-1]


async def running(session: Session, task_id: str) -> Task:
    async with asyncio.timeout(60), session.framework.listen() as queue:
        while session.framework.tasks[task_id].state is not TaskState.RUNNING:
            await queue.get()
    return session.framework.tasks[task_id]


async def test_a_save_runs_anew_or_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "loop.c"
    async with open_session([parse_name(TARGET)], plan=Plan(framework="test")) as session:
        built = await save(session, path, SOURCE)
        assert (built.phase, built.tasks) == (Phase.DONE, ())
        assert "Nothing of it was launched" in built.message

        module = await prepare(path)
        ask = await complete(session, TARGET, module, ("41",), Ask())
        spec = task_spec(path, module, TARGET, ("41",), ask)
        first = await running(session, await session.framework.submit(spec))

        broken = await save(session, path, SOURCE.replace("room[n", "rooom[n"))
        assert broken.phase is Phase.FAILED
        assert [(one.path, one.line, one.column) for one in broken.problems] == [(str(path), 6, 9)]
        large = await save(session, path, SOURCE.replace("room[16]", "room[200000]"))
        assert large.phase is Phase.FAILED
        assert "bytes" in large.message
        same = await save(session, path, SOURCE)
        assert (same.phase, same.tasks) == (Phase.DONE, ())
        assert session.framework.tasks[first.id].state is TaskState.RUNNING

        grown = await save(session, path, SOURCE.replace("room[16]", "room[9000]"))
        assert grown.phase is Phase.DONE, grown.message
        assert [step.name for step in grown.steps] == ["build", "fit", "kill", "offer", "start"]
        assert grown.seconds > 0
        (fresh,) = grown.tasks
        assert session.framework.tasks[first.id].state is TaskState.KILLED
        task = await running(session, fresh)
        assert task.spec.arguments == ("41",)
        assert task.spec.resources.scalars["mem"] > first.spec.resources.scalars["mem"]
