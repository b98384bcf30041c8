"""Who the leading master is: lists, and ZooKeeper where Debian's is installed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl
from zookeeper_server import ZooKeeper

from agent.detector import StaticDetector, detector_of
from agent.errors import ConfigError
from agent.proto import mesos_pb2 as mesos
from agent.standby import StandbyDetector
from agent.wire.upid import Upid
from agent.zookeeper import ZooKeeperDetector, lowest, masked, parse_info

A, B = Upid("master", "127.0.0.1", 5050), Upid("master", "10.0.0.2", 5051)


def json_info(master: Upid) -> bytes:
    """As MasterInfo is written by Mesos 1.11 (ZooKeeperMasterContender, JSON::protobuf)."""
    address = {"hostname": master.ip, "ip": master.ip, "port": master.port}
    info = {
        **{"address": address, "hostname": master.ip, "id": "4b0b3e4c", "ip": 16777343},
        **{"pid": str(master), "port": master.port, "version": "1.11.0"},
        "capabilities": [{"type": "AGENT_UPDATE"}, {"type": "AGENT_DRAINING"}, {"type": "QUOTA_V2"}],
    }
    return json.dumps(info).encode()


@asynccontextmanager
async def told(detector: Any) -> AsyncIterator[AsyncIterator[Upid | None]]:
    """What it tells, closed at the end."""
    found = detector.masters()
    try:
        yield found
    finally:
        await found.aclose()


async def following(found: AsyncIterator[Upid | None]) -> Upid | None:
    async with asyncio.timeout(40):
        return await anext(found)


# -- addresses ------------------------------------------------------------------------------------------


def test_the_address_says_how_masters_are_found() -> None:
    assert isinstance(detector_of("localhost"), StaticDetector)
    assert isinstance(detector_of("a:5050,b:5050"), StandbyDetector)
    assert isinstance(detector_of("zk://u:p@a:2181,b/mesos"), ZooKeeperDetector)


@pytest.mark.parametrize(
    "address", ["", ":5050", "a:99999", "http://a:5050", "zk://", "zk://u@a/m", ",", "zk://a:x/m"]
)
def test_other_addresses_are_refused_in_words(address: str) -> None:
    with pytest.raises(ConfigError, match=r"Write (host|zk:)"):
        detector_of(address)


async def test_unknown_hosts_are_told_at_once() -> None:
    for address in ("nobody.invalid", "nobody.invalid,neither.invalid", "zk://nobody.invalid:2181/mesos"):
        with pytest.raises(ConfigError, match="known"):
            await detector_of(address).reach()


def test_passwords_are_not_shown() -> None:
    url = "zk://user:secret@a:2181/mesos"
    assert "secret" not in masked(url) + str(ZooKeeperDetector(url))
    with pytest.raises(ConfigError) as caught:
        detector_of("zk:///user:secret@a")
    assert "secret" not in str(caught.value)


def test_the_lowest_number_leads_whatever_its_label() -> None:
    names = ["log_replicas", "json.info_0000000012", "info_0000000009", "json.info_0000000010"]
    assert lowest(names) == "info_0000000009"
    assert lowest(["log_replicas", "json.info_12"]) is None


def test_master_infos_of_both_kinds() -> None:
    binary = mesos.MasterInfo(id="x", ip=1, port=5050, pid=str(A)).SerializeToString()
    assert parse_info("info_0000000000", binary) == A
    assert parse_info("json.info_0000000000", json_info(B)) == B
    for damaged in (b"", b"{}", b"[]", b'{"pid": 7}', b'{"pid": "master"}', b"\xff"):
        assert parse_info("json.info_0000000000", damaged) is None
        assert parse_info("info_0000000000", damaged) is None


# -- a list -----------------------------------------------------------------------------------------------


class Redirecting:
    """A master's /master/redirect; `leader` None is 503."""

    def __init__(self, leader: str | None = None) -> None:
        self.leader = leader
        self.port = 0

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.path == "/master/redirect"
        if self.leader is None:
            return web.Response(status=503)
        return web.Response(status=307, headers={"Location": f"//{self.leader}"})

    async def __aenter__(self) -> Redirecting:
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


