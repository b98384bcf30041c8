"""Regions and zones with the genuine master."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from agent.config import AgentConfig
from agent.events import Registered
from agent.gateway import Gateway
from agent.values import parse_domain
from emulation.master import Master
from hal.host import HostTarget

pytestmark = pytest.mark.end_to_end

HERE, THERE = (
    f'{{"fault_domain": {{"region": {{"name": "{region}"}}, "zone": {{"name": "{zone}"}}}}}}'
    for region, zone in (("eu", "hall"), ("us", "roof"))
)


async def test_the_master_knows_where_an_agent_is() -> None:
    target = HostTarget(cpus=1.0, mem_bytes=8 << 20)
    await target.open()
    try:
        async with Master(flags={"domain": HERE}) as master:
            async with Gateway(master.address, (), AgentConfig(domain=parse_domain(THERE))) as gateway:
                events = gateway.events()
                agent = await gateway.add(target)
                async with asyncio.timeout(60):
                    while not isinstance(await anext(events), Registered):
                        pass
                async with aiohttp.ClientSession() as http:
                    async with http.get(f"http://{master.address}/master/slaves") as reply:
                        (theirs,) = (await reply.json(content_type=None))["slaves"]
                    async with http.get(f"http://{agent.ip}:{agent.port}/state") as reply:
                        ours = await reply.json(content_type=None)
        assert theirs["domain"]["fault_domain"] == {"region": {"name": "us"}, "zone": {"name": "roof"}}
        assert ours["domain"] == theirs["domain"]
    finally:
        await target.close()
