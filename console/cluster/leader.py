"""Who the leading master is, for those who only speak HTTP: asked anew for each connection.

Lists and ZooKeeper are read by the agent's own detectors, so that the command line, the console and the
agents behind one `--master` never disagree on whom it names.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from contextlib import aclosing

from console.cluster.scheduler import Unreachable, master_url
from console.cluster.trust import by_tls

PATIENCE = 15.0
"""Seconds until somebody must lead."""


def checked(master: str) -> str:
    """The same address; UsageError or ConfigError when it can never be one."""
    if _is_detected(master):
        from agent.detector import detector_of

        detector_of(master)
    else:
        master_url(master)
    return master


def shown(master: str) -> str:
    """For people: without a password."""
    from agent.zookeeper import masked

    return masked(master) if "@" in master else master


async def leader_url(master: str, patience: float = PATIENCE) -> str:
    """Base URL of the master that leads, or of the one named. Unreachable when none does in `patience` s."""
    if not _is_detected(master):
        return master_url(master)
    from agent.detector import detector_of
    from agent.flags import configure, from_environment
    from agent.tls import tls_of

    tls = by_tls(master, os.environ)
    detector = detector_of(master, tls=tls_of(configure(from_environment(os.environ)).tls) if tls else None)
    with contextlib.suppress(TimeoutError):
        async with aclosing(detector.masters()) as masters, asyncio.timeout(patience):
            async for found in masters:
                if found is not None:
                    return f"{'https' if tls else 'http'}://{found.ip}:{found.port}"
    raise Unreachable(
        f"{shown(master)} names no leading master in {patience:g} s.",
        remedy="Is ZooKeeper running, and a master that registers there?" if "://" in master else "",
    )


def _is_detected(master: str) -> bool:
    return master.startswith("zk://") or "," in master
