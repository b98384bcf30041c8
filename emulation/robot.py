"""A client of Renode's robot port: XML-RPC with a PASS or FAIL for each command.

The Robot Framework remote protocol, keyword `ExecuteCommand` for anything that Renode's Monitor can do. It
needs no parsing of prompts, and is the same from Renode 1.8 to 1.16.
"""

from __future__ import annotations

import asyncio
import re
import xmlrpc.client
from typing import Any

import aiohttp

from emulation.errors import MachineError


class RenodeRefused(MachineError):
    """Renode answered FAIL; the message is its own."""


class Robot:
    """One connection. Renode serves one request at a time, so calls wait for their turn."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/"
        self._turn = asyncio.Lock()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=5))

    async def close(self) -> None:
        await self._session.close()

    async def execute(self, command: str, machine: str = "") -> str:
        """A Monitor command, for a machine of that name; what it printed. RenodeRefused if it printed any
        error, ConnectionError (or another OSError) if Renode is gone."""
        return str(await self.keyword("ExecuteCommand", command, *([machine] if machine else [])) or "")

    async def keyword(self, name: str, *arguments: object) -> Any:
        """A robot keyword; what it returned."""
        request = xmlrpc.client.dumps((name, list(arguments)), "run_keyword", allow_none=True)
        async with self._turn:
            if self._session.closed:
                raise ConnectionResetError("the connection is closed")
            try:
                async with self._session.post(
                    self._url, data=request.encode(), headers={"Content-Type": "text/xml"}
                ) as response:
                    body = await response.read()
            except aiohttp.ClientError as error:
                raise ConnectionResetError(str(error) or type(error).__name__) from error
        try:
            (answer,), _ = xmlrpc.client.loads(body)
        except (xmlrpc.client.Error, xmlrpc.client.ResponseError) as error:
            raise MachineError(f"Renode's answer to {name} makes no sense: {error}.") from error
        except Exception as error:  # the XML parser has its own errors: some outputs are no valid XML
            raise MachineError(f"Renode's answer to {name} is no XML: {error}.") from error
        if not isinstance(answer, dict) or answer.get("status") != "PASS":
            told = str(answer.get("error", "")) if isinstance(answer, dict) else str(answer)
            what = str(arguments[0]) if arguments else name
            raise RenodeRefused(f"Renode refused `{what}`: {_reason(told, what)}.")
        return answer.get("return")


def _reason(told: str, command: str) -> str:
    """What is left of Renode's sentence when its own names and the repeated command are taken away."""
    told = re.sub(
        r"^KeywordException: |(Could not|There was an error) (execute|when executing|executing) command ",
        "",
        told,
    )
    lines = [line.strip(" :'.") for line in told.replace(command, "\n").splitlines()]
    return next((line for line in reversed(lines) if line), "no reason given")
