"""What survives a restart, and what a kill -9 at any moment may not lose."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from doubles import MasterDouble, TargetDouble, kill_task, run_task

from agent.config import AgentConfig
from agent.errors import StoreError
from agent.events import Stopped
from agent.gateway import STORE_NAME, Gateway
from agent.proto import mesos_pb2 as mesos
from agent.proto import messages_pb2 as internal
from agent.records import TaskRecord
from agent.shelf import Shelf
from agent.store import Statement, Store
from hal.target import Cause

STARTING, RUNNING = mesos.TASK_STARTING, mesos.TASK_RUNNING
INSERT = "INSERT INTO agents (name, agent_id, hostname) VALUES (?, ?, '')"


async def names(store: Store) -> list[str]:
    return [row[0] for row in await store.read("SELECT name FROM agents ORDER BY name")]


async def test_what_is_durable_is_there_after_reopening(tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "s.sqlite")
    await store.open()
    for number in range(100):
        store.write(INSERT, f"{number:03}", "x")
    await asyncio.gather(*(store.durable() for _ in range(5)))
    await store.close()
    await store.close()
    again = Store(tmp_path / "new" / "s.sqlite")
    await again.open()
    assert await names(again) == [f"{number:03}" for number in range(100)]
    await again.close()


async def test_many_readers_and_writers_at_once(tmp_path: Path) -> None:
    """Once a wait that came between a commit and its bookkeeping spun for ever."""
    store = Store(tmp_path / "s.sqlite")
    await store.open()

    async def user(number: int) -> None:
        for turn in range(5):
            store.write(INSERT, f"{number}-{turn}", "x")
            await store.durable()
            assert await store.read("SELECT 1 FROM agents WHERE name = ?", f"{number}-{turn}")

    async with asyncio.timeout(60):
        await asyncio.gather(*(user(number) for number in range(100)))
    assert len(await names(store)) == 500
    await store.close()


async def test_a_sender_that_is_cancelled_does_not_take_the_write_along(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    await store.open()
    store.write(INSERT, "a", "x")
    waiting = asyncio.create_task(store.durable())
    await asyncio.sleep(0)
    waiting.cancel()
    await store.durable()
    assert await names(store) == ["a"]
    await store.close()


async def test_without_a_folder_nothing_is_kept_and_all_else_works() -> None:
    store = Store(None)
    await store.open()
    store.write(INSERT, "a", "x")
    await store.durable()
    assert await names(store) == []
    await store.close()


async def test_two_gateways_cannot_share_a_folder(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    await store.open()
    with pytest.raises(StoreError, match=r"another agent uses it.*its own work_dir"):
        await Store(tmp_path / "s.sqlite").open()
    await store.close()


async def test_files_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all " * 100)
    with pytest.raises(StoreError, match=r"are damaged: file is not a database.*--no-strict"):
        await Store(tmp_path / "text").open()
    newer = sqlite3.connect(tmp_path / "newer")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StoreError, match="newer version"):
        await Store(tmp_path / "newer").open()
    with pytest.raises(StoreError, match="cannot be opened"):
        await Store(tmp_path / "text" / "below").open()


async def test_damaged_records_are_put_aside_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "s"
    store = Store(path)
    await store.open()
    for number in range(2000):
        store.write(INSERT, f"{number:04}", "x")
    await store.close()
    data = bytearray(path.read_bytes())
    data[8192:-4096] = bytes(len(data) - 12288)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="are damaged"):
        await Store(path).open()
    again = Store(path, strict=False)
    await again.open()
    assert await names(again) == []
    await again.close()
    assert any("damaged" in name for name in os.listdir(tmp_path))


async def test_an_agent_whose_records_make_no_sense_says_so(tmp_path: Path) -> None:
    target = TargetDouble()
    async with MasterDouble() as master:
        async with Gateway(master.address, [target], config(tmp_path)):
            await master.take(internal.UpdateSlaveMessage)
        connection = sqlite3.connect(tmp_path / STORE_NAME)
        with connection:
            connection.execute("INSERT INTO frameworks VALUES ('board', 'F0', x'ffff')")
        connection.close()
        async with Gateway(master.address, [], config(tmp_path)) as gateway:
            events = gateway.events()
            await gateway.add(target)
            event = await anext(aiter(events))
            assert isinstance(event, Stopped)
            assert event.reason.startswith("The records of agent board cannot be read")
            assert "--recover=cleanup" in event.reason


async def test_a_full_disk_holds_up_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.store.RETRY", 0.05)
    store = Store(tmp_path / "s")
    await store.open()
    assert store._connection is not None
    store._connection.execute("PRAGMA max_page_count = 12")
    for number in range(300):
        store.write(INSERT, f"{number:04}", "x" * 400)
    waiting = asyncio.create_task(store.durable())
    await asyncio.sleep(0.3)
    assert not waiting.done()
    store._connection.execute("PRAGMA max_page_count = 10000")  # somebody made room
    await waiting
    assert len(await names(store)) == 300
    await store.close()


def test_what_was_durable_survives_kill_9(tmp_path: Path) -> None:
    program = """
        import asyncio, os, pathlib, signal, sys
        from agent.store import Store
        async def main():
            store = Store(pathlib.Path(sys.argv[1]))
            await store.open()
            for number in range(50):
                store.write("REPLACE INTO agents (name, agent_id, hostname) VALUES (?, 1, 1)", f"{number:03}")
                await store.durable()
                print(number, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
    """
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "s")],
        capture_output=True,
        text=True,
        cwd=root,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    rows = sqlite3.connect(tmp_path / "s").execute("SELECT count(*) FROM agents").fetchone()
    assert rows == (50,)


# -- agents that come back ------------------------------------------------------------------------------


def config(folder: Path) -> AgentConfig:
    return AgentConfig(registration_backoff=0.02, update_retry_min=0.2, work_dir=folder)


async def crash(gateway: Gateway) -> None:
    """End as a crash would, as far as the master and the records can tell: nothing is said."""
    for agent in gateway.agents.values():
        agent.stop()
    await gateway.close()


async def test_a_restarted_gateway_is_the_same_agent_with_the_same_tasks(tmp_path: Path) -> None:
    target = TargetDouble()
    async with MasterDouble() as master:
        async with Gateway(master.address, [target], config(tmp_path)) as gateway:
            await master.take(internal.UpdateSlaveMessage)
            pid = gateway.agents["board"].pid
            master.send(pid, run_task("lives"))
            await master.acknowledged(pid, "lives", STARTING, RUNNING)
            master.send(pid, run_task("ended"))
            await master.acknowledged(pid, "ended", STARTING, RUNNING)
            while len(gateway.agents["board"].tasks.updates):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            target.end("F0/ended", Cause.EXITED, output=b"42")
            ended = await master.status("ended", mesos.TASK_FINISHED)
            await crash(gateway)
        assert (tmp_path / STORE_NAME).exists()
        master.got.clear()
        async with Gateway(master.address, [target], config(tmp_path)) as gateway:
            message = await master.take(internal.ReregisterSlaveMessage)
            assert message.slave.id.value == "S0"
            assert {task.task_id.value: task.state for task in message.tasks} == {
                "lives": RUNNING,
                "ended": mesos.TASK_FINISHED,
            }
            again = await master.status("ended", mesos.TASK_FINISHED)
            assert (again.uuid, again.data) == (ended.uuid, b"42")
            pid = gateway.agents["board"].pid
            master.acknowledge(pid, again)
            target.end("F0/lives", Cause.EXITED)
            await master.acknowledged(pid, "lives", mesos.TASK_FINISHED)
            while gateway.agents["board"].tasks.book.frameworks:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        connection = sqlite3.connect(tmp_path / STORE_NAME)
        for table in ("frameworks", "tasks", "updates"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        connection.close()


async def test_executors_that_ended_unseen_fail_and_strays_are_killed(tmp_path: Path) -> None:
    target = TargetDouble()
    async with MasterDouble() as master:
        async with Gateway(master.address, [target], config(tmp_path)) as gateway:
            await master.take(internal.UpdateSlaveMessage)
            pid = gateway.agents["board"].pid
            master.acknowledging = True
            for task in ("gone", "told", "lives"):
                master.send(pid, run_task(task))
                await master.status(task, RUNNING)
            await crash(gateway)
        master.got.clear()
        del target.living["F0/gone"]
        target.living["F0/stray"] = target.living["F0/told"]
        target.end("F0/told", Cause.EXITED, output=b"late")  # while nobody listens: kept for who comes back
        async with Gateway(master.address, [target], config(tmp_path)) as gateway:
            await master.take(internal.ReregisterSlaveMessage)
            told = await master.status("told", mesos.TASK_FINISHED)
            assert told.data == b"late"
            gone = await master.status("gone", mesos.TASK_FAILED)
            assert gone.reason == mesos.TaskStatus.REASON_EXECUTOR_REREGISTRATION_TIMEOUT
            assert target.kills == [("F0/stray", 0.0)]
            assert gateway.agents["board"].tasks.book.task(("F0", "lives")) is not None
            while target.kept:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_target_forgets_an_end_only_when_it_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = TargetDouble()
    async with MasterDouble() as master:
        async with Gateway(master.address, [target], config(tmp_path)) as gateway:
            await master.take(internal.UpdateSlaveMessage)
            master.acknowledging = True
            master.send(gateway.agents["board"].pid, run_task())
            await master.status("T0", RUNNING)
            disk, real = threading.Event(), Store._commit

            def commit(store: Store, batch: list[Statement]) -> None:
                disk.wait(10)
                real(store, batch)

            monkeypatch.setattr(Store, "_commit", commit)
            target.end("F0/T0", Cause.EXITED)
            await asyncio.sleep(0.1)
            assert target.kept.keys() == {"F0/T0"}
            assert not [
                one for one in master.all(internal.StatusUpdateMessage) if one.update.status.state == 2
            ]
            disk.set()
            await master.status("T0", mesos.TASK_FINISHED)
            while target.kept:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_task_that_began_to_run_while_the_gateway_was_away_is_told_running(tmp_path: Path) -> None:
    target = TargetDouble()
    target.autostart = False
    async with MasterDouble() as master:
        async with Gateway(master.address, [target], config(tmp_path)) as gateway:
            await master.take(internal.UpdateSlaveMessage)
            pid = gateway.agents["board"].pid
            master.send(pid, run_task())
            await master.acknowledged(pid, "T0", STARTING)
            await crash(gateway)
        master.acknowledging = True
        async with Gateway(master.address, [target], config(tmp_path)) as gateway:
            await master.status("T0", RUNNING)


async def test_a_kill_goes_on_after_a_restart(tmp_path: Path) -> None:
    target = TargetDouble()
    target.autokill = False
    async with MasterDouble() as master:
        master.acknowledging = True
        async with Gateway(master.address, [target], config(tmp_path)) as gateway:
            await master.take(internal.UpdateSlaveMessage)
            pid = gateway.agents["board"].pid
            master.send(pid, run_task())
            await master.status("T0", RUNNING)
            master.send(pid, kill_task())
            while not target.kills:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await crash(gateway)
        target.autokill = True
        async with Gateway(master.address, [target], config(tmp_path)) as gateway:
            await master.status("T0", mesos.TASK_KILLED)
        assert len(target.kills) == 2


async def test_a_file_of_the_first_version_is_taken_along(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "s")
    old.executescript("""
        CREATE TABLE agents (name TEXT PRIMARY KEY, agent_id TEXT NOT NULL, hostname TEXT NOT NULL,
          drain BLOB, resources BLOB) WITHOUT ROWID;
        CREATE TABLE frameworks (agent TEXT, framework TEXT, info BLOB NOT NULL,
          PRIMARY KEY (agent, framework)) WITHOUT ROWID;
        CREATE TABLE tasks (agent TEXT, framework TEXT, task TEXT, executor TEXT NOT NULL,
          container TEXT NOT NULL, info BLOB NOT NULL, state INTEGER NOT NULL, status BLOB,
          spawned INTEGER NOT NULL, PRIMARY KEY (agent, framework, task));
        CREATE TABLE updates (position INTEGER PRIMARY KEY AUTOINCREMENT, agent TEXT NOT NULL,
          framework TEXT NOT NULL, uuid BLOB NOT NULL, body BLOB NOT NULL);
        INSERT INTO agents VALUES ('board', 'S7', 'here', NULL, NULL);
        PRAGMA user_version = 1;
    """)
    old.close()
    store = Store(tmp_path / "s")
    await store.open()
    shelf = Shelf(store, "board")
    assert (await shelf.load()).agent_id == "S7"
    shelf.save_task(TaskRecord(run_task().task, "F0", "T0"))
    shelf.save_framework(run_task().framework)
    assert [task.id for task in (await shelf.load()).tasks] == ["T0"]
    await store.close()


async def test_a_new_hostname_is_a_new_agent(tmp_path: Path) -> None:
    async with MasterDouble() as master:
        async with Gateway(master.address, [TargetDouble()], config(tmp_path)):
            await master.take(internal.UpdateSlaveMessage)
        moved = AgentConfig(registration_backoff=0.02, work_dir=tmp_path, hostname="elsewhere")
        async with Gateway(master.address, [TargetDouble()], moved):
            await master.take(internal.RegisterSlaveMessage, 2)
        assert not master.all(internal.ReregisterSlaveMessage)


async def test_unregistering_forgets_the_agent(tmp_path: Path) -> None:
    target = TargetDouble()
    async with MasterDouble() as master:
        gateway = Gateway(master.address, [target], config(tmp_path))
        async with gateway:
            await master.take(internal.UpdateSlaveMessage)
            pid = gateway.agents["board"].pid
            master.send(pid, run_task())
            await master.acknowledged(pid, "T0", STARTING, RUNNING)
            await gateway.close(unregister=True)
        assert (await master.take(internal.UnregisterSlaveMessage)).slave_id.value == "S0"
        assert target.kills == [("F0/T0", 0.0)]
        master.got.clear()
        async with Gateway(master.address, [target], config(tmp_path)):
            await master.take(internal.RegisterSlaveMessage)
