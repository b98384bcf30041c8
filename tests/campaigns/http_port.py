"""Fuzzes, floods and stalls the HTTP port of a live gateway, and looks whether it crashed, hung, leaked, told
what it must not, or starved its agents.

A genuine master, and a gateway of several agents in a process of its own; what it logs is read: a traceback
is a finding. The requests are seeded: the same seed makes the same ones.

    python tests/campaigns/http_port.py --requests 1000000 --seed 1 [--tls]

With --tls every second connection is a TLS one, and some stop in the midst of their handshake.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import resource
import ssl
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from http_fuzzer import Fuzzer

from agent.wire.upid import Upid
from emulation.master import Master

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))
from certificates import Office  # noqa: E402

AGENTS = 8
WORKERS, STALLS, FLOODS = 12, 40, 4
ANSWER = 60.0
"""Seconds for an answer or the end of the connection; the machine may be busy with others."""
GLIMPSE = 0.02
"""Seconds for those that need not be complete requests: the port rightly waits for the rest of them."""
WHOLE = frozenset({"path", "call", "message"})
PONG = 20.0
"""Seconds that a ping may take while the port is flooded; a master allows 75."""
GROWTH = 96 << 20
"""Bytes that the gateway may be larger afterwards."""
SECRET = b"nobody may read this"
FLAGS = {"agent_ping_timeout": "3secs", "max_agent_ping_timeouts": "10"}


@dataclass(slots=True)
class Outcome:
    """What was tried and found."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    pings: list[float] = field(default_factory=list)
    loris: int = 0
    flood: int = 0
    before: tuple[int, int] = (0, 0)
    """Resident bytes and open files."""
    after: tuple[int, int] = (0, 0)
    complaints: list[str] = field(default_factory=list)

    def report(self) -> str:
        """In lines."""
        tried = ", ".join(f"{count:,} {name}" for name, count in sorted(self.requests.items()))
        told = ", ".join(f"{status}: {count:,}" for status, count in sorted(self.statuses.items()))
        lines = [
            f"requests   {sum(self.requests.values()):,} ({tried})",
            f"answers    {told}",
            f"besides    {self.loris} connections that stalled, {self.flood:,} requests that were not read",
            f"pings      {len(self.pings)}, median {statistics.median(self.pings) * 1000:.1f} ms, "
            f"longest {max(self.pings) * 1000:.0f} ms",
            f"gateway    {self.before[0] >> 20} -> {self.after[0] >> 20} MB, "
            f"{self.before[1]} -> {self.after[1]} open files",
            f"found      {len(self.complaints)}" + "".join(f"\n  {item}" for item in self.complaints),
        ]
        return "\n".join(lines)


# -- the gateway, in a process of its own -------------------------------------------------------------------


