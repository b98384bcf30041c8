"""Connections that cost without being of use are ended: those that never finish a request, that send a body
or take an answer too slowly, or that are too many.

Connections that carry messages are links: idle for days, and healthy. They go last.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, PayloadEncodingError
from aiohttp.web_protocol import RequestPayloadError

log = logging.getLogger(__name__)

CONNECTIONS = 1000
"""At most so many at a time, or half of the files that the process may have open."""
IDLE = 75.0
"""Seconds that a caller's connection may wait for its first or next request."""
BODY = 60.0
"""Seconds for the body of a request."""
ANSWER = 60.0
"""Seconds without any of an answer being taken."""
INTERVAL = 5.0
"""Seconds between looks."""


def brief(record: logging.LogRecord) -> bool:
    """Keeps aiohttp from logging a traceback whenever somebody sends what is no HTTP, or hangs up."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, (HttpProcessingError, PayloadEncodingError, RequestPayloadError, ConnectionError)):
        log.debug("a request is refused: %s", str(error).partition("\n")[0])
        return False
    return True


@dataclass(slots=True)
class _Use:
    """What is known of one connection. Times are the loop's."""

    since: float
    """It waits for a request since then, or the request began then."""
    request: web.BaseRequest | None = None
    """What is being answered."""
    link: bool = False
    waiting: int = 0
    """Bytes of answers that were not taken at `looked`."""
    looked: float = 0.0


class _Request(web.BaseRequest):
    """One whose answer does not say what serves it: a native agent's has no such header."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        await super()._prepare_hook(response)
        response.headers.popall("Server", None)


class Server(web.Server):
    """aiohttp's, which tells of each connection."""

    def __init__(self, handler: Any, bounds: Bounds, **more: Any) -> None:
        requests = log.getChild("requests")
        requests.addFilter(brief)  # once, however often
        super().__init__(handler, request_factory=self._request, logger=requests, **more)
        self._bounds = bounds
        self._transports: dict[Any, asyncio.Transport] = {}

    def _request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> _Request:
        return _Request(message, payload, protocol, writer, task, asyncio.get_running_loop())

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        """A connection was accepted."""
        super().connection_made(handler, transport)
        self._transports[handler] = transport
        self._bounds.opened(transport)

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        """It has ended."""
        super().connection_lost(handler, exc)
        transport = self._transports.pop(handler, None)
        if transport is not None:
            self._bounds.closed(transport)


class Bounds:
    """Watches the connections of one port."""

    def __init__(self, most: int | None = None) -> None:
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.most = most or max(16, min(CONNECTIONS, files // 2))
        self.ended = 0
        """Connections that were ended here."""
        self._uses: dict[asyncio.Transport, _Use] = {}

    def opened(self, transport: asyncio.Transport) -> None:
        """There is one more. When there are too many, the least useful one goes."""
        self._uses[transport] = _Use(_now())
        if len(self._uses) > self.most:
            others = (item for item in self._uses.items() if item[0] is not transport)
            worst, _ = min(
                others, key=lambda item: (item[1].link, item[1].request is not None, item[1].since)
            )
            self._end(worst, "there are too many")

    def closed(self, transport: asyncio.Transport) -> None:
        """One of them has gone."""
        self._uses.pop(transport, None)

    def begin(self, request: web.BaseRequest) -> None:
        """A request's head is complete."""
        use = self._of(request)
        if use is not None:
            use.since, use.request, use.waiting = _now(), request, 0

    def carries_messages(self, request: web.BaseRequest) -> None:
        """It is a link."""
        use = self._of(request)
        if use is not None:
            use.link = True

    def end(self, request: web.BaseRequest) -> None:
        """The request is answered."""
        use = self._of(request)
        if use is not None:
            use.since, use.request = _now(), None

    async def run(self) -> None:
        """Look now and then, for ever."""
        while True:
            await asyncio.sleep(INTERVAL)
            self.sweep(_now())

    def sweep(self, now: float) -> None:
        """End what is over its bounds at `now` (the loop's time)."""
        for transport, why in list(self._wrong(now)):
            self._end(transport, why)

    def _wrong(self, now: float) -> Iterator[tuple[asyncio.Transport, str]]:
        for transport, use in self._uses.items():
            waiting = transport.get_write_buffer_size()
            if waiting == 0 or waiting != use.waiting:
                use.waiting, use.looked = waiting, now
            elif now - use.looked > ANSWER:
                yield transport, "its answer is not taken"
                continue
            if use.request is None:
                if not use.link and now - use.since > IDLE:
                    yield transport, "no request came"
            elif not use.request.content.is_eof() and now - use.since > BODY:
                yield transport, "its body does not end"

    def _of(self, request: web.BaseRequest) -> _Use | None:
        transport = request.transport
        return self._uses.get(transport) if isinstance(transport, asyncio.Transport) else None

    def _end(self, transport: asyncio.Transport, why: str) -> None:
        self._uses.pop(transport, None)
        self.ended += 1
        log.debug("a connection from %s is ended: %s", transport.get_extra_info("peername"), why)
        transport.abort()


def _now() -> float:
    return asyncio.get_running_loop().time()
