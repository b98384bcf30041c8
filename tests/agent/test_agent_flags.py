"""Flags as mesos-agent's: from text to settings and back, and what they make of a target."""

from __future__ import annotations

import json
from operator import attrgetter
from pathlib import Path

import pytest
from doubles import TargetDouble

from agent.config import AgentConfig
from agent.errors import ConfigError
from agent.facts import attributes_of, resources_of
from agent.flag_table import FLAGS, HOSTS, MODULES
from agent.flags import Given, configure, from_environment, refusal, shown
from agent.http.shapes import attributes_json, resources_json
from agent.limits import limited
from agent.values import (
    parse_attributes,
    parse_bytes,
    parse_duration,
    parse_resources,
    show_bytes,
    show_duration,
    show_resources,
)

NATIVE = Path(__file__).parent / "native_flags.json"


def given(**values: str) -> dict[str, Given]:
    return {name: Given(text, f"--{name}") for name, text in values.items()}


# -- values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["cpus:0.5;mem:64;gpio:[0-3,8-9];sensors:{accel,temp0}", "gpio(lab):[0-3];gpio(roof/a):[4-7]", "cpus:0"],
)
def test_resources_are_shown_as_they_are_written(text: str) -> None:
    assert show_resources(parse_resources(text)) == text


def test_resources_as_json_and_with_spaces_are_the_same() -> None:
    plain = parse_resources(" cpus : 0.5 ;\n gpio( lab ):[ 0 - 3 ]; sensors:{ temp0 } ;")
    listed = [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}},
        {"name": "gpio", "type": "RANGES", "ranges": {"range": [{"begin": 0, "end": 3}]}, "role": "lab"},
        {"name": "sensors", "type": "SET", "set": {"item": ["temp0"]}, "role": "*"},
    ]
    assert parse_resources(json.dumps(listed)) == plain


@pytest.mark.parametrize(
    "text",
    [
        "cpus",
        "cpus:",
        ":1",
        "cpus:many",
        "gpio:[3-0]",
        "gpio:[0-3",
        "cpus:-1",
        "[{]",
        '[{"name": "x"}]',
        "[1]",
    ],
)
def test_other_resources_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_resources(text)


def test_attributes_are_typed_by_their_looks() -> None:
    texts = parse_attributes("rack:7;place:roof: left;spans:[1-3]")
    made = attributes_of(TargetDouble("board").describe(), texts)
    assert attributes_json(made) == {
        **{"rack": 7.0, "place": "roof: left", "spans": "[1-3]", "board": "double", "target": "board"}
    }
    for wrong in ("rack", "rack:", ":7", "set:{a,b}"):
        with pytest.raises(ConfigError):
            parse_attributes(wrong)


