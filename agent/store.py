"""What must survive the gateway: agent ids, frameworks, tasks, unacknowledged updates. SQLite.

Writes are queued and committed by one thread in groups, each group one durable transaction; durable()
returns when all that was queued before is on disk. The wire waits for it before each send, so that no
master ever hears what a kill -9 could make us forget.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from agent.errors import DamagedError, StoreError

log = logging.getLogger(__name__)

SCHEMA_VERSION = 3
SCHEMA = """
CREATE TABLE agents (
  name TEXT PRIMARY KEY, agent_id TEXT NOT NULL, hostname TEXT NOT NULL, drain BLOB, resources BLOB,
  info BLOB, identity TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE frameworks (
  agent TEXT, framework TEXT, info BLOB NOT NULL, PRIMARY KEY (agent, framework)
) WITHOUT ROWID;
CREATE TABLE tasks (
  agent TEXT, framework TEXT, task TEXT, executor TEXT NOT NULL, container TEXT NOT NULL,
  parent TEXT NOT NULL, task_group TEXT NOT NULL, info BLOB NOT NULL, state INTEGER NOT NULL, status BLOB,
  started REAL NOT NULL, kill TEXT,
  PRIMARY KEY (agent, framework, task)
) WITHOUT ROWID;
CREATE TABLE operations (
  agent TEXT, uuid BLOB, body BLOB NOT NULL, PRIMARY KEY (agent, uuid)
) WITHOUT ROWID;
CREATE TABLE updates (
  position INTEGER PRIMARY KEY AUTOINCREMENT, agent TEXT NOT NULL, framework TEXT NOT NULL,
  uuid BLOB NOT NULL, body BLOB NOT NULL
);
CREATE INDEX updates_of ON updates (agent, uuid);
"""
MIGRATIONS = {
    1: """
ALTER TABLE agents ADD COLUMN info BLOB;
ALTER TABLE tasks ADD COLUMN parent TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN task_group TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN started REAL NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN kill TEXT;
ALTER TABLE tasks DROP COLUMN spawned;
CREATE TABLE operations (
  agent TEXT, uuid BLOB, body BLOB NOT NULL, PRIMARY KEY (agent, uuid)
) WITHOUT ROWID;
""",
    2: "ALTER TABLE agents ADD COLUMN identity TEXT NOT NULL DEFAULT ''",
}
"""What brings a file of an earlier version to the next one."""
RETRY = 1.0
"""Seconds between attempts to write on a full or failing disk."""

Statement = tuple[str, tuple[Any, ...]]
T = TypeVar("T")


class Store:
    """The records of one gateway in `path`; None keeps nothing, and everything else stays the same."""

    def __init__(self, path: Path | None, *, strict: bool = True) -> None:
        """`strict` False: a damaged file is put aside and begun anew."""
        self._path = path
        self._strict = strict
        self._connection: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._closing = threading.Event()
        self._pending: dict[object, Statement] = {}
        self._queued = 0
        self._committed = 0
        self._running: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open or create; StoreError when the file is not ours, is newer than we, or is in use."""
        if self._path is None:
            return
        self._thread = ThreadPoolExecutor(1, "agent-store")
        try:
            self._connection = await self._call(self._connect)
        except BaseException:
            self._thread.shutdown(wait=False)
            self._thread = None
            raise

    def _connect(self) -> sqlite3.Connection:
        assert self._path is not None
        try:
            return self._connect_to(self._path)
        except DamagedError as error:
            if self._strict:
                raise
            aside = self._path.with_name(f"{self._path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
            log.error("%s It is kept as %s; all agents are new ones.", error.message, aside.name)
            for suffix in ("", "-wal", "-shm"):
                file = self._path.with_name(self._path.name + suffix)
                if file.exists():
                    file.rename(aside.with_name(aside.name + suffix))
            return self._connect_to(self._path)

    def _connect_to(self, path: Path) -> sqlite3.Connection:
        connection = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=1.0, check_same_thread=False, isolation_level=None)
            # One gateway per folder: a second one would answer for the same agents.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version < SCHEMA_VERSION:
                steps = [MIGRATIONS[step] for step in range(version, SCHEMA_VERSION)] if version else [SCHEMA]
                for statement in ";".join(steps).split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict.splitlines()[-1])
        except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
            if connection is not None:
                connection.close()
            operational = isinstance(error, (OSError, sqlite3.OperationalError))
            if isinstance(error, (sqlite3.DatabaseError, UnicodeDecodeError)) and not operational:
                raise DamagedError(
                    f"The agent's records {path} are damaged: {error}.",
                    remedy="Put back a copy, or begin anew with --no-strict: then its agents are new ones, "
                    "and the executors on their targets are ended.",
                ) from error
            busy = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
            problem = "another agent uses it" if busy else str(error)
            remedy = "Give each gateway its own work_dir, and one that it can write."
            raise StoreError(
                f"The agent's records {path} cannot be opened: {problem}.", remedy=remedy
            ) from error
        if version > SCHEMA_VERSION:
            connection.close()
            raise StoreError(
                f"{path} was written by a newer version of this agent.",
                remedy="Run that version, or give this one another work_dir.",
            )
        return connection

    async def close(self) -> None:
        """Write what is queued and close. Idempotent."""
        if self._thread is None or self._connection is None:
            return
        self._closing.set()
        await self.durable()
        connection, self._connection = self._connection, None
        await self._call(connection.close)
        self._thread.shutdown()
        self._thread = None

    def write(self, statement: str, *values: Any, row: tuple[str, ...] | None = None) -> None:
        """Queue one statement. What is still queued for the same `row`, all of which it sets or deletes, is
        done without."""
        if self._connection is None:
            return
        key = object() if row is None else row
        self._pending.pop(key, None)
        self._pending[key] = (statement, values)
        self._queued += 1

    async def read(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query, after all that was queued before it."""
        connection = self._connection
        if connection is None:
            return []
        await self.durable()
        return await self._call(lambda: connection.execute(statement, values).fetchall())

    async def durable(self) -> None:
        """Wait until all that was queued so far is on disk."""
        wanted = self._queued
        while self._committed < wanted and self._connection is not None:
            if self._running is None:
                self._running = asyncio.create_task(self._write_queued(), name="agent store")
            # Shielded: a sender that is cancelled leaves the write to those who wait for it too.
            await asyncio.shield(self._running)

    async def _write_queued(self) -> None:
        """Hand all that is queued to the store's thread. The books are closed in here and not in a
        callback: a task that is done but still stands in `_running` would make durable() spin."""
        batch, self._pending = list(self._pending.values()), {}
        last = self._queued
        try:
            await self._call(lambda: self._commit(batch))
            self._committed = last
        finally:
            self._running = None

    def _commit(self, batch: list[Statement]) -> None:
        """In the store's thread. A disk that cannot be written holds up the agent, it loses nothing."""
        connection = self._connection
        assert connection is not None
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                for statement, values in batch:
                    connection.execute(statement, values)
                connection.execute("COMMIT")
                return
            except sqlite3.Error as error:
                log.error("the agent's records cannot be written (%s): waiting for the disk", error)
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if self._closing.wait(RETRY):
                    return

    async def _call(self, function: Callable[[], T]) -> T:
        assert self._thread is not None
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
