"""The table of flags: what each of mesos-agent's means here, and which ones mean nothing here.

Source of the names: src/slave/flags.cpp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.acls import Acls
from agent.errors import ConfigError
from agent.secrets import read_credential, read_credentials, read_secret
from agent.values import (
    parse_attributes,
    parse_bytes,
    parse_domain,
    parse_duration,
    parse_resources,
    show_bytes,
    show_domain,
    show_duration,
    show_resources,
)

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
"""Of --logging_level; Mesos's own three and DEBUG."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. `read` makes the value of the AgentConfig field from text, `show` the text again (None: it is
    not shown, because it is a secret or a path to one is shown instead)."""

    name: str
    field: str
    """Of AgentConfig; with a dot in it, of the part of that by this name."""
    read: Callable[[str], Any]
    about: str
    metavar: str = "TEXT"
    show: Callable[[Any], str] | None = str
    path: bool = False
    """The value is the name of a file, with or without file://."""
    secret: bool = False
    """The value or the file that it names is nobody else's to read."""
    per_target: bool = False
    """A target of a fleet's file may have its own."""
    variables: tuple[str, ...] = ()
    """Names in the environment besides MESOS_<NAME>; the first that is set counts."""

    @property
    def boolean(self) -> bool:
        """--name alone means true, --no-name false."""
        return self.read is read_boolean


def read_boolean(text: str) -> bool:
    """Mesos's words for it (stout/flags/parse.hpp)."""
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise ConfigError(f"{text!r} is neither true nor false.", remedy="Write true or false.")


def _show_boolean(value: bool) -> str:
    return "true" if value else "false"


