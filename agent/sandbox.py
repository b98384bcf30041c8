"""The files of each executor, as a native agent's sandboxes: what it logs, how it ended, what it was made of.

    <root>/slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>/
        stdout          what the guest logged
        stderr          the launch step by step, what was lost, the end with its fault
        <name>.wasm     the module as it was launched; <name> is "module"
        <name>.map ...  what the target tells of it: its link map, its budget

Tasks under one custom executor share its sandbox: stdout and stderr have all of them, in tasks/<task>/ each
has its own. (The layout is that of src/slave/paths.hpp.) Everything is on disk at once: what is kept in
memory does not grow with logs. A log is turned over at its limit: the older half is in stdout.1.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from agent.records import TaskRecord
from hal.checks import Sieve
from hal.target import Artifact, Ended, Event, Output, Progress, Stage, Started

log = logging.getLogger(__name__)

STDOUT, STDERR = "stdout", "stderr"
MODULE = "module.wasm"
LATEST = "latest"
TASKS = "tasks"
_NAME_LIMIT = 200
"""Bytes of one path component; file systems take 255, and rotated logs have two more."""
_SAFE = ":@+=,()~"
"""What ids may have beside letters, digits and "_.-~" without being encoded."""


@lru_cache(4096)
def component(text: str) -> str:
    """An id as one component of a path. Ids are free text: what could mean anything else is percent-encoded,
    what is too long is cut and told apart by a digest."""
    name = quote(text, safe=_SAFE)
    if len(name) > _NAME_LIMIT:
        name = name[:_NAME_LIMIT].rstrip("%") + "%~" + hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"%2E{name[1:]}" if name in (".", "..") else name or "%"


class Sandboxes:
    """Those of one agent. A disk that cannot be written costs logs, never a task."""

    def __init__(
        self,
        root: Path,
        agent_id: Callable[[], str],
        find: Callable[[str], TaskRecord | None],
        log_limit: int,
    ) -> None:
        """`root` is absolute and free of links; `find` gives a task by its name at the target; `log_limit` is
        in bytes."""
        self.root = root
        self._limit = log_limit
        self.write_errors = 0
        self._agent_id = agent_id
        self._find = find
        self._boxes: dict[str, _Box] = {}
        """By container, of executors that live: to make a path costs more than to write."""
        self._stages: dict[tuple[str, Stage], float] = {}
        self._sieves: dict[str, Sieve] = {}
        self._watchers: set[Callable[[str], None]] = set()

    # -- places ------------------------------------------------------------------------------------------

    @property
    def home(self) -> Path:
        """Below it are this agent's sandboxes."""
        return self.root / "slaves" / component(self._agent_id() or "-")

    def directory(self, task: TaskRecord) -> Path:
        """The sandbox of the task's executor; it need not be there."""
        return self.run(task.framework_id, task.executor_id, task.container_id)

    def run(self, framework_id: str, executor_id: str, container_id: str) -> Path:
        """One run of an executor."""
        executor = self.home / "frameworks" / component(framework_id) / "executors" / component(executor_id)
        return executor / "runs" / component(container_id)

    def find(self, path: str) -> Path | None:
        """The real place of a path in one of these sandboxes, which may be told through runs/latest; None
        where there is none, or where it leads out of its sandbox.

        Absolute paths are as directory() gives them; those that begin with /frameworks leave the agent out.
        """
        if "\0" in path:
            return None
        home = self.home
        parts = Path(os.path.normpath("/" + path.lstrip("/"))).parts
        if parts[:2] == ("/", "frameworks"):
            parts = (*home.parts, *parts[1:])
        depth = len(home.parts)
        if parts[:depth] != home.parts or len(parts) < depth + 6:
            return None
        frameworks, framework, executors, executor, runs, run, *rest = parts[depth:]
        if (frameworks, executors, runs) != ("frameworks", "executors", "runs"):
            return None
        folder = home / frameworks / framework / executors / executor / runs
        with contextlib.suppress(OSError, ValueError):
            name = os.readlink(folder / LATEST) if run == LATEST else run
            sandbox = folder / os.path.basename(name)
            if os.path.realpath(sandbox) != str(sandbox) or not sandbox.is_dir():
                return None
            real = Path(os.path.realpath(sandbox.joinpath(*rest)))
            if real.is_relative_to(sandbox) and real.exists():
                return real
        return None

    def seen(self, task: TaskRecord) -> int:
        """How many bytes of the task's log the target need not tell again after a restart: those written
        here, turned over or lost."""
        own = self.directory(task) / TASKS / component(task.id) if task.custom else self.directory(task)
        try:
            return _number(self._beyond(task)) + (own / STDOUT).stat().st_size
        except OSError:
            return 0

    def _beyond(self, task: TaskRecord) -> Path:
        """Beside the sandbox: how many bytes of the log are in its stdout no more, or never were."""
        folder = self.directory(task)
        return folder.with_name(f".{folder.name}.{component(task.id)}"[:_NAME_LIMIT])

    # -- what happens --------------------------------------------------------------------------------------

    def begin(self, task: TaskRecord, module: bytes) -> None:
        """The module is there and about to be launched."""
        with self._careful():
            folder = str(self.directory(task))
            _make(folder)
            box = self._boxes.setdefault(task.container_id, _Box(folder))
            box.append(STDOUT, b"", self._limit)
            _put(os.fspath(self._file(task, MODULE)), module)
        self._say(task, f"The module has {len(module):,} bytes.")

    def on_event(self, event: Event) -> None:
        """Take one event of the target, before the agent acts on it."""
        key = getattr(event, "key", None)
        task = self._find(key) if isinstance(key, str) else None
        if task is None:
            return
        if isinstance(event, Output):
            if event.dropped:
                self._add_beyond(task, event.dropped)
                self._say(task, f"{event.dropped} bytes of its log were lost: the log part was full.")
            self._write_output(task, event)
        elif isinstance(event, Artifact):
            with self._careful():
                self._file(task, event.name).write_text(event.text)
        elif isinstance(event, Progress):
            self._on_progress(task, event)
        elif isinstance(event, Started):
            self._say(task, "The executor runs.")
        elif isinstance(event, Ended):
            self._on_ended(task, event)
        self._tell(task)

    def _write_output(self, task: TaskRecord, event: Output) -> None:
        """Without answers to checks, which count as read."""
        data = event.data
        if task.info.HasField("check") or task.info.HasField("health_check"):
            sieve = self._sieves.setdefault(event.key, Sieve())
            before = sieve.held
            data = sieve.of(data)
            gone = before + len(event.data) - len(data) - sieve.held
            if gone:
                self._add_beyond(task, gone)
        self._write(task, STDOUT, data)

    def _on_progress(self, task: TaskRecord, event: Progress) -> None:
        key = (event.key, event.stage)
        if event.done == 0:
            self._stages.setdefault(key, time.monotonic())
        elif event.done == event.total:
            took = time.monotonic() - self._stages.pop(key, time.monotonic())
            size = f" of {event.total:,} bytes" if event.stage is Stage.UPLOAD else ""
            self._say(task, f"{event.stage.value}{size}: {took * 1000:.0f} ms")

    def _on_ended(self, task: TaskRecord, event: Ended) -> None:
        for stage in Stage:
            self._stages.pop((event.key, stage), None)
        self._sieves.pop(event.key, None)
        words = f" {event.message}" if event.message else ""
        usage = event.usage
        self._say(
            task,
            f"Ended: {event.cause.value}, status {event.status}.{words}",
            *event.trace,
            f"Used: {usage.cpu_seconds:.6f} s of CPU, {usage.switches} switches, "
            f"stack {usage.stack_peak} of {usage.stack_bytes} bytes, "
            f"memory {usage.memory_peak} of {usage.memory_bytes} bytes, code {usage.code_bytes} bytes.",
        )
        if not task.custom:
            self._boxes.pop(task.container_id, None)

    # -- who reads along -----------------------------------------------------------------------------------

    def watch(self, watcher: Callable[[str], None]) -> Callable[[], None]:
        """Call `watcher` with a container's id when one of its files has grown; returns how to end it."""
        self._watchers.add(watcher)
        return lambda: self._watchers.discard(watcher)

    def _tell(self, task: TaskRecord) -> None:
        for watcher in list(self._watchers):
            watcher(task.container_id)

    # -- writing -------------------------------------------------------------------------------------------

    def _file(self, task: TaskRecord, name: str) -> Path:
        """Where a task's own file is."""
        folder = self.directory(task)
        if task.custom:
            folder = folder / TASKS / component(task.id)
            folder.mkdir(parents=True, exist_ok=True)
        return folder / component(name)

    def _say(self, task: TaskRecord, *lines: str) -> None:
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        self._write(task, STDERR, "".join(f"{stamp} {line}\n" for line in lines).encode())

    def _write(self, task: TaskRecord, name: str, data: bytes) -> None:
        with self._careful():
            box = self._box(task) if data else None
            if box is None:
                return  # not begun: nothing was launched
            gone = box.append(name, data, self._limit)
            if task.custom:
                gone = box.append(str(self._file(task, name)), data, self._limit)
            if gone and name == STDOUT:
                self._add_beyond(task, gone)

    def _box(self, task: TaskRecord) -> _Box | None:
        box = self._boxes.get(task.container_id)
        if box is None and (folder := self.directory(task)).is_dir():  # begun before a restart
            box = self._boxes[task.container_id] = _Box(str(folder))
        return box

    def _add_beyond(self, task: TaskRecord, count: int) -> None:
        with self._careful():
            path = self._beyond(task)
            path.write_text(str(_number(path) + count))

    @contextlib.contextmanager
    def _careful(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self.write_errors == 0:
                log.warning("sandboxes cannot be written in %s: %s", self.root, error)
            self.write_errors += 1


class _Box:
    """The files of one sandbox that grow."""

    __slots__ = ("_folder", "_sizes")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}

    def append(self, name: str, data: bytes, limit: int) -> int:
        """Returns the bytes that are no longer in the file, when it was turned over. It need not be there."""
        path = os.path.join(self._folder, name)
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = self._sizes[name] if name in self._sizes else os.fstat(fd).st_size
            _write(fd, data)
            size += len(data)
            self._sizes[name] = size
        finally:
            os.close(fd)
        if size <= limit:
            return 0
        os.replace(path, f"{path}.1")
        del self._sizes[name]
        self.append(name, b"", limit)
        return size


def _make(folder: str) -> None:
    """The folder of a run, those above it, and the link to the latest run."""
    runs, run = os.path.split(folder)
    executor = os.path.dirname(runs)
    with contextlib.suppress(FileExistsError):
        try:
            os.mkdir(executor)  # those above it mostly are there: no call is spent on them
        except FileNotFoundError:
            os.makedirs(executor)
    for place in (runs, folder):
        with contextlib.suppress(FileExistsError):
            os.mkdir(place)
    link = os.path.join(runs, LATEST)
    try:
        os.symlink(run, link)
    except FileExistsError:
        temporary = os.path.join(runs, f".{LATEST}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        os.symlink(run, temporary)
        os.replace(temporary, link)


def _put(path: str, data: bytes) -> None:
    """Write a whole file, by the system's calls alone: io's open makes several more."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        _write(fd, data)
    finally:
        os.close(fd)


def _write(fd: int, data: bytes) -> None:
    """All of it: the system may take a part at a time."""
    while data:
        data = data[os.write(fd, data) :]


def _number(path: Path) -> int:
    try:
        return int(path.read_text()[:20])
    except (OSError, ValueError):
        return 0