async def serve(master: str, folder: Path, office: str) -> None:
    """Run agents until standard input ends; tells the port in a line. `office`: where keys are for TLS."""
    from agent.config import AgentConfig
    from agent.gateway import Gateway
    from agent.tls import TlsConfig
    from hal.host import HostTarget

    targets = [HostTarget(f"host-{number}", cpus=0.1, mem_bytes=1 << 20) for number in range(AGENTS)]
    for target in targets:
        await target.open()
    tls = TlsConfig()
    if office:
        files = {"key_file": Path(office, "agent.key"), "cert_file": Path(office, "agent.pem")}
        tls = TlsConfig(enabled=True, support_downgrade=True, **files)
    async with Gateway(master, targets, AgentConfig(work_dir=folder, tls=tls)) as gateway:
        sys.stdout.write(f"{gateway.addresses[0][1]}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


@dataclass(slots=True)
class Gateway:
    """The process under attack."""

    process: asyncio.subprocess.Process
    port: int
    folder: Path
    log: Path
    office: Path | None = None
    connections: int = 0
    context: ssl.SSLContext | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to it; with TLS, where it has that, every second time."""
        self.connections += 1
        if self.office is None or self.connections % 2:
            return await asyncio.open_connection("127.0.0.1", self.port)
        if self.context is None:
            self.context = ssl.create_default_context(cafile=self.office / "ca.pem")
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context)

    def size(self) -> tuple[int, int]:
        """Resident bytes and open files (proc(5))."""
        place = Path(f"/proc/{self.process.pid}")
        pages = int((place / "statm").read_text().split()[1])
        return pages * resource.getpagesize(), len(os.listdir(place / "fd"))

    async def get(self, path: str) -> tuple[int, bytes]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER)) as session:
            async with session.get(f"http://127.0.0.1:{self.port}{path}") as response:
                return response.status, await response.read()


@asynccontextmanager
async def started(master: str, folder: Path, office: Path | None) -> AsyncIterator[Gateway]:
    log = folder / "log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, "--serve", master, str(folder / "work"), str(office or "")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=out,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONASYNCIODEBUG": ""},
        )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        if not line:
            raise RuntimeError(f"The gateway did not start:\n{log.read_text()[-2000:]}")
        yield Gateway(process, int(line), folder / "work", log, office)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


# -- the attack ---------------------------------------------------------------------------------------------


async def exchange(gateway: Gateway, request: bytes, patience: float) -> bytes:
    """The head of the answer, and what comes with it. TimeoutError when nothing comes for `patience` s."""
    reader, writer = await gateway.connect()
    try:
        writer.write(request)
        async with asyncio.timeout(patience):
            return await reader.read(1 << 20)
    finally:
        writer.transport.abort()


async def fuzz(gateway: Gateway, count: int, seed: int, outcome: Outcome) -> None:
    """`count` requests by several workers."""
    source = iter(Fuzzer(seed, str(gateway.folder)))
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            kind, request = next(source)
            outcome.requests[kind] += 1
            whole = kind in WHOLE
            answer = b""
            try:
                answer = await exchange(gateway, request, ANSWER if whole else GLIMPSE)
            except TimeoutError:
                if whole:
                    outcome.complaints.append(f"no answer within {ANSWER:g} s: {request[:300]!r}")
            except OSError:
                pass
            status = answer[9:12].decode("latin-1") if answer.startswith(b"HTTP/1.") else "none"
            outcome.statuses[status] += 1
            if SECRET in answer:
                outcome.complaints.append(f"the secret was told: {request[:300]!r}")

    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())


async def stall(gateway: Gateway, number: int, outcome: Outcome, over: asyncio.Event) -> None:
    """Slow-loris: a head or a body that never ends, a byte now and then."""
    begins = (
        b"GET /state HTTP/1.1\r\nX: ",
        b"POST /api/v1 HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
        b"POST /slave(1)/x HTTP/1.1\r\nLibprocess-From: a@127.0.0.1:1\r\nContent-Length: 99\r\n\r\n",
        b"",
    )
    if gateway.office is not None:
        begins += (b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        outcome.loris += 1
        writer.write(begins[number % len(begins)])
        while not over.is_set() and not writer.transport.is_closing():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await over.wait()
            writer.write(b"a" if begins[number % len(begins)] else b"")
        writer.transport.abort()


async def flood(gateway: Gateway, seed: int, outcome: Outcome, over: asyncio.Event) -> None:
    """Asks for large answers, many in a row, and does not read them."""
    pick = random.Random(seed)
    paths = ("/state", "/slave(2)/state", "/metrics", "/flags", "/help?format=json", "/files/debug")
    while not over.is_set():
        with contextlib.suppress(OSError):
            _, writer = await gateway.connect()
            for _ in range(50):
                if writer.transport.is_closing():
                    break
                writer.write(f"GET {pick.choice(paths)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                outcome.flood += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pick.uniform(0.05, 0.5)):
                    await over.wait()
            writer.transport.abort()


async def ping(gateway: Gateway, outcome: Outcome, over: asyncio.Event) -> None:
    """Pings an agent as a master does and waits for each pong, over a link of its own."""
    pongs: asyncio.Queue[None] = asyncio.Queue()

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            if await reader.read(1) == b"\x16":  # as a peer without TLS: it is to come in the clear then
                return writer.close()
            while line := await reader.readline():
                if b"PongSlaveMessage" in line:
                    pongs.put_nowait(None)
        writer.close()

    server = await asyncio.start_server(answered, "127.0.0.1", 0)
    mine = Upid("slave-observer(1)", *server.sockets[0].getsockname()[:2])
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = f"POST /slave({AGENTS})/mesos.internal.PingSlaveMessage HTTP/1.1\r\nHost: x\r\n"
    request = f"{head}Libprocess-From: {mine}\r\nContent-Length: 2\r\n\r\n".encode() + b"\x08\x01"
    while not over.is_set():
        begun = time.monotonic()
        writer.write(request)
        try:
            async with asyncio.timeout(PONG):
                await pongs.get()
            outcome.pings.append(time.monotonic() - begun)
        except TimeoutError:
            outcome.complaints.append(f"a ping was not answered within {PONG:g} s")
            break
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await over.wait()
    writer.close()
    server.close()


# -- all of it ----------------------------------------------------------------------------------------------


async def play(requests: int, seed: int, *, tls: bool = False) -> Outcome:
    """The whole campaign."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="mma-http-") as name:
        folder = Path(name)
        (folder / "secret").write_bytes(SECRET)
        (folder / "work").mkdir()
        (folder / "work" / "secret").write_bytes(SECRET)
        office = Office(folder / "office") if tls else None
        if office is not None:
            office.issue()
        place = office.folder if office else None
        async with Master(flags=FLAGS) as master, started(master.address, folder, place) as gateway:
            await _all_active(master)
            await fuzz(gateway, 200, seed ^ 1, Outcome())  # warm: code is loaded, caches are filled
            outcome.before = gateway.size()
            await _attack(gateway, requests, seed, outcome)
            await _judge(master, gateway, outcome)
    return outcome


async def _attack(gateway: Gateway, requests: int, seed: int, outcome: Outcome) -> None:
    """Most of it while connections stall; the last part while the port is flooded, too."""
    over = asyncio.Event()
    flooded = min(requests // 5, 5000)
    async with asyncio.TaskGroup() as group:
        group.create_task(ping(gateway, outcome, over))
        for number in range(STALLS):
            group.create_task(stall(gateway, number, outcome, over))
        await fuzz(gateway, requests - flooded, seed, outcome)
        for number in range(FLOODS):
            group.create_task(flood(gateway, seed + number, outcome, over))
        await fuzz(gateway, flooded, seed + 1, outcome)
        over.set()


async def _judge(master: Master, gateway: Gateway, outcome: Outcome) -> None:
    if gateway.process.returncode is not None:
        outcome.complaints.append(f"the gateway died with {gateway.process.returncode}")
    else:
        async with asyncio.timeout(ANSWER):
            while gateway.size()[1] > outcome.before[1] + 8:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        outcome.after = gateway.size()
        if outcome.after[0] > outcome.before[0] + GROWTH:
            outcome.complaints.append(f"it grew by {(outcome.after[0] - outcome.before[0]) >> 20} MB")
        if (await gateway.get("/slave(1)/health"))[0] != 200:
            outcome.complaints.append("it is not healthy")
        await _all_active(master)
    metrics = await _master(master, "/metrics/snapshot")
    for name in ("slave_reregistrations", "slave_removals", "slave_unreachable_completed"):
        if metrics[f"master/{name}"]:
            outcome.complaints.append(f"the master counts {metrics[f'master/{name}']:g} {name}")
    log = gateway.log.read_text(errors="replace")
    if "Traceback" in log:
        place = log.index("Traceback")
        outcome.complaints.append(
            f"{log.count('Traceback')} tracebacks, the first:\n{log[max(0, place - 300) : place + 1500]}"
        )


async def _master(master: Master, path: str) -> dict[str, float]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{master.address}{path}") as response:
        found: dict[str, float] = await response.json()
        return found


async def _all_active(master: Master) -> None:
    async with asyncio.timeout(ANSWER):
        while (await _master(master, "/metrics/snapshot"))["master/slaves_active"] != AGENTS:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve(arguments.serve[0], Path(arguments.serve[1]), arguments.serve[2]))
        return 0
    outcome = asyncio.run(play(arguments.requests, arguments.seed, tls=arguments.tls))
    sys.stdout.write(f"seed       {arguments.seed}\n{outcome.report()}\n")
    return 1 if outcome.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
