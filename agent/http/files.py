"""/files/browse, /files/read, /files/download, /files/debug: what lies in executors' sandboxes.

Follows src/files/files.cpp. Paths are those that /state gives as an executor's `directory`; they name the
agent, so that one set of endpoints serves all agents behind a port.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import mimetypes
import os
import pwd
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs, web

from agent.http.answers import refuse
from agent.http.ask import Action, Ask
from agent.http.view import view
from agent.proto import agent_pb2 as api
from agent.proto import mesos_pb2 as mesos

if TYPE_CHECKING:
    from agent.core import Agent

READ_LIMIT = 16 * os.sysconf("SC_PAGE_SIZE")
"""Bytes of one read (16 pages, as native)."""
_CHUNK = 1 << 16
_INT64 = 1 << 63


class FilesError(Exception):
    """What is wrong with a path: the status and the words of the answer."""

    def __init__(self, status: int, text: str | None = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    def answer(self) -> web.Response:
        """As a response."""
        return refuse(self.status, self.text)


# -- looking (blocking; called in threads) ---------------------------------------------------------------


def browse(agents: Iterable[Agent], path: str) -> list[api.FileInfo]:
    """What a folder holds, by name; nothing for a file. FilesError."""
    real = resolve(agents, path)
    found = []
    with contextlib.suppress(NotADirectoryError):
        for name in sorted(os.listdir(real)):
            with contextlib.suppress(OSError):
                found.append(_info(os.path.join(path, name), os.stat(real / name, follow_symlinks=False)))
    return found


def read(agents: Iterable[Agent], path: str, offset: int, length: int | None) -> tuple[int, bytes]:
    """(size of the file, at most READ_LIMIT bytes from `offset`). FilesError."""
    real = resolve(agents, path)
    if real.is_dir():
        raise FilesError(400, "Cannot read a directory.\n")
    try:
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise FilesError(500, f"Failed to open file at '{real}': {error.strerror}.\n") from error
    try:
        size = os.fstat(descriptor).st_size
        if offset >= size or length == 0:
            return size, b""
        return size, os.pread(descriptor, min(READ_LIMIT, size if length is None else length), offset)
    finally:
        os.close(descriptor)


def resolve(agents: Iterable[Agent], path: str) -> Path:
    """The real place of a path in a sandbox of one of the agents. FilesError(404) for all other paths."""
    for agent in agents:
        real = agent.sandboxes.find(path)
        if real is not None:
            return real
    raise FilesError(404)


def _info(path: str, facts: os.stat_result) -> api.FileInfo:
    """createFileInfo of src/common/protobuf_utils.cpp."""
    info = api.FileInfo(path=path, nlink=facts.st_nlink, size=facts.st_size, mode=facts.st_mode)
    info.mtime.nanoseconds = int(facts.st_mtime) * 10**9
    try:
        info.uid = pwd.getpwuid(facts.st_uid).pw_name
    except KeyError:
        info.uid = str(facts.st_uid)
    try:
        info.gid = grp.getgrgid(facts.st_gid).gr_name
    except KeyError:
        info.gid = str(facts.st_gid)
    return info


def info_json(info: api.FileInfo) -> dict[str, Any]:
    """As /files/browse tells it."""
    return {
        "path": info.path,
        "nlink": info.nlink,
        "size": info.size,
        "mtime": info.mtime.nanoseconds / 1e9,
        "mode": stat.filemode(info.mode),
        "uid": info.uid,
        "gid": info.gid,
    }


# -- the endpoints ---------------------------------------------------------------------------------------


def _path(ask: Ask) -> str:
    path = ask.request.query.get("path", "")
    if not path:
        raise FilesError(400, "Expecting 'path=value' in query.\n")
    check_access(ask, path)
    return path


def check_access(ask: Ask, path: str) -> None:
    """FilesError(403) unless the caller may see the sandbox that a path is in. Of a sandbox whose executor is
    forgotten nobody knows whose it was: only who may see all may see it."""
    if not ask.approves(Action.ACCESS_SANDBOX, *_owner(ask.agents.values(), path)):
        raise FilesError(403, None)


def _owner(agents: Iterable[Agent], path: str) -> tuple[mesos.FrameworkInfo, mesos.ExecutorInfo] | tuple[()]:
    for agent in agents:
        real = agent.sandboxes.find(path)
        if real is not None:
            seen = view(agent)
            for framework in (*seen.frameworks, *seen.completed):
                for executor in (*framework.executors, *framework.completed):
                    if real.is_relative_to(executor.directory):
                        return framework.info, executor.info
    return ()


def _number(ask: Ask, name: str) -> int | None:
    """`offset` or `length`; None when it is not given or -1."""
    text = ask.request.query.get(name)
    if text is None:
        return None
    try:
        value = int(text) if len(text) < 24 else _INT64
    except ValueError:
        value = _INT64
    if not -_INT64 <= value < _INT64:
        raise FilesError(400, f"Failed to parse {name}: Failed to convert '{text[:100]}' to number.\n")
    if value < -1:
        raise FilesError(400, f"Negative {name} provided: {value}.\n")
    return None if value == -1 else value


async def browse_endpoint(ask: Ask) -> web.StreamResponse:
    """/files/browse?path="""
    try:
        found = await asyncio.to_thread(browse, list(ask.agents.values()), _path(ask))
    except FilesError as error:
        return error.answer()
    return ask.json([info_json(info) for info in found])


async def read_endpoint(ask: Ask) -> web.StreamResponse:
    """/files/read?path=&offset=&length= ; without an offset (or -1) it tells the file's size as `offset`."""
    try:
        path, offset, length = _path(ask), _number(ask, "offset"), _number(ask, "length")
        if offset is None:
            length = 0
        size, data = await asyncio.to_thread(read, list(ask.agents.values()), path, offset or 0, length)
    except FilesError as error:
        return error.answer()
    text = data.decode("utf-8", "replace")
    return ask.json({"offset": size if offset is None else offset, "data": text})


async def download_endpoint(ask: Ask) -> web.StreamResponse:
    """/files/download?path= : the file as it is."""
    try:
        path = _path(ask)
        real = await asyncio.to_thread(resolve, list(ask.agents.values()), path)
        if real.is_dir():
            raise FilesError(400, "Cannot download a directory.\n")
        descriptor = await asyncio.to_thread(os.open, real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FilesError as error:
        return error.answer() if error.status != 404 else refuse(404)
    except OSError:
        return refuse(404)
    with os.fdopen(descriptor, "rb") as file:
        left = os.fstat(descriptor).st_size  # a log that grows meanwhile is not followed
        response = web.StreamResponse()
        response.content_length = left
        response.content_type = mimetypes.guess_type(real.name)[0] or "application/octet-stream"
        response.headers[hdrs.CONTENT_DISPOSITION] = f"attachment; filename={real.name}"
        await response.prepare(ask.request)
        while left > 0 and (part := await asyncio.to_thread(file.read, min(_CHUNK, left))):
            await response.write(part)
            left -= len(part)
        if left > 0:  # it was cut while it was sent: the promised length cannot be kept
            response.force_close()
        await response.write_eof()
        return response


async def debug_endpoint(ask: Ask) -> web.StreamResponse:
    """/files/debug: which paths lead where."""
    found = {}
    for agent in ask.agents.values():
        for task in agent.tasks.book.tasks():
            directory = str(agent.sandboxes.directory(task))
            found[directory] = directory
    return ask.json(found)
