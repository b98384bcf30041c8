"""What an operator decides about the agents of a gateway. Names follow the native agent's flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.acls import Acls
from agent.proto import mesos_pb2 as mesos
from agent.secrets import Credential
from agent.tls import TlsConfig

MESOS_VERSION = "1.11.0"
"""The protocol we speak: what the agent tells the master as its version."""


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Everything has a default that suits one machine with its master on it. Times are seconds."""

    ip: str | None = None
    """The address to listen on and to tell the master; None: the one that leads to the master."""
    port: int = 0
    """The first listening port, the next ones follow it; 0: any free ports."""
    advertise_ip: str | None = None
    """The address to tell the master instead, where ours is behind a translator."""
    advertise_port: int | None = None
    """The first port to tell it instead; the next ones follow it."""
    hostname: str | None = None
    """What the master and its web UI call the machine; None: the ip. It must stay the same."""
    device_timeout: float = 0.0
    """Without its device for so long an agent falls silent, and the master takes it for unreachable until the
    device is back; 0: never."""
    agents_per_port: int = 200
    """A master's link is per port: when one breaks, this many agents re-register at once."""
    work_dir: Path | None = None
    """Where ids, tasks, updates and fetched modules are kept; None: nowhere, a restart is a new agent."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Added to those of the target: a number is a SCALAR, [1-3] RANGES, the rest TEXT, as in Mesos."""
    resources: tuple[mesos.Resource, ...] = ()
    """In place of the target's own of the same names, see agent/limits.py."""
    default_role: str = "*"
    """Unreserved resources are reserved for this role."""
    domain: mesos.DomainInfo | None = None
    """Region and zone of the devices. A master without a domain never registers an agent that has one."""
    recover: str = "reconnect"
    """What becomes of executors that outlived a restart of the gateway: reconnect or cleanup."""
    reconfiguration_policy: str = "equal"
    """How an agent may have changed over a restart: equal or additive."""
    strict: bool = True
    """Damaged records end the gateway; otherwise they are put aside, and its agents are new ones."""

    require_peer_address_ip_match: bool = True
    """Take messages only from the address that their sender names; off for a master whose connections come
    from another address than its own."""
    credential: Credential | None = None
    """Who the agents are to the master; None: they do not authenticate."""
    authentication_timeout_min: float = 5.0
    """The master has this long to authenticate an agent; then it is tried again, with more time."""
    authentication_timeout_max: float = 60.0
    zk_session_timeout: float = 10.0
    """Of the session with ZooKeeper, where that tells the master."""

    http_credentials: Mapping[str, Credential] = field(default_factory=dict)
    """Who may call the endpoints with a password, by principal."""
    jwt_secret_key: bytes = field(default=b"", repr=False)
    """What signs the tokens of callers; empty: tokens are not taken."""
    authenticate_http_readonly: bool = False
    """Endpoints that only tell need a login."""
    authenticate_http_readwrite: bool = False
    """Endpoints that change things need one."""
    authenticate_http_executors: bool = False
    """The executor API needs a token."""
    acls: Acls | None = None
    """What callers may do; None: everything."""

    tls: TlsConfig = field(default_factory=TlsConfig)
    """Encryption towards the master and on the ports."""

    logging_level: str = "INFO"
    given: Mapping[str, str] = field(default_factory=dict)
    """Flags that are shown as they were given, such as the names of files with secrets."""

    registration_backoff: float = 1.0
    """Re-registrations wait at random up to this; doubled by each retry."""
    registration_retry_max: float = 60.0
    update_retry_min: float = 10.0
    """An unacknowledged status update is sent again after this; doubled by each retry."""
    update_retry_max: float = 600.0
    kill_grace: float = 0.0
    """How long a killed executor may take to end by itself when no kill policy says otherwise: guests are not
    told that they are to end, so that waiting is of use only to those that are nearly done."""

    module_limit: int = 1 << 20
    """Bytes of a WASM module."""
    fetch_timeout: float = 60.0
    """For one module."""
    cache_limit: int = 256 << 20
    """Bytes of fetched modules that are kept."""
    completed_tasks: int = 200
    """How many ended tasks the agent still tells of over HTTP."""

    log_limit: int = 10 << 20
    """Bytes of one stdout or stderr of an executor before it is turned over."""
    sandbox_limit: int = 2 << 30
    """Bytes of all sandboxes of executors that are over; the oldest go first."""
    gc_delay: float = 7 * 24 * 3600.0
    """After that long the sandbox of an executor that is over goes."""
