"""Which targets a master has agents for already: asked once, before a session brings up its own."""

from __future__ import annotations

import aiohttp

from console.scheduler import Unreachable, master_url

_TIMEOUT = aiohttp.ClientTimeout(total=10)


async def active_targets(master: str) -> frozenset[str]:
    """The `target` attributes of a master's active agents. Unreachable when it does not answer.

    Follows the redirect of a master that does not lead (docs/endpoints/master/slaves.md).
    """
    base = master_url(master)
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
            async with http.get(f"{base}/master/slaves") as reply:
                reply.raise_for_status()
                found = await reply.json(content_type=None)
    except (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError) as error:
        remedy = "Is it running? `mma master` starts one."
        raise Unreachable(f"No Mesos master answers at {base}.", remedy=remedy) from error
    agents = (agent for agent in found.get("slaves", ()) if agent.get("active"))
    names = (agent.get("attributes", {}).get("target") for agent in agents)
    return frozenset(name for name in names if isinstance(name, str))