def _number(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ConfigError(f"{text!r} is no number from {low} to {high}.", remedy="Give such a number.")
        return int(text)

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ConfigError(f"{text!r} is not one of {', '.join(words)}.", remedy="Choose one of these.")
        return text

    return read


def _level(text: str) -> str:
    return _one_of(*LEVELS)(text.upper())


def _word(text: str) -> str:
    if not text.strip():
        raise ConfigError("An empty text says nothing.", remedy="Give a value, or leave the flag out.")
    return text.strip()


_PORT = _number(0, 65535)
_DURATION: dict[str, Any] = {"read": parse_duration, "show": show_duration, "metavar": "DURATION"}
_BYTES: dict[str, Any] = {"read": parse_bytes, "show": show_bytes, "metavar": "BYTES"}
_BOOLEAN: dict[str, Any] = {"read": read_boolean, "show": _show_boolean, "metavar": "BOOL"}
_SECRET: dict[str, Any] = {"show": None, "path": True, "secret": True, "metavar": "FILE"}


def _tls(
    name: str, about: str, *, read: Callable[[str], Any], old: tuple[str, ...] = (), **more: Any
) -> Flag:
    """A flag of libprocess's TLS: LIBPROCESS_SSL_<NAME> in the environment, where native agents take it only;
    `old` are names that it had before."""
    variables = tuple(f"LIBPROCESS_SSL_{each.upper()}" for each in (name, *old))
    return Flag(f"ssl_{name}", f"tls.{name}", read, about, variables=variables, **more)


def _path(text: str) -> Path:
    return Path(_word(text))


_FILE: dict[str, Any] = {"read": _path, "path": True, "metavar": "FILE"}
_SWITCH: dict[str, Any] = {"read": read_boolean, "show": _show_boolean, "metavar": "BOOL"}
TLS: tuple[Flag, ...] = (
    _tls("enabled", "Speak TLS to the master, and on the agents' ports.", **_SWITCH),
    _tls("support_downgrade", "Speak without TLS to who has none, both ways.", **_SWITCH),
    _tls("key_file", "The private key, PEM.", **_FILE),
    _tls("cert_file", "Its certificate, PEM, with those between it and the authority's.", **_FILE),
    _tls("ca_file", "Authorities whose certificates are taken; else the system's.", **_FILE),
    _tls("ca_dir", "A folder of such, as openssl rehash makes it.", **{**_FILE, "metavar": "DIR"}),
    _tls("verify_server_cert", "The master must prove its name.", old=("verify_cert",), **_SWITCH),
    _tls("require_client_cert", "So must whoever connects.", old=("require_cert",), **_SWITCH),
    _tls("verify_ipadd", "A certificate for the peer's address will do.", **_SWITCH),
    _tls(
        "hostname_validation_scheme",
        "The name to prove: what DNS calls the address (legacy), or the address itself.",
        read=_one_of("legacy", "openssl"),
        metavar="legacy|openssl",
    ),
    _tls("ciphers", "Ciphers of TLS 1.2, as OpenSSL calls them.", read=_word, metavar="LIST"),
    _tls("enable_tls_v1_2", "Take TLS 1.2.", **_SWITCH),
    _tls("enable_tls_v1_3", "Take TLS 1.3.", **_SWITCH),
)
"""Sources: docs/ssl.md of Mesos 1.11, 3rdparty/libprocess/src/openssl.cpp."""


def _show_pairs(pairs: Mapping[str, str]) -> str:
    return ";".join(f"{name}:{value}" for name, value in pairs.items())


FLAGS: tuple[Flag, ...] = (
    Flag(
        "ip",
        "ip",
        _word,
        "The address to listen on; without it the one that leads to the master.",
        "IP",
        variables=("LIBPROCESS_IP",),
    ),
    Flag(
        "port",
        "port",
        _PORT,
        "The first port to listen on; 0 takes free ones.",
        "PORT",
        variables=("LIBPROCESS_PORT",),
    ),
    Flag(
        "advertise_ip",
        "advertise_ip",
        _word,
        "The address to tell the master instead of --ip.",
        "IP",
        variables=("LIBPROCESS_ADVERTISE_IP",),
    ),
    Flag(
        "advertise_port",
        "advertise_port",
        _number(1, 65535),
        "The port to tell it instead of --port.",
        "PORT",
        variables=("LIBPROCESS_ADVERTISE_PORT",),
    ),
    Flag("hostname", "hostname", _word, "What the master and its web UI call this computer.", "NAME"),
    Flag(
        "work_dir",
        "work_dir",
        lambda text: Path(_word(text)),
        "Keep ids, tasks and sandboxes there.",
        "DIR",
        path=True,
    ),
    Flag(
        *("attributes", "attributes", parse_attributes, "Further attributes, rack:7;place:roof.", "LIST"),
        show=_show_pairs,
        per_target=True,
    ),
    Flag(
        *(
            "resources",
            "resources",
            parse_resources,
            "What is offered of the targets, cpus:0.5;gpio:[0-3].",
            "LIST",
        ),
        show=show_resources,
        per_target=True,
    ),
    Flag(
        "default_role",
        "default_role",
        _word,
        "The role that unreserved resources are for.",
        "ROLE",
        per_target=True,
    ),
    Flag(
        *("domain", "domain", parse_domain, "Region and zone, as Mesos's JSON.", "JSON"),
        show=show_domain,
        per_target=True,
    ),
    Flag(
        "credential",
        "credential",
        lambda text: read_credential(Path(text)),
        "Who the agents are to the master.",
        **_SECRET,
    ),
    Flag(
        "http_credentials",
        "http_credentials",
        lambda text: read_credentials(Path(text)),
        "Who may call the endpoints.",
        **_SECRET,
    ),
    Flag(
        "jwt_secret_key",
        "jwt_secret_key",
        lambda text: read_secret(Path(text)).strip(),
        "What signs the tokens of callers.",
        **_SECRET,
    ),
    Flag(
        "authenticate_http_readonly",
        "authenticate_http_readonly",
        about="Endpoints that only tell need a login.",
        **_BOOLEAN,
    ),
    Flag(
        "authenticate_http_readwrite",
        "authenticate_http_readwrite",
        about="Endpoints that change things need a login.",
        **_BOOLEAN,
    ),
    Flag(
        "authenticate_http_executors",
        "authenticate_http_executors",
        about="The executor API needs a token.",
        **_BOOLEAN,
    ),
    Flag(
        "acls",
        "acls",
        Acls.parse,
        "Who may do what, as Mesos's JSON; file:///path mostly.",
        "JSON",
        show=None,
    ),
    Flag(
        "authentication_timeout_min",
        "authentication_timeout_min",
        about="The master has this long to authenticate an agent.",
        **_DURATION,
    ),
    Flag(
        "authentication_timeout_max",
        "authentication_timeout_max",
        about="And this long at most, when it did not.",
        **_DURATION,
    ),
    Flag(
        "registration_backoff_factor",
        "registration_backoff",
        about="Re-registrations wait at random up to this.",
        **_DURATION,
    ),
    Flag(
        "executor_shutdown_grace_period",
        "kill_grace",
        about="A killed executor has this long to end by itself.",
        **_DURATION,
    ),
    Flag(
        "recover",
        "recover",
        _one_of("reconnect", "cleanup"),
        "What becomes of executors that outlived a restart.",
        "reconnect|cleanup",
    ),
    Flag(
        "reconfiguration_policy",
        "reconfiguration_policy",
        _one_of("equal", "additive"),
        "How an agent may have changed over a restart.",
        "equal|additive",
    ),
    Flag("strict", "strict", about="Damaged records end the gateway instead of being put aside.", **_BOOLEAN),
    Flag("zk_session_timeout", "zk_session_timeout", about="Of the session with ZooKeeper.", **_DURATION),
    Flag("fetcher_cache_size", "cache_limit", about="Of fetched modules that are kept.", **_BYTES),
    Flag(
        "gc_delay", "gc_delay", about="Sandboxes of executors that are over go after that long.", **_DURATION
    ),
    Flag("sandbox_limit", "sandbox_limit", about="Of all such sandboxes; the oldest go first.", **_BYTES),
    Flag("log_limit", "log_limit", about="Of an executor's stdout before it is turned over.", **_BYTES),
    Flag("logging_level", "logging_level", _level, "What is logged at least.", "LEVEL"),
    Flag(
        "require_peer_address_ip_match",
        "require_peer_address_ip_match",
        about="Take messages only from the address that they name.",
        variables=("LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH",),
        **_BOOLEAN,
    ),
    Flag(
        *("device_timeout", "device_timeout"),
        about="How long an agent speaks for a device that is away; 0secs: for ever.",
        **_DURATION,
    ),
    Flag("agents_per_port", "agents_per_port", _number(1, 100_000), "How many agents share a port.", "N"),
    *TLS,
)
MODULES = frozenset(
    {
        *(
            "modules",
            "modules_dir",
            "hooks",
            "authenticatee",
            "authorizer",
            "http_authenticators",
            "qos_controller",
            "resource_estimator",
            "secret_resolver",
            "container_logger",
        )
    }
)
"""Flags of mesos-agent that load code into it."""
HOSTS = frozenset(
    {
        *("appc_simple_discovery_uri_prefix", "appc_store_dir", "cgroups_cpu_enable_pids_and_tids_count"),
        *("cgroups_destroy_timeout", "cgroups_enable_cfs", "cgroups_hierarchy", "cgroups_limit_swap"),
        *("cgroups_net_cls_primary_handle", "cgroups_net_cls_secondary_handles", "cgroups_root"),
        *("allowed_devices", "agent_subsystems", "host_path_volume_force_creation", "nvidia_gpu_devices"),
        *("perf_duration", "perf_events", "perf_interval", "containerizers", "containerizer_path"),
        *("container_disk_watch_interval", "default_container_dns", "default_container_info"),
        *("disallow_sharing_agent_ipc_namespace", "disallow_sharing_agent_pid_namespace", "docker"),
        *("docker_config", "docker_ignore_runtime", "docker_kill_orphans", "docker_mesos_image"),
        *("docker_registry", "docker_remove_delay", "docker_socket", "docker_stop_timeout"),
        *(
            "docker_store_dir",
            "docker_volume_checkpoint_dir",
            "docker_volume_chown",
            "effective_capabilities",
        ),
        *("bounding_capabilities", "enforce_container_disk_quota", "ephemeral_ports_per_container"),
        *("frameworks_home", "gc_non_executor_container_sandboxes", "http_command_executor"),
        *("http_executor_domain_sockets", "domain_socket_location", "image_gc_config", "image_providers"),
        *("image_provisioner_backend", "isolation", "launcher", "launcher_dir", "memory_profiling"),
        *("network_cni_config_dir", "network_cni_metrics", "network_cni_plugins_dir"),
        *("network_cni_root_dir_persist", "oversubscribed_resources_interval", "qos_correction_interval_min"),
        *("revocable_cpu_low_priority", "runtime_dir", "sandbox_directory", "switch_user"),
        *("systemd_enable_support", "systemd_runtime_directory", "xfs_kill_containers", "xfs_project_range"),
        *("csi_plugin_config_dir", "disk_profile_adaptor", "enable_features", "resource_provider_config_dir"),
        *("fetcher_cache_dir", "fetcher_stall_timeout", "hadoop_home", "executor_environment_variables"),
        *("http_executor_authentication", "network_enable_socket_statistics_details", "tc_stats_enabled"),
        *("network_enable_socket_statistics_summary", "network_enable_snmp_statistics", "network_link_speed"),
        *("egress_rate_limit_per_container", "egress_unique_flow_per_container", "eth0_name", "lo_name"),
        *("max_completed_executors_per_framework", "initialize_driver_logging", "logbufsecs", "log_dir"),
        *("external_log_file", "quiet", "ip_discovery_command", "hostname_lookup"),
        *("disk_watch_interval", "gc_disk_headroom", "recovery_timeout"),
        *("executor_registration_timeout", "executor_reregistration_timeout", "http_heartbeat_interval"),
        *("firewall_rules", "version", "resource_provider_config", "authentication_backoff_factor"),
    }
)
"""Flags of mesos-agent for what a gateway of devices does not have: processes, containers, volumes, hooks
into Linux."""
