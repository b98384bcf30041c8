"""`mma agent`: what the command line, the environment and the fleet's file say together."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.config import AgentConfig
from agent.errors import ConfigError
from agent.flags import Given
from console.cli import invoke
from console.commands.agent import AgentPlan, make_plan
from console.errors import UsageError
from console.fleet.file import read_fleet
from console.fleet.hosting import Hosting
from console.fleet.opening import TargetName
from console.logs import JsonFormatter

UNIT = Path(__file__).parents[3] / "packaging" / "mma-agent.service"
FLEET = """
master = "zk://10.0.0.1:2181/mesos"
port = 5051
hostname = "file"
authenticate_http_readonly = false
attributes = { site = "north", rack = 7 }

[[target]]
target = "host"
name = "roof"
resources = "cpus:0.5"
attributes = { place = "roof" }

[[target]]
target = "host-2"
"""


def fleet(folder: Path, text: str = FLEET) -> Path:
    path = folder / "fleet.toml"
    path.write_text(text)
    return path


def plan(
    *targets: str,
    file: Path | None = None,
    master: str | None = "m:1",
    pairs: tuple[str, ...] = (),
    environment: dict[str, str] | None = None,
    **flags: str,
) -> AgentPlan:
    given = {name: Given(text, f"--{name}") for name, text in flags.items()}
    return make_plan(master, targets, file, pairs, given, environment or {})


def test_the_command_line_comes_first_then_the_environment_then_the_file(tmp_path: Path) -> None:
    environment = {"MESOS_PORT": "5052", "MESOS_HOSTNAME": "environment", "MESOS_MASTER": "e:5050"}
    found = plan(file=fleet(tmp_path), environment=environment, port="5053")
    assert (found.master, found.config.port, found.config.hostname) == ("m:1", 5053, "environment")
    assert plan(file=fleet(tmp_path), environment=environment, master=None).master == "e:5050"
    assert plan(file=fleet(tmp_path), master=None).master == "zk://10.0.0.1:2181/mesos"
    assert [spec.name.text for spec in plan("host-3", file=fleet(tmp_path)).targets] == ["host-3"]


def test_a_target_of_a_file_has_flags_of_its_own_on_top_of_the_gateways(tmp_path: Path) -> None:
    found = plan(file=fleet(tmp_path), pairs=("who=me",))
    roof, second = found.targets
    assert (roof.name.text, second.name.text) == ("roof", "host-2")
    config = roof.config(found.config)
    assert dict(config.attributes) == {"site": "north", "rack": "7", "place": "roof", "who": "me"}
    assert config.resources[0].scalar.value == 0.5
    assert dict(second.config(found.config).attributes) == {"site": "north", "rack": "7", "who": "me"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("master = ", "is no TOML"),
        ("target = 7", "target is no table"),
        ("[[target]]\nname = 'x'", "has no target"),
        ("[[target]]\ntarget = 'nothing'", "no target 'nothing'"),
        ("[[target]]\ntarget = 'host'\nname = 'a/b'", "no name for host"),
        ("[[target]]\ntarget = 'host'\n[[target]]\ntarget = 'host'", "named twice"),
        ("[[target]]\ntarget = 'host'\nport = 7", "port is not a target's own"),
        (
            "[[target]]\ntarget = 'host'\nresources = 'cpus'",
            "fleet.toml, target host: resources: 'cpus' is no",
        ),
        ("fly = 1", "there is no flag 'fly'"),
        ("port = 99999", "fleet.toml: port: '99999' is no number"),
        ("hostname = [1]", "neither a text"),
    ],
)
def test_a_file_that_makes_no_sense_is_told_with_the_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises((UsageError, ConfigError)) as caught:
        plan(file=fleet(tmp_path, text))
    assert words in str(caught.value)


def test_a_masters_password_comes_from_a_private_file(tmp_path: Path) -> None:
    url = tmp_path / "master"
    url.write_text("zk://user:hush@h:2181/mesos\n")
    for wrong in ("zk://user:hush@h:2181/mesos", f"file://{url}"):
        with pytest.raises((UsageError, ConfigError)) as caught:
            plan("host", master=wrong)
        assert "hush" not in str(caught.value)
    url.chmod(0o600)
    assert plan("host", master=f"file://{url}").master == "zk://user:hush@h:2181/mesos"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-t", "host"], "There is no master"),
        (["-m", "h:1"], "There is no target"),
        (["-m", "h:1", "-t", "host", "--modules", "x"], "loads code"),
        (["-m", "h:1", "-t", "host", "--cgroups_root=/x"], "processes of a host"),
        (["-m", "h:1", "-t", "host", "--work-dir", ""], "--work_dir"),
        (["-m", "h:1", "-t", "host", "--work_dir="], "--work_dir"),
        (["-m", "h:1", "-t", "host", "--no-authenticate_http_readonly", "--port", "x"], "--port"),
        (["-m", "h:1", "-t", "host", "--authenticate_http_readonly"], "--http_credentials"),
        (["-m", "zk://h:x/m", "-t", "host"], "no ZooKeeper server"),
        (["--config", "/nowhere/fleet.toml"], "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["agent", *arguments]) == 2
    assert words in capsys.readouterr().err


# -- coming and going ---------------------------------------------------------------------------------------


class SessionDouble:
    """Writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.failing: set[str] = set()

    async def add(self, name: TargetName, config: AgentConfig) -> None:
        self.asked.append(("add", name.text))
        if name.text in self.failing:
            raise UsageError("It does not answer.")

    async def remove(self, name: str) -> None:
        self.asked.append(("remove", name))

    async def reconfigure(self, name: str, config: AgentConfig) -> None:
        self.asked.append((dict(config.attributes).get("place", ""), name))

    def tell(self, subject: str, text: str, *, failed: bool = False) -> None:
        self.asked.append(("tell", subject))


async def test_a_reload_changes_what_the_file_changed_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.fleet.hosting.RETRY_MIN", 0.01)
    session = SessionDouble()
    hosting = Hosting(session, AgentConfig())  # type: ignore[arg-type]
    await hosting.want(read_fleet(fleet(tmp_path)).targets)
    await asyncio.sleep(0.02)
    assert session.asked == [("add", "roof"), ("add", "host-2")]
    session.asked.clear()
    session.failing.add("third")
    text = FLEET.replace('"roof" }', '"cellar" }').replace("host-2", 'host-3"\nname = "third')
    await hosting.want(read_fleet(fleet(tmp_path, text)).targets)
    await asyncio.sleep(0.1)
    assert session.asked[:3] == [("remove", "host-2"), ("cellar", "roof"), ("add", "third")]
    assert session.asked.count(("add", "third")) > 1  # a target that does not come up is tried again
    await hosting.close()


# -- a service ----------------------------------------------------------------------------------------


def test_a_log_line_is_one_json_object() -> None:
    record = logging.LogRecord("agent.core", logging.INFO, "", 0, "%s is\nhere", ("host",), None)
    record.subject = "host"
    try:
        raise ValueError("no")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert found["exception"].endswith("ValueError: no")
    assert (found["level"], found["subject"], found["message"]) == ("INFO", "host", "host is\nhere")
    assert found["time"].endswith("+00:00")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze comes with systemd")
def test_systemd_understands_the_unit() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", str(UNIT)], capture_output=True, text=True, timeout=60, check=False
    )
    assert str(UNIT.name) not in done.stderr, done.stderr
    assert done.returncode == 0
