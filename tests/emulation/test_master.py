"""The genuine Mesos master: start, restart, port in use, authentication, death of its owner."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from waiting import gone, until, wait_until

from emulation.errors import EnvironmentMissing, MasterError, PortInUse
from emulation.master import Master, check_platform, installation

try:
    check_platform()
    pytestmark = [pytest.mark.end_to_end]
except EnvironmentMissing as error:
    pytestmark = [pytest.mark.end_to_end, pytest.mark.skip(reason=str(error))]


async def get(address: str, path: str) -> dict[str, Any]:
    def read() -> Any:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return json.load(answer)

    return await asyncio.to_thread(read)  # type: ignore[no-any-return]


async def test_starts_quickly_restarts_on_its_port_and_stops() -> None:
    async with Master():
        pass  # installed now
    began = time.monotonic()
    master = Master()
    async with master:
        assert time.monotonic() - began < 1.5
        address = master.address
        version = await get(address, "/version")
        assert version["version"] == "1.11.0"
        state = await get(address, "/master/state")
        assert state["leader_info"]["port"] == int(address.rpartition(":")[2])
        log = master.log
        assert log is not None
        assert "Recovered 0 agents" in log.read_text()
        await master.restart()
        assert master.address == address
        assert (await get(address, "/master/state"))["id"] != state["id"]
    assert master.pid is None
    assert master.tail()
    assert not log.exists()  # its folder was temporary
    with pytest.raises(OSError, match="refused"):
        await get(address, "/version")


async def test_flags_and_work_dir(tmp_path: Path) -> None:
    flags = {"agent_ping_timeout": "1secs", "--max-agent-ping-timeouts": "2"}
    async with Master(work_dir=tmp_path / "work", flags=flags) as master:
        told = (await get(master.address, "/master/flags"))["flags"]
        assert (told["agent_ping_timeout"], told["max_agent_ping_timeouts"]) == ("1secs", "2")
    assert "started on" in (tmp_path / "work" / "master.log").read_text()


async def test_wrong_flags_are_told() -> None:
    with pytest.raises(MasterError, match="no flag 'agent_pig_timeout'"):
        await Master(flags={"agent_pig_timeout": "1secs"}).start()
    with pytest.raises(MasterError, match="Failed to load value 'banana'"):
        await Master(flags={"agent_ping_timeout": "banana"}).start()


async def test_port_in_use_says_by_whom() -> None:
    async with Master() as master:
        with pytest.raises(PortInUse, match=rf"A Mesos master already .*--master {master.address}"):
            await Master(port=master.port).start()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortInUse, match="Another program listens on"):
            await Master(port=other.getsockname()[1]).start()


async def test_authentication_needs_what_it_says(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.write_text(json.dumps({"credentials": [{"principal": "mma", "secret": "secret"}]}))
    credentials.chmod(0o600)
    flags = {
        "authenticate_agents": "true",
        "authenticate_http_readwrite": "true",
        "authenticate_http_readonly": "true",
        "credentials": str(credentials),
    }
    async with Master(flags=flags) as master:
        with pytest.raises(OSError, match="401"):
            await get(master.address, "/master/state")


async def test_runs_without_sasl_and_says_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_has_sasl", lambda: False)
    async with Master() as master:
        assert (await get(master.address, "/version"))["version"] == "1.11.0"
    with pytest.raises(EnvironmentMissing, match=r"for authenticate_agents\. .*apt install libsasl2"):
        await Master(flags={"authenticate_agents": "true"}).start()


async def test_native_agents_register() -> None:
    async with Master(native_agents=2) as master:

        async def registered() -> bool:
            return bool((await get(master.address, "/master/state"))["activated_slaves"] == 2)

        await until(registered)


async def test_crash_is_told() -> None:
    async with Master() as master:
        assert master.pid is not None
        os.kill(master.pid, signal.SIGABRT)
        assert (await master.wait_died()).startswith("The Mesos master was ended by SIGABRT.")
        await master.restart()
        assert (await get(master.address, "/version"))["version"] == "1.11.0"


_OWNER = """
import asyncio
from emulation.master import Master
async def main():
    master = Master()
    await master.start()
    print(master.pid, master.log.parent, flush=True)
    await asyncio.sleep(100)
asyncio.run(main())
"""


def test_killed_owner_leaves_no_master() -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid, folder = owner.stdout.readline().split()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert gone(int(pid))
    assert wait_until(lambda: not Path(folder).exists())
