"""Saves in a real session: what fails touches nothing, what compiles and fits takes the place of what ran."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from console.cluster.mesos import Task, TaskState
from console.edit.saving import Save
from console.edit.view import Build, Phase
from console.fit.budgets import Ask
from console.fleet.opening import parse_name
from console.fleet.session import Plan, Session, open_session
from console.runs.runner import complete, prepare, task_spec
from console.state.events import FromTarget
from hal import firmware
from hal.target import Diagnostic

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


async def test_a_save_of_the_kernel_restarts_its_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not compile touches nothing; one that does is run, and on it what ran before."""
    root = tmp_path / "firmware"
    shutil.copytree(firmware.ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(firmware, "ROOT", root)
    source, path = root / "kernel" / "main.c", tmp_path / "loop.c"
    path.write_text(SOURCE)
    text = source.read_text()
    assert text.count("reset by ") == 1
    async with open_session([parse_name(TARGET)], plan=Plan(framework="test")) as session:
        module = await prepare(path)
        spec = task_spec(
            path, module, TARGET, ("41",), await complete(session, TARGET, module, ("41",), Ask())
        )
        first = await running(session, await session.framework.submit(spec))
        before = session.members[TARGET].firmware

        broken = await save(session, source, text.replace("reset by ", 'reset" by '))
        assert (broken.phase, {one.path for one in broken.problems}) == (Phase.FAILED, {str(source)})
        assert session.framework.tasks[first.id].state is TaskState.RUNNING

        async with session.listen() as queue:
            saved = await save(session, source, text.replace("reset by ", "begun anew by "))
            assert saved.phase is Phase.DONE, saved.message
            said = ""
            while "begun anew by " not in said:
                event = await asyncio.wait_for(queue.get(), 60)
                if isinstance(event, FromTarget) and isinstance(event.event, Diagnostic):
                    said += event.event.text
        assert session.members[TARGET].firmware != before
        (fresh,) = saved.tasks
        assert (await running(session, fresh)).spec.arguments == ("41",)
