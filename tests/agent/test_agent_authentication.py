"""CRAM-MD5 towards a master, and secrets that come from files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from doubles import MasterDouble, TargetDouble, run_task

from agent.authentication import answer_to
from agent.config import AgentConfig
from agent.errors import ConfigError
from agent.events import Disconnected
from agent.gateway import Gateway
from agent.proto import messages_pb2 as internal
from agent.secrets import Credential, read_credential, read_credentials
from agent.wire.upid import Upid

CREDENTIAL = Credential("mma", "tanstaaftanstaaf")
CONFIG = AgentConfig(
    registration_backoff=0.02,
    credential=CREDENTIAL,
    authentication_timeout_min=0.3,
    authentication_timeout_max=0.5,
)
SESSION = "crammd5-authenticator-session(1)"


class Session:
    """The process of the master that authenticates: what it gets, the double writes down."""

    id = SESSION

    def __init__(self, master: MasterDouble) -> None:
        self.receive = master.receive
        self.link_lost = self.peer_left = master.link_lost


@pytest_asyncio.fixture
async def master() -> AsyncIterator[MasterDouble]:
    async with MasterDouble() as double:
        double.port.add(Session(double))
        yield double


def test_the_answer_is_that_of_rfc_2195() -> None:
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    answer = answer_to(challenge, Credential("tim", "tanstaaftanstaaf"))
    assert answer == b"tim b913a602c7eda7a495b4e6e7334d3890"


async def mechanisms(master: MasterDouble, count: int = 1) -> Upid:
    """Play the master up to the mechanisms; returns the authenticatee."""
    message = await master.take(internal.AuthenticateMessage, count)
    asker = [sender for sender, each in master.got if isinstance(each, internal.AuthenticateMessage)][
        count - 1
    ]
    assert Upid.parse(message.pid).id == "slave(1)"
    master.send(asker, internal.AuthenticationMechanismsMessage(mechanisms=["CRAM-MD5"]), SESSION)
    return asker


async def test_registration_waits_for_authentication(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble()], CONFIG):
        asker = await mechanisms(master)
        assert (await master.take(internal.AuthenticationStartMessage)).mechanism == "CRAM-MD5"
        step = internal.AuthenticationStepMessage(data=b"<1.2@here>")
        master.send(asker, step, "crammd5-authenticator-session(9)")  # another session: not answered
        master.send(asker, step, SESSION)
        answered = await master.take(internal.AuthenticationStepMessage)
        assert answered.data == answer_to(b"<1.2@here>", CREDENTIAL)
        assert not master.all(internal.RegisterSlaveMessage)
        master.send(asker, internal.AuthenticationCompletedMessage(), SESSION)
        await master.take(internal.RegisterSlaveMessage)
        assert len(master.all(internal.AuthenticationStepMessage)) == 1


async def test_a_silent_master_is_asked_again_by_another_process(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble()], CONFIG):
        first = await mechanisms(master)
        second = await mechanisms(master, 2)
        assert first != second
        master.send(first, internal.AuthenticationCompletedMessage(), SESSION)  # too late
        await master.take(internal.AuthenticationStartMessage, 2)
        assert not master.all(internal.RegisterSlaveMessage)
        master.send(second, internal.AuthenticationCompletedMessage(), SESSION)
        await master.take(internal.RegisterSlaveMessage)


async def test_a_refusal_is_told_in_words(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble()], CONFIG) as gateway:
        events = gateway.events()
        asker = await mechanisms(master)
        await master.take(internal.AuthenticationStartMessage)
        master.send(asker, internal.AuthenticationFailedMessage(), SESSION)
        event = await anext(events)
        assert isinstance(event, Disconnected)
        assert "refused the credential of 'mma'" in event.reason
        assert CREDENTIAL.secret not in event.reason


async def test_each_new_link_is_authenticated_anew(master: MasterDouble) -> None:
    async with Gateway(master.address, [TargetDouble()], CONFIG):
        for count in (1, 2):
            asker = await mechanisms(master, count)
            await master.take(internal.AuthenticationStartMessage, count)
            master.send(asker, internal.AuthenticationCompletedMessage(), SESSION)
            await master.take(internal.UpdateSlaveMessage, count)
            master.send(f"slave(1)@{asker.ip}:{asker.port}", internal.PingSlaveMessage(connected=False))


async def test_nobody_but_the_masters_address_is_heard(master: MasterDouble) -> None:
    """A message of another machine that calls itself the master; 127.0.0.2 stands for that machine."""
    async with Gateway(master.address, [TargetDouble()], AgentConfig(registration_backoff=0.02)) as gateway:
        await master.take(internal.UpdateSlaveMessage)
        pid = Upid.parse(gateway.agents["board"].pid)
        for source, claimed, status in (
            ("127.0.0.2", f"master@{master.address}", 400),
            ("127.0.0.1", f"master@{pid.ip}:1", 202),
            ("127.0.0.1", f"slave-observer(1)@{master.address}", 202),
        ):
            connector = aiohttp.TCPConnector(local_addr=(source, 0))
            async with aiohttp.ClientSession(connector=connector) as session:
                url = f"http://{pid.ip}:{pid.port}/{pid.id}/mesos.internal.RunTaskMessage"
                body = run_task(f"forged-{source}").SerializeToString()
                async with session.post(url, data=body, headers={"Libprocess-From": claimed}) as reply:
                    assert reply.status == status
        await asyncio.sleep(0.05)
        assert not gateway.agents["board"].tasks.book.frameworks


# -- files ----------------------------------------------------------------------------------------------


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_credentials_in_both_of_mesos_forms(tmp_path: Path) -> None:
    for text in ('{"principal": "mma", "secret": "s e"}', "mma secret\n"):
        found = read_credential(private(tmp_path / "c", text))
        assert found.principal == "mma"
        assert "secret=" not in repr(found)
    many = '{"credentials": [{"principal": "a", "secret": "1"}, {"principal": "b", "secret": "2"}]}'
    assert read_credentials(private(tmp_path / "many", many))["b"].secret == "2"


@pytest.mark.parametrize(
    "text", ["", "{", "one", '{"principal": "hush"}', '{"principal": 1, "secret": "hush"}', "[]"]
)
def test_a_damaged_file_is_told_without_its_secret(tmp_path: Path, text: str) -> None:
    path = private(tmp_path / "c", text)
    for read in (read_credential, read_credentials):
        with pytest.raises(ConfigError, match="holds no credential") as caught:
            read(path)
        assert "hush" not in str(caught.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = private(tmp_path / "c", "mma secret")
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_credential(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_credential(tmp_path / "none")
