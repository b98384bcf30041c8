"""The leading master as ZooKeeper tells it: zk://[user:password@]host:port,host:port/path.

Masters contend by ephemeral, sequential nodes below the path; who has the lowest number leads
(src/zookeeper/detector.cpp, src/master/detector/zookeeper.cpp). A node holds its master's MasterInfo:

    json.info_0000000007   as JSON     (Mesos 0.24 and later)
    info_0000000007        as protobuf (0.19 and later)

Other nodes, such as log_replicas, are not masters. When ZooKeeper cannot be reached, or our session is
lost, the leader last told stays: agents and master can do without ZooKeeper until the next election.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator, Iterable
from typing import Any

from google.protobuf.message import DecodeError
from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException, NoAuthError, NoNodeError
from kazoo.retry import KazooRetry

from agent.detector import resolve
from agent.errors import ConfigError
from agent.proto import mesos_pb2 as mesos
from agent.wire.upid import Upid

log = logging.getLogger(__name__)

SESSION_TIMEOUT = 10.0
"""Seconds, as the native agent's zk_session_timeout."""
RETRY = 5.0
"""Seconds until ZooKeeper is asked again after an answer that helped nobody."""
RECONNECT_MAX = 5
"""Seconds at most between attempts to connect."""
DEFAULT_PORT = 2181

_URL = re.compile(r"zk://(?:(?P<auth>[^@/]*)@)?(?P<hosts>[^@/]+)(?P<path>/.*)?")
_NODE = re.compile(r"(?P<label>json\.info_|info_)(?P<number>\d{10})")


class ZooKeeperDetector:
    """Watches the group of one URL."""

    def __init__(self, url: str, session_timeout: float = SESSION_TIMEOUT) -> None:
        match = _URL.fullmatch(url)
        if match is None or (match["auth"] is not None and ":" not in match["auth"]):
            raise ConfigError(
                f"{masked(url)!r} is no address in ZooKeeper.",
                remedy="Write zk://host1:2181,host2:2181/mesos.",
            )
        self._auth = match["auth"]
        self._hosts = [_host_of(text) for text in match["hosts"].split(",")]
        self._path = "/" + (match["path"] or "").strip("/")
        self._timeout = session_timeout

    async def reach(self) -> str:
        """The address of the first ZooKeeper server whose host is known."""
        unknown: ConfigError | None = None
        for host in self._hosts:
            try:
                return await resolve(host.rpartition(":")[0])
            except ConfigError as error:
                unknown = error
        raise ConfigError(
            f"No host of {self} is known.", remedy="Check the names, or give IPv4 addresses."
        ) from unknown

    async def masters(self) -> AsyncGenerator[Upid | None, None]:
        """The leader, then each change."""
        client = self._client()
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def wake(event: Any = None) -> None:
            """From kazoo's threads: the group or our session changed."""
            if not loop.is_closed():
                loop.call_soon_threadsafe(changed.set)

        client.add_listener(wake)
        connected = client.start_async()
        try:
            await self._until_connected(connected)
            known: Upid | None = None
            while True:
                changed.clear()
                told, found = await self._read(client, wake)
                if told and found != known:
                    known = found
                    yield found
                try:
                    async with asyncio.timeout(None if told else RETRY):
                        await changed.wait()
                except TimeoutError:
                    pass
        finally:
            client.remove_listener(wake)
            await asyncio.shield(loop.run_in_executor(None, _close, client))

    def __str__(self) -> str:
        """For logs: without the password."""
        return f"zk://{','.join(self._hosts)}{self._path}"

    def _client(self) -> KazooClient:
        patient = KazooRetry(max_tries=-1, max_delay=RECONNECT_MAX, delay=0.2)
        return KazooClient(
            hosts=",".join(self._hosts),
            timeout=self._timeout,
            auth_data=[("digest", self._auth)] if self._auth else None,
            connection_retry=patient,
            logger=log.getChild("kazoo"),
        )

    async def _until_connected(self, connected: Any) -> None:
        """`connected` is kazoo's event, of threads."""
        waited = 0.0
        while not connected.is_set():
            await asyncio.sleep(0.02 if waited < 1 else 0.2)
            waited += 0.02 if waited < 1 else 0.2
            if waited >= RETRY:
                log.warning("%s does not answer; waiting for it", self)
                waited = 1.0

    async def _read(self, client: KazooClient, wake: Any) -> tuple[bool, Upid | None]:
        """(whether ZooKeeper told, the leader); `wake` is called when that is no longer true."""
        if client.state != KazooState.CONNECTED:
            return False, None
        try:
            names = await _result(client.get_children_async(self._path, watch=wake))
            name = lowest(names)
            if name is None:
                log.info("%s has no master", self)
                return True, None
            content, _ = await _result(client.get_async(f"{self._path}/{name}"))
        except NoNodeError:
            # Either nobody ever contended here, or the leader left between the two questions.
            return await self._exists(client, wake), None
        except NoAuthError:
            log.error("%s may not be read: give a user in the URL that may", self)
            return False, None
        except KazooException as error:
            log.info("%s does not answer (%s)", self, type(error).__name__)
            return False, None
        leader = parse_info(name, content)
        if leader is None:
            log.error("%s/%s is no MasterInfo: %r", self, name, content[:200])
        return leader is not None, leader

    async def _exists(self, client: KazooClient, wake: Any) -> bool:
        """Watch a path that is not there yet. False when it is."""
        try:
            return await _result(client.exists_async(self._path, watch=wake)) is None
        except KazooException:
            return False


def masked(url: str) -> str:
    """A URL without its user and password."""
    return re.sub(r"//[^/]*@", "//…@", url)


def lowest(names: Iterable[str]) -> str | None:
    """The node of the leader among the children of a group."""
    masters = [match for name in names if (match := _NODE.fullmatch(name))]
    return min(masters, key=lambda match: int(match["number"]))[0] if masters else None


def parse_info(name: str, content: bytes) -> Upid | None:
    """The master's process from its node; None when the content is not what the name promises."""
    try:
        if name.startswith("json."):
            return Upid.parse(json.loads(content)["pid"])
        return Upid.parse(mesos.MasterInfo.FromString(content).pid)
    except (ConfigError, DecodeError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _host_of(text: str) -> str:
    host, colon, port = text.partition(":")
    if not host or (colon and not port.isdecimal()):
        raise ConfigError(f"{text!r} is no ZooKeeper server.", remedy="Write host:port.")
    return f"{host}:{port or DEFAULT_PORT}"


async def _result(pending: Any) -> Any:
    """Await kazoo's IAsyncResult."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle() -> None:
        if not future.done():
            if pending.exception is not None:
                future.set_exception(pending.exception)
            else:
                future.set_result(pending.value)

    def done(_: Any) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle)

    pending.rawlink(done)
    return await future


def _close(client: KazooClient) -> None:
    client.stop()
    client.close()
