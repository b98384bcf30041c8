"""TLS with the genuine master: libprocess's own, on this system's OpenSSL."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from certificates import Office

from agent.config import AgentConfig
from agent.events import Registered
from agent.gateway import Gateway
from agent.tls import TlsConfig
from console.cluster.mesos import TaskState
from console.fit.budgets import Ask
from console.fleet.opening import parse_name
from console.fleet.session import Plan, open_session
from console.guests.modules import find
from console.runs.runner import complete, prepare, task_spec
from emulation.master import Master
from hal.host import HostTarget

pytestmark = pytest.mark.end_to_end


def variables(tls: TlsConfig) -> dict[str, str]:
    """Everybody has a certificate, and everybody looks at those of the others."""
    assert tls.verify_server_cert
    return {
        "key_file": str(tls.key_file),
        "cert_file": str(tls.cert_file),
        "ca_file": str(tls.ca_file),
        "verify_server_cert": "true",
        "require_client_cert": "true",
        "verify_ipadd": "true",
        "hostname_validation_scheme": "openssl",
    }


@pytest.fixture
def tls(tmp_path: Path) -> TlsConfig:
    return Office(tmp_path / "office", rsa=True).strict()


@pytest_asyncio.fixture
async def master(tls: TlsConfig) -> AsyncIterator[Master]:
    async with Master(tls=variables(tls)) as started:
        yield started


async def mma(*words: str, code: int = 0, **environment: str) -> str:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console.cli", *words),
        stdout=pipe,
        stderr=pipe,
        env={**os.environ, **environment},
    )
    out, err = await process.communicate()
    assert process.returncode == code, (out, err)
    return (out if code == 0 else err).decode()


async def test_agent_framework_and_commands_at_a_master_that_speaks_nothing_else(
    master: Master, tls: TlsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables(tls).items():
        monkeypatch.setenv(f"LIBPROCESS_SSL_{name.upper()}", value)
    address = f"https://{master.address}"
    where = ("--master", address)
    async with open_session([parse_name("host")], master=address, plan=Plan(framework="tls")) as session:
        module = await prepare(find("fib"))
        ask = await complete(session, "host", module, ("20",), Ask())
        task = await session.framework.submit(task_spec(find("fib"), module, "host", ("20",), ask))
        ended = await session.framework.wait(task)
        assert ended.state is TaskState.FINISHED
        (row,) = [json.loads(line) for line in (await mma("ps", "--all", *where, "--json")).splitlines()]
        assert row["id"] == task
        assert await mma("logs", task, *where) == "fib(20) = 6765\n"
        nobody = {"LIBPROCESS_SSL_CA_FILE": "", "LIBPROCESS_SSL_CERT_FILE": ""}
        assert "not trusted" in await mma("ps", *where, code=1, **nobody)
        assert "--ca or MMA_CA" in await mma("offers", *where, code=1, **nobody)
        named = await mma("ps", "--all", *where, "--ca", str(tls.ca_file), LIBPROCESS_SSL_CA_FILE="")
        assert task in named
    said = json.loads(
        (await mma("run", "fib", "-t", "host", *where, "--args", "20", "--json")).splitlines()[-1]
    )
    assert said["state"] == "TASK_FINISHED"


async def registered(master: str, tls: TlsConfig) -> None:
    target = HostTarget(cpus=1.0, mem_bytes=8 << 20)
    await target.open()
    try:
        async with Gateway(master, (), AgentConfig(tls=tls)) as gateway:
            events = gateway.events()
            await gateway.add(target)
            async with asyncio.timeout(60):
                async for event in events:
                    if isinstance(event, Registered):
                        return
    finally:
        await target.close()


async def test_a_cluster_takes_tls_up_by_and_by(tls: TlsConfig) -> None:
    """support_downgrade, in each of the three states that such a cluster goes through."""
    lax = replace(tls, support_downgrade=True, require_client_cert=False, verify_server_cert=False)
    async with Master() as plain:
        await registered(plain.address, lax)
    files = {name: variables(tls)[name] for name in ("key_file", "cert_file")}
    async with Master(tls={**files, "support_downgrade": "true"}) as both:
        await registered(both.address, TlsConfig())
        await registered(both.address, lax)
