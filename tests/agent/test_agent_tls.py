"""TLS on the agents' ports and towards masters, with certificates of an authority of our own."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from certificates import Office
from doubles import MasterDouble, TargetDouble, run_task

from agent.config import AgentConfig
from agent.errors import ConfigError
from agent.flags import configure, from_environment, shown
from agent.gateway import Gateway
from agent.proto import messages_pb2 as internal
from agent.standby import StandbyDetector
from agent.tls import Tls, TlsConfig
from agent.wire import door


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def config(tls: TlsConfig) -> AgentConfig:
    return AgentConfig(registration_backoff=0.02, tls=tls)


@asynccontextmanager
async def gateway(master: str, tls: TlsConfig) -> AsyncIterator[Gateway]:
    async with Gateway(master, [TargetDouble()], config(tls)) as opened:
        yield opened


def trusting(office: Office, own: TlsConfig | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=office.ca_file)
    if own is not None:
        assert own.cert_file is not None
        context.load_cert_chain(own.cert_file, own.key_file)
    return context


async def health(port: tuple[str, int], context: ssl.SSLContext | None) -> int:
    scheme = "https" if context else "http"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as http:
        url = f"{scheme}://{port[0]}:{port[1]}/slave(1)/health"
        async with http.get(url, ssl=context or True) as reply:
            return reply.status


# -- both ways -------------------------------------------------------------------------------------


async def test_an_agent_and_its_master_speak_tls_both_ways_and_prove_who_they_are(office: Office) -> None:
    tls = office.strict()
    async with MasterDouble(tls=Tls(tls)) as master, gateway(master.address, tls):
        await master.take(internal.RegisterSlaveMessage)
        agent = master.got[0][0]
        master.send(agent, run_task())
        await master.take(internal.StatusUpdateMessage)


async def test_with_the_names_that_dns_has_for_addresses(office: Office) -> None:
    """libprocess's own scheme: 127.0.0.1 is localhost."""
    tls = replace(office.strict("localhost"), hostname_validation_scheme="legacy", verify_ipadd=False)
    async with MasterDouble(tls=Tls(tls)) as master, gateway(master.address, tls):
        await master.take(internal.RegisterSlaveMessage)
    by_address = replace(office.strict("127.0.0.1"), hostname_validation_scheme="legacy")
    async with MasterDouble(tls=Tls(by_address)) as master, gateway(master.address, by_address):
        await master.take(internal.RegisterSlaveMessage)


