"""Modules by URI: over HTTP and from files, within limits, kept by their contents."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from agent.config import AgentConfig
from agent.errors import TaskError
from agent.fetcher import Fetcher
from agent.launch import Source

MODULE = b"\0asm\1\0\0\0" + b"x" * 1000
DIGEST = hashlib.sha256(MODULE).hexdigest()
CONFIG = AgentConfig(module_limit=4096, fetch_timeout=3.0, cache_limit=10_000)


@dataclass
class Server:
    """An HTTP server that counts."""

    url: str = ""
    asked: int = 0
    body: bytes = MODULE

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked += 1
        if request.path == "/slow":
            await asyncio.sleep(30)
        if request.path == "/missing":
            return web.Response(status=404)
        if request.path == "/moved":
            raise web.HTTPFound("/module.wasm")
        await asyncio.sleep(0.05)
        if request.path == "/endless":
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(100):
                await response.write(MODULE)
            return response
        return web.Response(body=self.body)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    served = Server()
    runner = web.ServerRunner(web.Server(served.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    served.url = f"http://{host}:{port}"
    yield served
    await runner.cleanup()


@pytest_asyncio.fixture
async def fetcher(tmp_path: Path) -> AsyncIterator[Fetcher]:
    made = Fetcher(tmp_path / "cache", CONFIG)
    yield made
    await made.close()


async def test_http_files_and_paths(server: Server, fetcher: Fetcher, tmp_path: Path) -> None:
    path = tmp_path / "my module.wasm"
    path.write_bytes(MODULE)
    for uri in (f"{server.url}/module.wasm", f"{server.url}/moved", path.as_uri(), str(path)):
        assert await fetcher.module(Source(uri=uri)) == MODULE
    assert await fetcher.module(Source(data=MODULE)) == MODULE


async def test_what_cannot_be_fetched_is_said_in_words(
    server: Server, fetcher: Fetcher, tmp_path: Path
) -> None:
    big = tmp_path / "big"
    big.write_bytes(MODULE * 5)
    for uri, words in [
        (f"{server.url}/missing", "answered 404 Not Found"),
        (f"{server.url}/slow", "not there within 3 s"),
        (f"{server.url}/endless", "more than 4,096 bytes"),
        ("http://127.0.0.1:1/x", "could not be fetched"),
        ("http://[", "cannot be fetched"),
        (str(tmp_path / "none"), "No such file"),
        (str(tmp_path), "Is a directory"),
        (big.as_uri(), "more than 4,096 bytes"),
        ("ftp://x/y", "cannot be fetched"),
        ("relative.wasm", "cannot be fetched"),
    ]:
        with pytest.raises(TaskError) as caught:
            await fetcher.module(Source(uri=uri))
        assert words in str(caught.value), uri


async def test_contents_are_checked(server: Server, fetcher: Fetcher) -> None:
    source = Source(uri=f"{server.url}/module.wasm", sha256="0" * 64)
    with pytest.raises(TaskError, match="has the SHA-256"):
        await fetcher.module(source)
    server.body = b"<html>"
    with pytest.raises(TaskError, match=r"no WASM module: it begins with b'<html>'"):
        await fetcher.module(replace(source, sha256=""))


async def test_only_what_may_be_kept_is_kept(server: Server, fetcher: Fetcher) -> None:
    plain = Source(uri=f"{server.url}/module.wasm")
    for source, asked in [
        (plain, 1),
        (plain, 2),
        (replace(plain, cache=True), 3),
        (replace(plain, cache=True), 3),
        (replace(plain, sha256=DIGEST), 3),
        (Source(uri="http://127.0.0.1:1/elsewhere", sha256=DIGEST), 3),
        (plain, 4),
    ]:
        assert await fetcher.module(source) == MODULE
        assert server.asked == asked


async def test_a_spoilt_cache_is_noticed(server: Server, fetcher: Fetcher, tmp_path: Path) -> None:
    source = Source(uri=f"{server.url}/module.wasm", cache=True)
    await fetcher.module(source)
    (entry,) = (tmp_path / "cache").glob("sha256/*/*")
    entry.write_bytes(b"\0asm spoilt")
    assert await fetcher.module(source) == MODULE
    assert server.asked == 2


async def test_the_cache_stays_within_its_limit(server: Server, fetcher: Fetcher, tmp_path: Path) -> None:
    for number in range(15):
        server.body = MODULE + bytes([number])
        await fetcher.module(Source(uri=f"{server.url}/{number}", cache=True))
    sizes = [path.stat().st_size for path in (tmp_path / "cache").glob("sha256/*/*")]
    assert sum(sizes) <= 10_000
    assert len(sizes) == 9


async def test_tasks_share_a_transfer_and_one_kill_does_not_end_it(server: Server, fetcher: Fetcher) -> None:
    source = Source(uri=f"{server.url}/module.wasm")
    tasks = [asyncio.create_task(fetcher.module(source)) for _ in range(5)]
    await asyncio.sleep(0.02)
    tasks[0].cancel()
    assert await asyncio.gather(*tasks[1:]) == [MODULE] * 4
    assert server.asked == 1
