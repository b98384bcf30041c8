"""What is said of a board that the debugger holds, wherever it is shown."""

from __future__ import annotations

from dataclasses import replace

from console.cluster.mesos import Resources, Status, Task, TaskSpec, TaskState
from console.debug.view import DebugView, Phase
from console.debug.words import held, held_text
from console.look.spans import plain
from console.pages.debug import why_line
from console.pages.target import target_page
from console.pages.task import task_page
from console.state.model import start
from console.state.rows import fleet_rows, task_rows

BOARD = "stm32f4@qemu"
HELD = DebugView(BOARD, Phase.STOPPED, "paused", held_since=1000.0)


def test_a_gateway_that_speaks_for_its_board_is_never_given_up() -> None:
    text = held_text(HELD, 1042.0)
    assert text.startswith("Held by the debugger for 42s")
    assert "never gives it up" in text


def test_the_seconds_that_are_left_are_told_and_then_that_none_are() -> None:
    view = replace(HELD, gives_up=105.0)
    assert "gives it up in 63 s" in held_text(view, 1042.0)
    assert "gives it up in 63 s" in plain(why_line(view, 1042.0, 100))
    assert "after 105 s: its tasks are unreachable" in held_text(view, 1200.0)


def test_fleet_and_tasks_tell_it_of_that_board_alone() -> None:
    spec = TaskSpec("spin", b"", BOARD, Resources({"cpus": 0.1}, {}, {}))
    other = replace(spec, target="host")
    tasks = {
        name: Task(name, asked, (Status(TaskState.RUNNING, 1000.0),), "S0", "gateway")
        for name, asked in (("spin-1", spec), ("spin-2", other))
    }
    state = replace(start([BOARD, "host"]), tasks=tasks, debug=HELD)
    assert [row.held for row in fleet_rows(state)] == [True, False]
    assert {row.task.id: row.outcome for row in task_rows(state, 1042.0)} == {
        "spin-1": "held by the debugger",
        "spin-2": "",
    }
    for page in (target_page(state, BOARD, 1042.0, 60), task_page(state, "spin-1", 1042.0, 60)):
        assert any("Held by the debugger" in plain(line) for line in page)
    assert not any("Held" in plain(line) for line in task_page(state, "spin-2", 1042.0, 60))
    assert not held(replace(HELD, phase=Phase.RUNNING), BOARD)