@pytest.mark.parametrize("what", ["authority", "name"])
async def test_a_master_that_is_somebody_else_hears_nothing(
    office: Office, tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    other = Office(tmp_path / "other") if what == "authority" else office
    theirs = replace(other.issue("127.0.0.1" if what == "authority" else "10.9.8.7"), support_downgrade=True)
    ours = replace(office.strict(as_name="ours"), support_downgrade=True, require_client_cert=False)
    with caplog.at_level(logging.WARNING):
        async with MasterDouble(tls=Tls(theirs)) as master, gateway(master.address, ours):
            async with asyncio.timeout(60):
                while "certificate verify failed" not in caplog.text:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert not master.got  # not in the clear either


async def test_a_caller_without_a_certificate_is_not_let_in_where_one_is_required(office: Office) -> None:
    tls = office.strict()
    async with MasterDouble(tls=Tls(tls)) as master, gateway(master.address, tls) as opened:
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await health(opened.addresses[0], trusting(office))
        assert await health(opened.addresses[0], trusting(office, tls)) == 200


async def test_without_downgrade_nobody_gets_in_without_tls(office: Office) -> None:
    tls = office.issue()
    async with MasterDouble(tls=Tls(tls)) as master, gateway(master.address, tls) as opened:
        with pytest.raises(aiohttp.ClientError):
            await health(opened.addresses[0], None)
        assert await health(opened.addresses[0], trusting(office)) == 200


async def test_downgrade_serves_both_and_speaks_to_a_master_without_tls(office: Office) -> None:
    tls = replace(office.issue(), support_downgrade=True)
    async with MasterDouble() as master, gateway(master.address, tls) as opened:
        await master.take(internal.RegisterSlaveMessage)
        assert await health(opened.addresses[0], None) == 200
        assert await health(opened.addresses[0], trusting(office)) == 200


async def test_masters_of_a_list_are_asked_by_tls(office: Office) -> None:
    tls = office.strict()
    async with MasterDouble(tls=Tls(tls)) as master:
        asked = asyncio.Event()

        async def redirect(request: aiohttp.web.BaseRequest) -> aiohttp.web.StreamResponse:
            asked.set()
            return aiohttp.web.Response(status=307, headers={"Location": f"//{master.address}/master"})

        master.port._http = redirect
        detector = StandbyDetector(f"{master.address},127.0.0.1:1", tls=Tls(tls))
        async with asyncio.timeout(60):
            leader = await anext(aiter(detector.masters()))
        assert asked.is_set()
        assert leader is not None
        assert f"{leader.ip}:{leader.port}" == master.address


# -- handshakes that do not come to an end ---------------------------------------------------------


@pytest.mark.parametrize("downgrade", [False, True])
async def test_half_handshakes_starve_nobody_and_end(
    office: Office, monkeypatch: pytest.MonkeyPatch, downgrade: bool
) -> None:
    tls = replace(office.issue(), support_downgrade=downgrade)
    async with MasterDouble(tls=Tls(tls)) as master, gateway(master.address, tls) as opened:
        await master.take(internal.RegisterSlaveMessage)
        monkeypatch.setattr(door, "HANDSHAKE", 2.0)
        port = opened.addresses[0]
        stalled = [await asyncio.open_connection(*port) for _ in range(60)]
        for number, (_, writer) in enumerate(stalled):
            writer.write((b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")[number % 3])
        assert await health(port, trusting(office)) == 200
        for reader, writer in stalled:
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                async with asyncio.timeout(30):
                    await reader.readexactly(1 << 16)
            writer.close()


async def test_of_too_many_handshakes_the_oldest_end(office: Office) -> None:
    tls = office.issue()
    async with MasterDouble(tls=Tls(tls)) as master, gateway(master.address, tls) as opened:
        await master.take(internal.RegisterSlaveMessage)
        port = opened.addresses[0]
        berth = opened._berths[0].port
        assert berth._door is not None
        berth._door._most = 3
        stalled = [await asyncio.open_connection(*port) for _ in range(5)]
        for reader, _ in stalled[:2]:
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                async with asyncio.timeout(9):  # less than a handshake may take
                    await reader.readexactly(1)
        assert len(berth._door._waiting) == 3
        assert await health(port, trusting(office)) == 200
        for _, writer in stalled:
            writer.close()


# -- files -----------------------------------------------------------------------------------------


def test_files_that_cannot_be_used_are_told_with_a_remedy(office: Office, tmp_path: Path) -> None:
    good = office.issue()
    other = Office(tmp_path / "other").issue()
    assert good.key_file is not None
    assert good.cert_file is not None
    ended = office.issue(days=-1, as_name="ended")
    open_key = tmp_path / "open.key"
    open_key.write_bytes(good.key_file.read_bytes())
    open_key.chmod(0o644)
    text = tmp_path / "text"
    text.write_text("hello")
    text.chmod(0o600)
    cases = [
        (replace(good, key_file=None), "no key", "LIBPROCESS_SSL_KEY_FILE"),
        (replace(good, cert_file=None), "no certificate", "LIBPROCESS_SSL_CERT_FILE"),
        (replace(good, key_file=tmp_path / "none"), "No such file", "can read"),
        (replace(good, cert_file=tmp_path / "none"), "No such file", "readable"),
        (replace(good, key_file=open_key), "others may use it", "chmod 600"),
        (replace(good, key_file=text), "no private key", "PEM"),
        (replace(good, cert_file=text), "no certificate", "PEM"),
        (replace(good, key_file=other.key_file), "not that of the certificate", "belong together"),
        (ended, "expired", "valid today"),
        (replace(good, ca_file=text, verify_server_cert=True), "no certificates of authorities", "PEM"),
        (replace(good, ca_dir=tmp_path / "none", verify_server_cert=True), "no folder", "folder"),
        (replace(office.strict(), verify_ipadd=False), "ssl_verify_ipadd", "legacy"),
        (replace(good, ciphers="NONSENSE"), "OpenSSL has none", "openssl ciphers"),
        (replace(good, enable_tls_v1_2=False, enable_tls_v1_3=False), "every version", "TLS 1.2"),
    ]
    for wrong, said, remedy in cases:
        with pytest.raises(ConfigError) as caught:
            Tls(wrong)
        assert said in str(caught.value)
        assert remedy in caught.value.remedy
        assert "PRIVATE" not in caught.value.message


def test_a_key_with_a_password_is_refused(tmp_path: Path, office: Office) -> None:
    from cryptography.hazmat.primitives import serialization

    good = office.issue()
    assert good.key_file is not None
    key = serialization.load_pem_private_key(good.key_file.read_bytes(), None)
    good.key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"word"),
        )
    )
    with pytest.raises(ConfigError, match="protected by a password") as caught:
        Tls(good)
    assert "openssl pkey" in caught.value.remedy