@pytest.mark.parametrize(
    ("text", "seconds"), [("10secs", 10), ("1.5mins", 90), ("250ms", 0.25), ("1weeks", 604800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)
    assert show_duration(seconds) == text


def test_bytes() -> None:
    for text, count in (("2GB", 2 << 30), ("1025B", 1025), ("64KB", 64 << 10)):
        assert parse_bytes(text) == count
        assert show_bytes(count) == text
    for wrong in ("", "5", "5m", "-1secs", "1e3", "secs"):
        with pytest.raises(ConfigError):
            parse_duration(wrong)
        with pytest.raises(ConfigError):
            parse_bytes(wrong)


# -- what a target offers ---------------------------------------------------------------------------


def offered(text: str, role: str = "*") -> dict[str, object]:
    device = resources_of(TargetDouble().describe())  # cpus:1;mem:0.064;gpio:[0-15]
    found = limited("board", device, parse_resources(text), role)
    return {name: value for name, value in resources_json(found).items() if value}


def test_an_operator_offers_less_or_other_things() -> None:
    assert offered("") == {"cpus": 1.0, "mem": 0.064, "gpio": "[0-15]"}
    assert offered("gpio:[4-7];mem:0.032") == {"cpus": 1.0, "mem": 0.032, "gpio": "[4-7]"}
    assert offered("gpio:[];cpus:2;disk:10") == {"cpus": 2.0, "mem": 0.064, "disk": 10.0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mem:1", "has mem:0.064; 1 is more"),
        ("mem(a):0.05;mem(b):0.05", "0.1 is more"),
        ("gpio:[8-16]", "8-16 is not among them"),
        ("gpio(a):[0-3];gpio(b):[3-4]", "given twice"),
        ("gpio:{a}", "of another kind"),
    ],
)
def test_an_operator_cannot_offer_what_is_not_there(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match="board has") as caught:
        offered(text)
    assert words in str(caught.value)


def test_the_default_role_reserves_what_nobody_has() -> None:
    device = resources_of(TargetDouble().describe())
    found = limited("board", device, parse_resources("gpio(lab):[0-3]"), "site")
    roles = {item.name: item.reservations[-1].role for item in found}
    assert roles == {"cpus": "site", "mem": "site", "gpio": "lab"}


# -- flags ------------------------------------------------------------------------------------------


def test_every_flag_is_written_as_it_is_read() -> None:
    text = {
        **{"ip": "127.0.0.1", "port": "5051", "advertise_ip": "10.0.0.1", "advertise_port": "80"},
        **{"hostname": "gw", "work_dir": "/var/lib/mma", "attributes": "rack:7", "default_role": "lab"},
        **{"resources": "gpio:[0-3]", "recover": "cleanup", "reconfiguration_policy": "additive"},
        **{"authentication_timeout_min": "1secs", "authentication_timeout_max": "2mins"},
        **{"registration_backoff_factor": "500ms", "executor_shutdown_grace_period": "5secs"},
        **{"zk_session_timeout": "20secs", "fetcher_cache_size": "1GB", "logging_level": "WARNING"},
        **{
            "require_peer_address_ip_match": "false",
            "agents_per_port": "50",
            "device_timeout": "10mins",
            "strict": "false",
        },
        **{"gc_delay": "2days", "sandbox_limit": "64MB", "log_limit": "1MB"},
        **{f"authenticate_http_{name}": "true" for name in ("readonly", "readwrite", "executors")},
        **{"domain": '{"fault_domain": {"region": {"name": "eu"}, "zone": {"name": "roof"}}}'},
        **{f"ssl_{name}_file": f"/etc/{name}.pem" for name in ("key", "cert", "ca")},
        **{"ssl_ca_dir": "/etc/ca", "ssl_hostname_validation_scheme": "openssl", "ssl_ciphers": "AES128-SHA"},
        **{f"ssl_{name}": "true" for name in ("enabled", "support_downgrade", "verify_server_cert")},
        **{f"ssl_{name}": "true" for name in ("require_client_cert", "verify_ipadd")},
        **{f"ssl_enable_tls_{name}": "false" for name in ("v1_2", "v1_3")},
    }
    assert shown(configure(given(**text))) == text
    assert {flag.name for flag in FLAGS if flag.show} == set(text)
    for flag in FLAGS:
        attrgetter(flag.field)(AgentConfig())


def test_files_stand_for_their_contents_but_a_path_is_a_path(tmp_path: Path) -> None:
    secret = tmp_path / "credential"
    secret.write_text("mma hush")
    secret.chmod(0o600)
    rules = tmp_path / "acls"
    rules.write_text('{"permissive": false}\n')
    config = configure(
        given(credential=f"file://{secret}", acls=f"file://{rules}", work_dir=f"file://{tmp_path}")
    )
    assert config.credential is not None
    assert config.credential.secret == "hush"
    assert config.acls is not None
    assert not config.acls.permissive
    assert config.work_dir == tmp_path
    flags = shown(config)
    assert flags["acls"] == f"file://{rules}"
    assert flags["credential"] == f"file://{secret}"
    assert shown(configure(given(acls='{"permissive": true}')))["acls"] == "…"
    with pytest.raises(ConfigError, match=r"--acls: .*none cannot be read"):
        configure(given(acls=f"file://{tmp_path}/none"))


def test_what_is_wrong_is_said_with_where_it_is_from() -> None:
    environment = from_environment({"MESOS_PORT": "many", "MESOS_ISOLATION": "x", "HOME": "/"})
    assert set(environment) == {"port"}
    with pytest.raises(ConfigError, match=r"MESOS_PORT: 'many' is no number"):
        configure(environment)
    assert from_environment({"LIBPROCESS_IP": "1.2.3.4", "MESOS_MASTER": "m:1"}).keys() == {"ip", "master"}
    for name, words in (
        ("modules", "loads code"),
        ("cgroups_root", "processes of a host"),
        ("fly", "no flag"),
    ):
        with pytest.raises(ConfigError, match=words):
            configure(given(**{name: "x"}))


def test_every_flag_of_a_native_agent_is_taken_or_refused_in_words() -> None:
    native = json.loads(NATIVE.read_text())
    known = {flag.name for flag in FLAGS} | {"help", "master"}
    assert not [name for name in native if name not in known and refusal(name) is None]
    assert not known & (HOSTS | MODULES)


@pytest.mark.parametrize("text", ["eu", "{}", '{"fault_domain": {"region": {"name": "eu"}}}', '{"zone": 1}'])
def test_a_domain_has_region_and_zone(text: str) -> None:
    with pytest.raises(ConfigError, match="fault_domain"):
        configure(given(domain=text))
