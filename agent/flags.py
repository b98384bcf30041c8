"""The flags of an agent: from text, by the names that mesos-agent has, to an AgentConfig and back.

Values come from the command line, the environment (MESOS_PORT=5051), or a fleet's file, in this order of
precedence; `file:///path` as a value stands for the content of that file (docs/configuration.md of Mesos).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agent.config import AgentConfig
from agent.errors import ConfigError
from agent.flag_table import FLAGS, HOSTS, MODULES, Flag

FILE = "file://"
TLS_PREFIX = "LIBPROCESS_SSL_"
HARMLESS = ("", "0", "false", "auto")
"""Values of switches that leave out what we have not, such as LIBPROCESS_SSL_ENABLE_SSL_V3."""
BY_NAME: Mapping[str, Flag] = MappingProxyType({flag.name: flag for flag in FLAGS})


def refusal(name: str) -> str | None:
    """Why a flag of mesos-agent is not taken; None for one that is, or that nobody knows."""
    if name in MODULES:
        return f"--{name} loads code into an agent; this one takes none. Leave it out."
    if name in HOSTS:
        return (
            f"--{name} is about processes of a host; executors here are WebAssembly on devices. Leave it out."
        )
    return None


@dataclass(frozen=True, slots=True)
class Given:
    """A value and where it is from: "--port", "MESOS_PORT", "fleet.toml"."""

    text: str
    source: str


def from_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    """MESOS_<FLAG>, and libprocess's names for addresses. Others are not for us: Mesos ignores them too."""
    found = {}
    for name in (*BY_NAME, "master"):
        more = BY_NAME[name].variables if name in BY_NAME else ()
        for variable in (f"MESOS_{name.upper()}", *more):
            if variable in environment and name not in found:
                found[name] = Given(environment[variable], variable)
    _refuse_other_tls(environment)
    return found


def _refuse_other_tls(environment: Mapping[str, str]) -> None:
    """What libprocess can do by TLS and we cannot: passing over it would be less safe than was asked for."""
    known = {variable for flag in BY_NAME.values() for variable in flag.variables}
    for variable, text in environment.items():
        if variable.startswith(TLS_PREFIX) and variable not in known and text.lower() not in HARMLESS:
            raise ConfigError(f"{variable} is nothing that this agent can do.", remedy="Unset it.")


def content_of(text: str, source: str) -> str:
    """The value itself, or the content of the file that `file://` names."""
    if not text.startswith(FILE):
        return text
    path = Path(text.removeprefix(FILE))
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(
            f"{source}: {path} cannot be read: {reason}.", remedy="Name a readable file."
        ) from error


def configure(given: Mapping[str, Given], base: AgentConfig | None = None) -> AgentConfig:
    """`base` (the defaults) with these flags. ConfigError says which one makes no sense, and why."""
    changes = {}
    for name, value in given.items():
        flag = BY_NAME.get(name)
        if flag is None:
            raise ConfigError(
                refusal(name) or f"{value.source}: there is no flag {name!r}.",
                remedy="" if refusal(name) else "`mma agent --help` lists them.",
            )
        text = value.text.removeprefix(FILE) if flag.path else content_of(value.text, value.source)
        try:
            changes[flag.field] = flag.read(text)
        except ConfigError as error:
            raise ConfigError(f"{value.source}: {error.message}", remedy=error.remedy) from error
    shown = {
        name: _masked(BY_NAME[name], value.text)
        for name, value in given.items()
        if BY_NAME[name].show is None
    }
    config = _changed(base or AgentConfig(), changes)
    return dataclasses.replace(config, given=MappingProxyType({**config.given, **shown}))


def _changed(config: AgentConfig, changes: Mapping[str, Any]) -> AgentConfig:
    """With these fields; "tls.enabled" is the field `enabled` of the field `tls`."""
    own = {name: value for name, value in changes.items() if "." not in name}
    for part in {name.partition(".")[0] for name in changes if "." in name}:
        inside = {
            name.partition(".")[2]: value for name, value in changes.items() if name.startswith(f"{part}.")
        }
        own[part] = dataclasses.replace(getattr(config, part), **inside)
    return dataclasses.replace(config, **own)


def _masked(flag: Flag, text: str) -> str:
    """A path is no secret; a value is not shown."""
    return text if flag.path or text.startswith(FILE) else "…"


def shown(config: AgentConfig) -> dict[str, str]:
    """Every flag that is set, as text, for /flags. No secrets: only the files that hold them."""
    found = {}
    for flag in FLAGS:
        value = attrgetter(flag.field)(config)
        if flag.show is None:
            if flag.name in config.given:
                found[flag.name] = config.given[flag.name]
        elif value is not None:
            found[flag.name] = flag.show(value)
    return found
