"""Executors' files: what is written, where paths lead, and what is removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.config import AgentConfig
from agent.janitor import Janitor
from agent.proto import mesos_pb2 as mesos
from agent.records import TaskRecord
from agent.sandbox import Sandboxes, component
from hal.target import Artifact, Cause, Ended, Output, Progress, Stage, Started

MODULE = b"\0asm\1\0\0\0"
RUNS = "/frameworks/F0/executors/T0/runs"


def task(task_id: str = "T0", framework: str = "F0", executor: str | None = None) -> TaskRecord:
    info = mesos.TaskInfo(name="task")
    info.task_id.value = task_id
    info.slave_id.value = "S0"
    if executor is not None:
        info.executor.executor_id.value = executor
    return TaskRecord(info, framework, executor or task_id, container_id=f"c-{executor or task_id}"[:40])


def sandboxes(root: Path, *tasks: TaskRecord, log_limit: int = 1 << 20) -> Sandboxes:
    by_key = {item.target_key: item for item in tasks}
    return Sandboxes(root, lambda: "S0", by_key.get, log_limit)


def test_an_executors_life_in_files(tmp_path: Path) -> None:
    one = task()
    boxes = sandboxes(tmp_path, one)
    boxes.begin(one, MODULE)
    for event in (
        Progress("F0/T0", Stage.COMPILE, 0, 1),
        Progress("F0/T0", Stage.COMPILE, 1, 1),
        Artifact("F0/T0", "module.map", "0x2000 main\n"),
        Started("F0/T0"),
        Output("F0/T0", b"hel"),
        Output("F0/T0", b"lo\n", dropped=7),
        Output("F0/nobody", b"lost"),
        Ended(
            "F0/T0",
            Cause.TRAPPED,
            1,
            "Trap: unreachable in function main.",
            trace=("#0 f (a.c:3)", "#1 main"),
        ),
    ):
        boxes.on_event(event)
    folder = boxes.directory(one)
    assert folder == tmp_path / "slaves/S0/frameworks/F0/executors/T0/runs/c-T0"
    assert (folder / "stdout").read_bytes() == b"hello\n"
    assert (folder / "module.wasm").read_bytes() == MODULE
    assert (folder / "module.map").read_text() == "0x2000 main\n"
    said = (folder / "stderr").read_text()
    words = ("compile: ", "executor runs", "7 bytes", "Trap: unreachable", "#0 f (a.c:3)\n", "#1 main\n")
    assert [word for word in words if word not in said] == []
    assert sorted(os.listdir(folder)) == ["module.map", "module.wasm", "stderr", "stdout"]
    assert boxes.find(str(folder.with_name("latest") / "stdout")) == folder / "stdout"
    assert boxes.find(f"{RUNS}/latest") == folder


def test_tasks_under_one_executor_share_its_sandbox(tmp_path: Path) -> None:
    tasks = task("a", executor="E"), task("b", executor="E")
    boxes = sandboxes(tmp_path, *tasks)
    for one in tasks:
        boxes.begin(one, MODULE + one.id.encode())
        boxes.on_event(Output(one.target_key, f"from {one.id}\n".encode()))
    folder = boxes.directory(tasks[0])
    assert folder == boxes.directory(tasks[1])
    assert (folder / "stdout").read_text() == "from a\nfrom b\n"
    assert (folder / "tasks/b/stdout").read_text() == "from b\n"
    assert boxes.seen(tasks[0]) == 7
    assert (folder / "tasks/a/module.wasm").read_bytes() == MODULE + b"a"


def test_a_log_is_turned_over(tmp_path: Path) -> None:
    one = task()
    boxes = sandboxes(tmp_path, one, log_limit=100)
    boxes.begin(one, MODULE)
    for number in range(100):
        boxes.on_event(Output("F0/T0", b"%09d\n" % number))
    folder = boxes.directory(one)
    both = (folder / "stdout.1").read_bytes() + (folder / "stdout").read_bytes()
    assert both.endswith(b"000000098\n000000099\n")
    assert len(both) <= 220
    assert boxes.seen(one) == 1000
    boxes.on_event(Output("F0/T0", b"", dropped=5))
    assert boxes.seen(one) == 1005
    assert (
        {"stdout", "stdout.1"}
        <= set(os.listdir(folder))
        <= {*("module.wasm", "stderr", "stderr.1", "stdout", "stdout.1")}
    )


def test_a_disk_that_cannot_be_written_costs_no_task(tmp_path: Path) -> None:
    (tmp_path / "slaves").write_text("in the way")
    one = task()
    boxes = sandboxes(tmp_path, one)
    boxes.begin(one, MODULE)
    boxes.on_event(Output("F0/T0", b"x"))
    assert boxes.write_errors > 0


NASTY = st.sampled_from(
    [
        "..",
        ".",
        "",
        "/",
        "//",
        "~",
        "%2e%2e",
        "..%2f",
        "\0",
        "latest",
        "runs",
        "frameworks",
        "stdout",
        "a/../b",
    ]
)
IDS = st.one_of(NASTY, st.text(max_size=300))


@given(framework=IDS, executor=IDS, other=IDS)
def test_ids_stay_where_they_belong(framework: str, executor: str, other: str) -> None:
    root = Path("/root-of-it")
    boxes = Sandboxes(root, lambda: "S0", lambda key: None, 1)
    folder = boxes.run(framework, executor, "c")
    assert os.path.normpath(folder) == str(folder)
    assert len(folder.relative_to(boxes.home).parts) == 6
    assert all(len(part.encode()) <= 255 for part in folder.parts)
    if executor != other:
        assert boxes.run(framework, other, "c") != folder


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(parts=st.lists(st.one_of(NASTY, st.text(max_size=8), st.just("../"), st.just("c-T0")), max_size=12))
def test_no_path_leads_out(tmp_path: Path, parts: list[str]) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    one = task()
    boxes = sandboxes(tmp_path / "root", one)
    boxes.begin(one, MODULE)
    folder = boxes.directory(one)
    for name, place in (("out", secret), ("up", tmp_path), ("link", folder / "stdout")):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(place)  # were there ever a way to make one
    for start in (
        "",
        "/",
        str(folder),
        f"{folder}/out",
        f"{folder}/up",
        "/frameworks",
        str(boxes.home),
        "/etc",
    ):
        found = boxes.find(start + "/" + "/".join(parts))
        if found is not None:
            assert found.is_relative_to(folder)
    assert boxes.find(f"{folder}/link") == folder / "stdout"
    assert boxes.find(f"{folder}/out") is None
    assert boxes.find(f"{folder}/up/secret") is None


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "", "/", "\0", "/frameworks", "/frameworks/F0/executors/T0/runs"]
)
def test_what_is_no_sandbox_is_not_found(tmp_path: Path, path: str) -> None:
    one = task()
    boxes = sandboxes(tmp_path, one)
    boxes.begin(one, MODULE)
    assert boxes.find(path) is None
    assert boxes.find(str(boxes.directory(one).parent)) is None
    assert boxes.find(str(tmp_path)) is None


def test_old_sandboxes_go_first(tmp_path: Path) -> None:
    tasks = [task(f"T{number}") for number in range(4)]
    boxes = sandboxes(tmp_path, *tasks)
    now = time.time()
    for number, one in enumerate(tasks):
        boxes.begin(one, bytes(1000))
        for file in boxes.directory(one).iterdir():
            os.utime(file, (now - 100 + number, now - 100 + number))
    living = boxes.directory(tasks[0])
    janitor = Janitor(tmp_path, AgentConfig(sandbox_limit=2500), lambda: frozenset({living}))
    janitor.sweep(frozenset({living}))
    assert [boxes.directory(one).exists() for one in tasks] == [True, False, True, True]
    assert not (tmp_path / "slaves/S0/frameworks/F0/executors/T1").exists()
    Janitor(tmp_path, AgentConfig(gc_delay=1), frozenset).sweep(frozenset())
    assert [boxes.directory(one).exists() for one in tasks] == [False] * 4
    assert not (tmp_path / "slaves/S0/frameworks/F0").exists()


def test_component_is_told_apart() -> None:
    assert component("a-b_c.d:e") == "a-b_c.d:e"
    assert component("..") == "%2E."
    assert component("a/b") == "a%2Fb"
    assert component("x" * 300) != component("x" * 301)