def test_one_that_ends_soon_is_told(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    Tls(office.issue(days=3))
    assert "ends in 3.0 days" in caplog.text


async def test_new_files_are_taken_by_a_reload_and_wrong_ones_are_not(office: Office, tmp_path: Path) -> None:
    tls = office.issue()
    async with MasterDouble(tls=Tls(tls)) as master, gateway(master.address, tls) as opened:
        agent_port = opened.addresses[0]
        assert await health(agent_port, trusting(office)) == 200
        fresh = Office(tmp_path / "fresh")
        theirs = fresh.issue()
        assert tls.key_file and tls.cert_file and theirs.key_file and theirs.cert_file  # noqa: PT018
        tls.key_file.write_bytes(theirs.key_file.read_bytes())
        with pytest.raises(ConfigError, match="not that of the certificate"):
            opened.reload_tls()
        assert await health(agent_port, trusting(office)) == 200
        tls.cert_file.write_bytes(theirs.cert_file.read_bytes())
        opened.reload_tls()
        assert await health(agent_port, trusting(fresh)) == 200
        with pytest.raises(aiohttp.ClientError):
            await health(agent_port, trusting(office))


# -- flags -----------------------------------------------------------------------------------------


def test_it_is_configured_by_libprocess_s_names(office: Office) -> None:
    tls = office.issue()
    environment = {
        "LIBPROCESS_SSL_ENABLED": "1",
        "LIBPROCESS_SSL_KEY_FILE": str(tls.key_file),
        "LIBPROCESS_SSL_CERT_FILE": str(tls.cert_file),
        "LIBPROCESS_SSL_CA_FILE": str(tls.ca_file),
        "LIBPROCESS_SSL_VERIFY_CERT": "true",
        "LIBPROCESS_SSL_ENABLE_TLS_V1_3": "false",
        "LIBPROCESS_SSL_ENABLE_SSL_V3": "false",
        "LIBPROCESS_SSL_ECDH_CURVES": "auto",
    }
    got = configure(from_environment(environment))
    assert got.tls == replace(tls, verify_server_cert=True, enable_tls_v1_3=False)
    flags = shown(got)
    assert flags["ssl_enabled"] == "true"
    assert flags["ssl_key_file"] == str(tls.key_file)
    with pytest.raises(ConfigError, match="LIBPROCESS_SSL_VERIFY_DEPTH"):
        from_environment({**environment, "LIBPROCESS_SSL_VERIFY_DEPTH": "2"})


def test_the_versions_asked_for_are_those_spoken(office: Office) -> None:
    old = Tls(replace(office.issue(), enable_tls_v1_3=False))
    assert old.server.maximum_version == ssl.TLSVersion.TLSv1_2
    assert {"AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256"} <= {
        each["name"] for each in old.server.get_ciphers()
    }
