"""Targets of a gateway that come and go while it runs: brought up, tried again, reloaded from a file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from agent.config import AgentConfig
from console.errors import exit_code
from console.fleet.file import TargetSpec
from console.fleet.session import Session

log = logging.getLogger(__name__)

RETRY_MIN = 5.0
"""Seconds until a target that did not come up is tried again; doubled by each attempt."""
RETRY_MAX = 60.0


class Hosting:
    """Keeps the wanted targets in a session. close() stops trying; what is up stays the session's."""

    def __init__(self, session: Session, config: AgentConfig) -> None:
        self._session = session
        self._config = config
        self._wanted: dict[str, TargetSpec] = {}
        self._tries: dict[str, asyncio.Task[None]] = {}
        self._changing = asyncio.Lock()

    async def want(self, specs: Iterable[TargetSpec]) -> None:
        """From now on exactly these. Those that are no longer wanted leave for good; those whose own flags
        changed are agents anew, with their id and with the executors that run on them."""
        async with self._changing:
            wanted = {spec.name.text: spec for spec in specs}
            for name, spec in list(self._wanted.items()):
                if name not in wanted or wanted[name].name != spec.name:
                    await self._drop(name)
            for name, spec in wanted.items():
                known = self._wanted.get(name)
                self._wanted[name] = spec
                if known is None:
                    self._tries[name] = asyncio.create_task(self._bring_up(spec), name=f"bring up {name}")
                elif known != spec:
                    await self._change(spec)

    async def close(self) -> None:
        """Try nothing any more. Idempotent."""
        for task in self._tries.values():
            task.cancel()
        await asyncio.gather(*self._tries.values(), return_exceptions=True)
        self._tries.clear()

    async def _drop(self, name: str) -> None:
        del self._wanted[name]
        task = self._tries.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await self._session.remove(name)

    async def _change(self, spec: TargetSpec) -> None:
        name = spec.name.text
        task = self._tries.pop(name, None)
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])
            await self._session.remove(name)
            self._tries[name] = asyncio.create_task(self._bring_up(spec), name=f"bring up {name}")
            return
        try:
            await self._session.reconfigure(name, spec.config(self._config))
        except Exception as error:
            if exit_code(error) is None:
                raise
            self._session.tell(name, str(error), failed=True)

    async def _bring_up(self, spec: TargetSpec) -> None:
        delay = RETRY_MIN
        while True:
            try:
                await self._session.add(spec.name, config=spec.config(self._config))
                return
            except Exception as error:  # the session told it, as a step that failed
                if exit_code(error) is None:
                    log.exception("%s did not come up", spec.name.text)
            await asyncio.sleep(delay)
            delay = min(2 * delay, RETRY_MAX)
