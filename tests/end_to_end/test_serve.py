"""The console in a browser: only for whom it is, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest

pytestmark = pytest.mark.end_to_end


def _children(pid: int) -> set[int]:
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | _children(child)
    return found


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def _listens(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


async def _gone(pids: set[int]) -> None:
    async with asyncio.timeout(30):
        while any(map(_lives, pids)):  # noqa: ASYNC110 - nobody tells it
            await asyncio.sleep(0.1)


async def test_a_browser_with_the_token_gets_a_session_and_closing_it_ends_all(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-m", "console.cli", "console", "--serve", "--fresh", "--target", "host", "--port", str(port)]
    server = await asyncio.create_subprocess_exec(
        sys.executable, *words, stderr=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    assert server.stderr is not None
    try:
        async with asyncio.timeout(60):
            line = (await server.stderr.readline()).decode()
        url = re.search(r"http://\S+", line)
        assert url is not None, line
        base = url[0].partition("?")[0]
        await _listens(port)
        async with aiohttp.ClientSession() as stranger:
            for path in ("", "?token=x", "ws", "static/css/xterm.css"):
                async with stranger.get(base + path) as reply:
                    assert reply.status == 403
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            async with browser.get(url[0]) as reply:
                assert reply.status == 200
                assert base.replace("http", "ws") + "ws" in await reply.text()
            async with browser.ws_connect(base + "ws?width=100&height=30", max_msg_size=0) as terminal:
                seen = b""
                async with asyncio.timeout(60):
                    while b"1 agent" not in seen or b"up" not in seen:
                        seen += (await terminal.receive_bytes()) if not terminal.closed else b""
                started = _children(server.pid)
                assert len(started) > 1  # the console and its master
                await terminal.send_json(["stdin", "?"])
                async with asyncio.timeout(30):
                    while b"Help" not in seen[-60_000:]:
                        seen += await terminal.receive_bytes()
            await _gone(started)
    finally:
        server.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            assert await server.wait() in (0, 130)
