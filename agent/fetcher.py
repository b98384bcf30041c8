"""Fetches WASM modules by URI, within limits, and keeps them by their contents.

A module is kept when its URI says `cache` or the task tells its SHA-256; it lies under its own digest, so
that a cached module can never be another one. What the URI itself gave last is kept beside it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp

from agent.config import AgentConfig
from agent.errors import FetchError, TaskError
from agent.launch import Source, check_module

log = logging.getLogger(__name__)

_CHUNK = 1 << 16


class Fetcher:
    """One for a whole gateway; `folder` holds the cache."""

    def __init__(self, folder: Path, config: AgentConfig) -> None:
        self._folder = folder
        self._config = config
        self._session: aiohttp.ClientSession | None = None
        self._fetching: dict[str, asyncio.Task[bytes]] = {}
        self.succeeded = 0
        self.failed = 0
        """Tasks whose module was, or was not, there in the end."""

    async def close(self) -> None:
        """Give up what is being fetched. Idempotent."""
        for task in self._fetching.values():
            task.cancel()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def cached_bytes(self) -> int:
        """What the cache holds. Blocks for as long as the file system does."""
        try:
            return sum(path.stat().st_size for path in self._folder.glob("sha256/*/*"))
        except OSError:
            return 0

    async def module(self, source: Source) -> bytes:
        """The checked module; TaskError (FetchError) with a sentence for the framework."""
        try:
            module = await self._module(source)
        except TaskError:
            self.failed += 1
            raise
        self.succeeded += 1
        return module

    async def _module(self, source: Source) -> bytes:
        if not source.uri:
            return check_module(source.data, source, self._config.module_limit)
        found = await asyncio.to_thread(self._cached, source)
        if found is None:
            found = await self._fetch_once(source)
        module = check_module(found, source, self._config.module_limit)
        if source.cache or source.sha256:
            await asyncio.to_thread(self._keep, source, module)
        return module

    async def _fetch_once(self, source: Source) -> bytes:
        """Fetch; tasks that want the same URI at the same time share one transfer."""
        running = self._fetching.get(source.uri)
        if running is None:
            running = asyncio.create_task(self._fetch(source.uri), name=f"fetch {source.uri}")
            self._fetching[source.uri] = running
            running.add_done_callback(lambda _: self._fetching.pop(source.uri, None))
        # Shielded: killing one of the tasks does not take the module from the others.
        return await asyncio.shield(running)

    async def _fetch(self, uri: str) -> bytes:
        try:
            scheme = urlsplit(uri).scheme.lower()
        except ValueError:
            scheme = "malformed"
        if scheme in ("http", "https"):
            return await self._download(uri)
        if scheme == "file":
            return await asyncio.to_thread(self._read, uri, Path(unquote(urlsplit(uri).path)))
        if not scheme and uri.startswith("/"):
            return await asyncio.to_thread(self._read, uri, Path(uri))
        raise FetchError(
            f"The module's URI {uri!r} cannot be fetched.",
            remedy="Give an http, https or file URI, or an absolute path on the gateway.",
        )

    async def _download(self, uri: str) -> bytes:
        limit = self._config.module_limit
        if self._session is None:
            self._session = aiohttp.ClientSession(raise_for_status=False)
        try:
            async with asyncio.timeout(self._config.fetch_timeout):
                async with self._session.get(uri) as response:
                    if response.status != 200:
                        raise FetchError(
                            f"{uri} answered {response.status} {response.reason}.",
                            remedy="Check that the module is there and may be read.",
                        )
                    body = bytearray()
                    async for part in response.content.iter_chunked(_CHUNK):
                        body += part
                        if len(body) > limit:
                            raise _too_large(uri, limit)
                    return bytes(body)
        except TimeoutError as error:
            raise FetchError(
                f"{uri} was not there within {self._config.fetch_timeout:g} s.",
                remedy="Check the server, or raise the agent's fetch time-out.",
            ) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise FetchError(
                f"{uri} could not be fetched: {error}.",
                remedy="Check the URI and that the gateway reaches it.",
            ) from error

    def _read(self, uri: str, path: Path) -> bytes:
        limit = self._config.module_limit
        try:
            with path.open("rb") as file:
                body = file.read(limit + 1)
        except OSError as error:
            raise FetchError(
                f"{uri} could not be read on the gateway: {error.strerror}.",
                remedy="file URIs and paths are those of the machine that runs the agent.",
            ) from error
        if len(body) > limit:
            raise _too_large(uri, limit)
        return body

    # -- the cache (blocking; called in threads) --------------------------------------------------------

    def _cached(self, source: Source) -> bytes | None:
        digest = source.sha256
        try:
            if not digest and source.cache:
                digest = self._uri_entry(source.uri).read_text("ascii")
            if not digest:
                return None
            entry = self._entry(digest)
            module = entry.read_bytes()
            if hashlib.sha256(module).hexdigest() != digest:
                entry.unlink(missing_ok=True)
                return None
            os.utime(entry)
            return module
        except (OSError, ValueError):
            return None

    def _keep(self, source: Source, module: bytes) -> None:
        digest = hashlib.sha256(module).hexdigest()
        try:
            if not self._entry(digest).exists():
                _write(self._entry(digest), module)
                self._make_room()
            if source.cache:
                _write(self._uri_entry(source.uri), digest.encode())
        except OSError as error:
            # A cache that cannot be written costs time, not the task.
            log.warning("the module cache %s cannot be written: %s", self._folder, error)

    def _make_room(self) -> None:
        """Drop the modules that were not used for longest until the rest is within the limit."""
        entries = [(path.stat(), path) for path in self._folder.glob("sha256/*/*")]
        size = sum(facts.st_size for facts, _ in entries)
        for facts, path in sorted(entries, key=lambda entry: entry[0].st_mtime):
            if size <= self._config.cache_limit:
                return
            path.unlink(missing_ok=True)
            size -= facts.st_size

    def _entry(self, digest: str) -> Path:
        return self._folder / "sha256" / digest[:2] / digest

    def _uri_entry(self, uri: str) -> Path:
        return self._folder / "uri" / hashlib.sha256(uri.encode()).hexdigest()


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: readers see the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)


def _too_large(uri: str, limit: int) -> FetchError:
    return FetchError(
        f"{uri} has more than {limit:,} bytes, which is all that this agent takes.",
        remedy="Strip the module, or raise the agent's --module-limit.",
    )
