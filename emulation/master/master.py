"""One running Mesos master: start, wait until it leads, restart on the same port, stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import socket
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from emulation.errors import EnvironmentMissing, MasterError, PortInUse
from emulation.master import openssl
from emulation.master.download import Progress
from emulation.master.installation import Installation, install
from emulation.process import Child

_log = logging.getLogger(__name__)

_START_TIMEOUT = 20.0
_GRACE = 2.0
_TRIES = 3  # for a free port that somebody takes before the master does
_SASL_FLAGS = ("authenticate_agents", "authenticate_frameworks")

_AGENT_FLAGS = {
    "launcher": "posix",
    "isolation": "posix/cpu,posix/mem",
    "systemd_enable_support": "false",
    "resources": "cpus:2;mem:512;disk:1024",
}
"""Of native agents in the master's process, so that they run anywhere (docs/configuration/agent.md)."""


class Master:
    """A Mesos master on loopback, registry in memory. Use it as an async context manager.

    port: 0 takes a free one and keeps it over restarts.
    work_dir: for files that are to stay; without it they are in a temporary folder, gone at stop().
    flags: of mesos-master, without dashes: {"agent_ping_timeout": "1secs"} (docs/configuration/master.md).
    tls: of libprocess, without LIBPROCESS_SSL_: {"key_file": …, "cert_file": …}; given, it speaks TLS.
    native_agents: that many of Mesos's own agents in the same process, to compare ours with.
    log: the file for its log; without it `master.log` in the work folder.
    progress: called while it is downloaded, see emulation.master.download.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        ip: str = "127.0.0.1",
        work_dir: Path | None = None,
        flags: Mapping[str, str] | None = None,
        tls: Mapping[str, str] | None = None,
        native_agents: int = 0,
        log: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.ip = ip
        self.port = port
        self.flags = dict(flags or {})
        self._tls = dict(tls) if tls is not None else None
        self._any_port = port == 0
        self._work_dir = work_dir
        self._native_agents = native_agents
        self._log_file = log
        self._progress = progress
        self._child: Child | None = None
        self._tail = ""

    @property
    def address(self) -> str:
        """Where it listens, "127.0.0.1:5050"."""
        if not self.port:
            raise MasterError("The master was not started yet.")
        return f"{self.ip}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process id while it lives."""
        return self._child.pid if self._child is not None and self._child.alive else None

    @property
    def log(self) -> Path | None:
        """Its log file; None while it is off and has no folder."""
        return self._child.log if self._child is not None else self._log_file

    def tail(self, lines: int = 20) -> str:
        """The end of its log, also after it ended."""
        return (
            self._child.tail(lines)
            if self._child is not None
            else "\n".join(self._tail.splitlines()[-lines:])
        )

    async def start(self) -> None:
        """Start it and wait until it leads. EnvironmentMissing if it cannot run, PortInUse, MasterError."""
        if self._child is not None:
            raise MasterError(f"The master at {self.address} is already running.")
        installation = await install(self._progress)
        self._check_sasl(installation)
        self._check_tls()
        for last in range(_TRIES - 1, -1, -1):
            try:
                await self._start(installation)
                return
            except PortInUse:
                if not self._any_port or not last:
                    raise
                self.port = 0

    async def _start(self, installation: Installation) -> None:
        if self.port:
            await self._check_port()
        else:
            self.port = _free_port(self.ip)
        scratch = None
        if self._work_dir is None:
            scratch = Path(tempfile.mkdtemp(prefix="mma-master-"))
        folder = self._work_dir or scratch or Path()
        for each in (folder, folder / "launcher"):
            each.mkdir(parents=True, exist_ok=True)
        self._child = await Child.start(
            installation.command if self._tls is None else installation.command_with_tls,
            name="mesos-master",
            env=self._environment(folder),
            cwd=folder,
            log=self._log_file or folder / "master.log",
            scratch=scratch,
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await self._until_leading(self._child)
                await self._check_flags()
        except TimeoutError:
            await self.stop(grace=0)
            said = _last_line(self._tail)
            raise MasterError(f"{self.address} did not answer within {_START_TIMEOUT:g} s. {said}") from None
        except BaseException:
            await self.stop(grace=0)
            raise
        _log.info("master at %s, pid %s", self.address, self._child.pid)

    def _environment(self, folder: Path) -> dict[str, str]:
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("MESOS_", "LIBPROCESS_"))
        }
        environment |= {
            "LIBPROCESS_IP": self.ip,
            "LIBPROCESS_PORT": str(self.port),
            "MESOS_NUM_SLAVES": str(self._native_agents),
            "MESOS_WORK_DIR": str(folder),
            "MESOS_REGISTRY": "in_memory",
        }
        flags = dict(self.flags)
        if self._native_agents:
            flags = {**_AGENT_FLAGS, "launcher_dir": str(folder / "launcher"), **flags}
        for name, value in ({"enabled": "true", **self._tls} if self._tls is not None else {}).items():
            environment["LIBPROCESS_SSL_" + name.upper()] = value
        for name, value in flags.items():
            environment["MESOS_" + name.strip("-").replace("-", "_").upper()] = value
        return environment

    async def stop(self, grace: float = _GRACE) -> None:
        """End it; `grace` 0 kills it as a crash would. Idempotent."""
        child, self._child = self._child, None
        if child is not None:
            self._tail = child.tail(50)
            await child.stop(grace)

    async def restart(self) -> None:
        """Stop and start it on the same port. Its registry was in memory, so it knows nobody any more."""
        await self.stop()
        self._any_port = False
        await self.start()

    async def wait_died(self) -> str:
        """Return when it ended without stop(): the sentence that says how."""
        child = self._child
        if child is None:
            raise MasterError("The master is off.")
        await child.wait()
        return f"The Mesos master {child.ending()}. {_last_line(child.tail())}".strip()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- what may be in the way -------------------------------------------------------------------

    def _check_sasl(self, installation: Installation) -> None:
        wants = [name for name in _SASL_FLAGS if self.flags.get(name, "false") != "false"]
        if wants and not installation.cram_md5:
            raise EnvironmentMissing(
                f"The master needs SASL with CRAM-MD5 for {wants[0]}.",
                remedy="Install it: apt install libsasl2-2 libsasl2-modules.",
            )

    def _check_tls(self) -> None:
        if self._tls is not None and not openssl.is_here():
            raise EnvironmentMissing(
                "The master needs OpenSSL 3 to speak TLS.", remedy="Install it: apt install libssl3."
            )

    async def _check_port(self) -> None:
        """PortInUse, and whether it is a master that is there already."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.ip, self.port))
                return
            except PermissionError:
                raise MasterError(f"Port {self.port} needs root.", remedy="Take one above 1023.") from None
            except OSError:
                pass
        if await self._status() is not None:
            remedy = f"Use it with --master {self.address}, or take another port with --port."
            raise PortInUse(f"A Mesos master already listens on {self.address}.", remedy=remedy)
        raise PortInUse(
            f"Another program listens on {self.address}.", remedy="Stop it or take another port with --port."
        )

    async def _until_leading(self, child: Child) -> None:
        while await self._status() not in (200, 401, 403):
            if not child.alive:
                await child.wait()
                text = child.tail(50)
                if "Address already in use" in text:
                    raise PortInUse(
                        f"Another program listens on {self.address}.", remedy="Take another port."
                    )
                raise MasterError(f"The Mesos master {child.ending()}. {_last_line(text)}".strip())
            await asyncio.sleep(0.01)

    async def _check_flags(self) -> None:
        """Mesos ignores unknown flags in the environment; a person who mistyped one wants to know."""
        status, answer = await self._ask("GET", "/master/flags")
        if status == 200 and not self._native_agents:
            known = json.loads(answer).get("flags", {})
            for name in self.flags:
                if name.strip("-").replace("-", "_") not in known:
                    remedy = "`docs/configuration/master.md` of Mesos 1.11 lists them."
                    raise MasterError(f"The Mesos master has no flag {name!r}.", remedy=remedy)

    async def _status(self) -> int | None:
        """HTTP status of GET_HEALTH: 200 only when the master leads and has recovered (Master::Http::api in
        src/master/http.cpp), 401 where one must log in. None if no master answers."""
        status, answer = await self._ask("POST", "/master/api/v1", b'{"type":"GET_HEALTH"}')
        if b"GET_HEALTH" in answer or status in (401, 403, 503):
            return status
        return None

    def _client(self) -> ssl.SSLContext | None:
        """How we ask it whether it lives: by its own certificate, where it wants one; ours is to start it,
        not to judge it."""
        if self._tls is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("DEFAULT")
        with contextlib.suppress(OSError, KeyError):  # then the master says why it cannot start
            context.load_cert_chain(self._tls["cert_file"], self._tls["key_file"])
        return context

    async def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[int | None, bytes]:
        """Status and body of one HTTP request; (None, b"") if nobody answers as they should."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self.address}\r\nConnection: close\r\n"
            "Accept: application/json\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        with contextlib.suppress(OSError, TimeoutError, ValueError, asyncio.LimitOverrunError):
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(self.ip, self.port, ssl=self._client())
                try:
                    writer.write(head.encode() + body)
                    first, _, answer = (await reader.read()).partition(b"\r\n\r\n")
                finally:
                    writer.close()
                protocol, status, *_ = first.split(maxsplit=2)
                if protocol.startswith(b"HTTP/"):
                    return int(status), answer
        return None, b""


def _free_port(ip: str) -> int:
    with socket.socket() as probe:
        probe.bind((ip, 0))
        return int(probe.getsockname()[1])


def _last_line(text: str) -> str:
    """The line of a Mesos log that says what went wrong, without glog's stamp; else the last one."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("***", "    @"))]
    told = [line for line in lines if re.match(r"[EF]\d{4} ", line)] or lines
    return "It said: " + re.sub(r"^[IWEF]\d{4} [\d:.]+ +\d+ \S+\] ", "", told[-1]) if told else ""
