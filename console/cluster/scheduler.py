"""The wire of Mesos's v1 scheduler API: JSON calls by POST, events as a RecordIO stream.

Source: Mesos documentation, scheduler-http-api.md; include/mesos/v1/scheduler/scheduler.proto. This knows
one subscription to one master; what to do when it breaks is framework.py's business.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp

from console.cluster.mesos import Json
from console.cluster.recordio import Decoder, RecordError
from console.cluster.trust import TRUST, certificate_trouble
from console.errors import MasterError, UsageError

log = logging.getLogger(__name__)
ran = logging.getLogger("mma.ran.http")

PATHS = ("/master/api/v1/scheduler", "/api/v1/scheduler")
"""A master started as a library answers only the first one, every other master answers both."""

_CALL_TIMEOUT = aiohttp.ClientTimeout(total=15)
_STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5)


class Unreachable(MasterError):
    """The master does not answer or the stream broke: worth another try."""


def master_url(master: str) -> str:
    """`host:port` or an http(s) URL as a base URL. UsageError for anything else; see leader.py for lists."""
    text = master if "//" in master else f"//{master}"
    parts = urlsplit(text, scheme="http")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{master!r} is not a master's address.", remedy="Write HOST:PORT.")
    try:
        port = parts.port or 5050
    except ValueError as error:
        raise UsageError(f"{master!r} has no valid port.", remedy="Write HOST:PORT.") from error
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"


class Subscription:
    """One live subscription: its events, and calls that carry its stream id."""

    def __init__(self, http: aiohttp.ClientSession, url: str, response: aiohttp.ClientResponse) -> None:
        self._http = http
        self._url = url
        self._response = response
        self.stream_id = response.headers.get("Mesos-Stream-Id", "")
        """Of the subscription: every call carries it."""
        self._decoder = Decoder()
        self._records: deque[bytes] = deque()  # come, and not yet taken

    @property
    def url(self) -> str:
        """The scheduler endpoint of the leading master."""
        return self._url

    @property
    def base(self) -> str:
        """Base URL of the leading master."""
        endpoint = urlsplit(self._url)
        return f"{endpoint.scheme}://{endpoint.netloc}"

    async def events(self, silence: float) -> AsyncIterator[Json]:
        """Every event, HEARTBEAT too. Unreachable when the stream ends or is silent for `silence` s.

        Who stops to listen and asks again misses nothing: offers may come in one piece with SUBSCRIBED.
        """
        while True:
            while self._records:
                try:
                    event = json.loads(self._records.popleft())
                except ValueError as error:
                    raise MasterError(f"The master's event stream makes no sense: {error}.") from error
                yield event
            try:
                async with asyncio.timeout(silence):
                    chunk = await self._response.content.readany()
            except TimeoutError as error:
                raise Unreachable(f"The master sent nothing for {silence:.0f} s.") from error
            except (aiohttp.ClientError, ConnectionError) as error:
                raise Unreachable("The master closed the event stream.") from error
            if not chunk:
                raise Unreachable("The master closed the event stream.")
            try:
                self._records.extend(self._decoder.feed(chunk))
            except RecordError as error:
                raise MasterError(f"The master's event stream makes no sense: {error}.") from error

    async def call(self, body: Json) -> None:
        """One call. MasterError with the master's own words when it refuses."""
        headers = {"Mesos-Stream-Id": self.stream_id}
        if ran.isEnabledFor(logging.INFO):
            ran.info("POST %s %s", self._url, json.dumps(body))
        try:
            async with self._http.post(self._url, json=body, headers=headers, timeout=_CALL_TIMEOUT) as reply:
                if reply.status != 202:
                    words = (await reply.text()).strip().rstrip(".")
                    raise MasterError(f"The master refused {body['type']}: {words or reply.reason}.")
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise Unreachable(f"The master did not take {body['type']}.") from error


@asynccontextmanager
async def subscribe(http: aiohttp.ClientSession, base: str, body: Json) -> AsyncIterator[Subscription]:
    """Open a subscription with the leading master; `body` is the SUBSCRIBE call.

    Follows redirects to the leader. Unreachable when nobody listens or there is no leader yet, MasterError
    when the master refuses.
    """
    url, response = await _post(http, base, body)
    try:
        yield Subscription(http, url, response)
    finally:
        response.close()


async def _post(
    http: aiohttp.ClientSession, base: str, body: Json, redirects: int = 3
) -> tuple[str, aiohttp.ClientResponse]:
    refusal = ""
    for path in PATHS:
        url = base + path
        try:
            response = await http.post(
                url,
                json=body,
                headers={"Accept": "application/json"},
                timeout=_STREAM_TIMEOUT,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            if why := certificate_trouble(error):
                raise MasterError(f"The master at {base} is not trusted: {why}.", remedy=TRUST) from error
            again = "It is asked again until it answers."
            raise Unreachable(f"No Mesos master answers at {base}.", remedy=again) from error
        if response.status == 200:
            return url, response
        words = (await response.text()).strip().rstrip(".")
        response.close()
        if response.status in (307, 308) and redirects:
            leader = urlsplit(response.headers.get("Location", ""), scheme=base.partition(":")[0])
            log.info("%s points at the leader %s", base, leader.netloc)
            return await _post(http, f"{leader.scheme}://{leader.netloc}", body, redirects - 1)
        if response.status == 503:
            raise Unreachable(f"The master at {base} has no leader yet.")
        refusal = words or str(response.reason)
        if response.status != 404:
            break
    raise MasterError(f"The master at {base} refused the subscription: {refusal}.")