async def test_a_list_follows_whom_its_masters_name() -> None:
    async with Redirecting() as first, Redirecting() as second:
        detector = StandbyDetector(f"127.0.0.1:{first.port},127.0.0.1:{second.port}", interval=0.02)
        async with told(detector) as found:
            second.leader = f"localhost:{second.port}"
            assert await following(found) == Upid("master", "127.0.0.1", second.port)
            first.leader = second.leader = f"127.0.0.1:{first.port}"
            assert await following(found) == Upid("master", "127.0.0.1", first.port)


async def test_a_leader_that_nobody_contradicts_stays_and_a_second_takes_over() -> None:
    async with Redirecting() as second:
        second.leader = None
        async with Redirecting() as first:
            first.leader = f"127.0.0.1:{first.port}"
            detector = StandbyDetector(f"127.0.0.1:{first.port},127.0.0.1:{second.port}", interval=0.02)
            async with told(detector) as found:
                assert (await following(found) or A).port == first.port
                await first.__aexit__()
                waiting = asyncio.ensure_future(anext(found))  # type: ignore[arg-type]
                done, _ = await asyncio.wait([waiting], timeout=0.3)
                assert not done  # dead, but still the last that led
                second.leader = f"127.0.0.1:{second.port}"
                assert (await asyncio.wait_for(waiting, 20) or A).port == second.port


# -- ZooKeeper ----------------------------------------------------------------------------------------------


@contextmanager
def contender(server: ZooKeeper, auth: str = "") -> Iterator[KazooClient]:
    """A session as a master holds one: its nodes go with it."""
    acl = [make_digest_acl(*auth.split(":"), all=True)] if auth else None
    data = [("digest", auth)] if auth else None
    client = KazooClient(server.address, timeout=4.0, auth_data=data, default_acl=acl)
    client.start(timeout=30)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def contend(client: KazooClient, master: Upid, path: str = "/mesos") -> str:
    made: str = client.create(
        f"{path}/json.info_", json_info(master), ephemeral=True, sequence=True, makepath=True
    )
    return made


class Watched(ZooKeeperDetector):
    """Lets a test reach its session."""

    def _client(self) -> KazooClient:
        self.client = super()._client()
        return self.client


@pytest.mark.end_to_end
async def test_zookeeper_leaders_are_followed_through_everything(tmp_path: Path) -> None:
    async with ZooKeeper(tmp_path) as server:
        detector = Watched(f"zk://{server.address}/mesos", session_timeout=2.0)
        async with told(detector) as found:
            waiting = asyncio.ensure_future(anext(found))  # type: ignore[arg-type]
            await asyncio.wait([waiting], timeout=0.5)  # the path is not there yet
            assert not waiting.done()
            with contender(server) as first, contender(server) as second:
                contend(first, A)
                second.create("/mesos/log_replicas", b"")
                assert await asyncio.wait_for(waiting, 30) == A
                mine = contend(second, B)
                first.stop()  # the leader dies: its node goes with its session
                assert await following(found) == B
                # Our session expires (another connection closes it): a new one goes on watching.
                thief = KazooClient(server.address, client_id=detector.client.client_id)
                thief.start(timeout=30)
                thief.stop()
                thief.close()
                second.create("/mesos/info_0000000000", b"damaged", ephemeral=True)  # leads, tells nobody
                second.delete("/mesos/info_0000000000")
                second.delete(mine)
                assert await following(found) is None
                contend(second, A)
                assert await following(found) == A
                # ZooKeeper itself goes and comes back: the leader stays.
                waiting = asyncio.ensure_future(anext(found))  # type: ignore[arg-type]
                await server.stop()
                done, _ = await asyncio.wait([waiting], timeout=1.0)
                assert not done
                await server.start()
                with contender(server) as third:
                    for name in third.get_children("/mesos"):
                        third.delete(f"/mesos/{name}")
                    contend(third, B)
                    while (leader := await asyncio.wait_for(waiting, 40)) != B:  # None may come between
                        assert leader is None
                        waiting = asyncio.ensure_future(anext(found))  # type: ignore[arg-type]


@pytest.mark.end_to_end
async def test_zookeeper_with_a_password(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with ZooKeeper(tmp_path) as server:
        with contender(server, "mma:secret") as master:
            contend(master, A)
            async with told(detector_of(f"zk://mma:secret@{server.address}/mesos")) as found:
                assert await following(found) == A
            async with told(detector_of(f"zk://{server.address}/mesos")) as found:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(found), 3)
            assert "may not be read" in caplog.text
            assert "secret" not in caplog.text
