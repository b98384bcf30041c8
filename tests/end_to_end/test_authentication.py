"""CRAM-MD5 with the genuine master: who is let in, who is told why not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.config import AgentConfig
from agent.events import Disconnected, EventStream, Registered
from agent.gateway import Gateway
from agent.secrets import Credential
from emulation.master import Master
from hal.host import HostTarget

pytestmark = pytest.mark.end_to_end

RIGHT, WRONG = Credential("mma", "right"), Credential("mma", "wrong")


@asynccontextmanager
async def authenticating(folder: Path, *known: Credential) -> AsyncIterator[Master]:
    flags = {"authenticate_agents": "true"}
    if known:
        path = folder / "credentials.json"
        entries = [{"principal": each.principal, "secret": each.secret} for each in known]
        path.write_text(json.dumps({"credentials": entries}))
        path.chmod(0o600)
        flags["credentials"] = str(path)
    async with Master(flags=flags) as master:
        yield master


async def first(events: EventStream) -> Registered | Disconnected:
    async with asyncio.timeout(60):
        async for event in events:
            if isinstance(event, Registered | Disconnected):
                return event
    raise AssertionError("the gateway ended")


@asynccontextmanager
async def gateway(
    master: Master, credential: Credential | None
) -> AsyncIterator[tuple[Gateway, EventStream]]:
    target = HostTarget(cpus=1.0, mem_bytes=8 << 20)
    await target.open()
    try:
        async with Gateway(master.address, (), AgentConfig(credential=credential)) as opened:
            events = opened.events()
            await opened.add(target)
            yield opened, events
    finally:
        await target.close()


async def test_the_right_secret_registers_and_does_so_again_after_a_restart(tmp_path: Path) -> None:
    async with authenticating(tmp_path, RIGHT) as master, gateway(master, RIGHT) as (_, events):
        assert isinstance(await first(events), Registered)
        await master.restart()
        assert isinstance(await first(events), Disconnected)
        again = await first(events)
        assert isinstance(again, Registered)
        assert again.again


async def test_the_wrong_secret_is_refused_in_words(tmp_path: Path) -> None:
    async with authenticating(tmp_path, RIGHT) as master, gateway(master, WRONG) as (opened, events):
        refused = await first(events)
        assert isinstance(refused, Disconnected)
        assert "refused the credential of 'mma'" in refused.reason
        assert opened.agents["host"].agent_id == ""


async def test_a_master_that_knows_nobody_refuses(tmp_path: Path) -> None:
    async with authenticating(tmp_path) as master, gateway(master, RIGHT) as (_, events):
        refused = await first(events)
        assert isinstance(refused, Disconnected)
        assert "refused the credential of 'mma'" in refused.reason


async def test_without_a_credential_the_master_is_silent(tmp_path: Path) -> None:
    async with authenticating(tmp_path, RIGHT) as master, gateway(master, None) as (_, events):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await first(events)
        assert "not authenticated" in master.tail(100)
