"""The file of a fleet: the master, the flags of its gateway, and its targets. TOML.

    master = "zk://10.0.0.1:2181/mesos"
    work_dir = "/var/lib/mma"
    attributes = { site = "north" }

    [[target]]
    target = "stm32f4@/dev/ttyACM0"
    name = "roof"
    resources = "gpio:[0-7]"

Keys are mesos-agent's flags; values are texts as on the command line, or TOML's numbers, booleans, tables.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.config import AgentConfig
from agent.flags import BY_NAME, Given, configure
from console.errors import UsageError
from console.fleet.opening import TargetName, check_unique, parse_name


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """One target and the flags of its own."""

    name: TargetName
    given: Mapping[str, Given] = field(default_factory=dict)

    def config(self, gateway: AgentConfig) -> AgentConfig:
        """The gateway's settings with these on top; attributes are added to the gateway's."""
        config = configure(self.given, gateway)
        merged = {**gateway.attributes, **config.attributes}
        return dataclasses.replace(config, attributes=merged)


@dataclass(frozen=True, slots=True)
class FleetFile:
    """What the file says."""

    given: Mapping[str, Given]
    """Flags of the gateway, `master` among them."""
    targets: tuple[TargetSpec, ...]


def read_fleet(path: Path) -> FleetFile:
    """UsageError or ConfigError says what is wrong, and in which target."""
    try:
        data = tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(
            f"The fleet's file {path} cannot be read: {error.strerror}.", remedy="Name another by --config."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The fleet's file {path} is no TOML: {error}.", remedy="Mend that line.") from error
    listed = data.pop("target", [])
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise UsageError(f"{path}: target is no table.", remedy="Begin each target with [[target]].")
    targets = tuple(_target(item, path) for item in listed)
    check_unique(spec.name for spec in targets)
    fleet = FleetFile(_given(data, path.name), targets)
    for spec in targets:
        spec.config(AgentConfig())  # what makes no sense is said now
    return fleet


def _target(item: dict[str, Any], path: Path) -> TargetSpec:
    rest = dict(item)
    what = rest.pop("target", None)
    if not isinstance(what, str):
        raise UsageError(
            f"{path}: a [[target]] has no target.", remedy='Write target = "stm32f4@/dev/ttyACM0".'
        )
    name = parse_name(what)
    alias = rest.pop("name", name.text)
    if (
        not isinstance(alias, str)
        or not alias
        or not alias.isprintable()
        or ("/" in alias and alias != name.text)
    ):
        raise UsageError(f"{path}: {alias!r} is no name for {what}.", remedy="Write a word without a slash.")
    given = _given(rest, f"{path.name}, target {alias}")
    for key in given:
        if key not in BY_NAME or not BY_NAME[key].per_target:
            own = ", ".join(flag.name for flag in BY_NAME.values() if flag.per_target)
            raise UsageError(
                f"{path.name}, target {alias}: {key} is not a target's own.", remedy=f"These are: {own}."
            )
    return TargetSpec(dataclasses.replace(name, text=alias), given)


def _given(data: Mapping[str, Any], source: str) -> dict[str, Given]:
    return {
        key.replace("-", "_"): Given(_text(value, f"{source}: {key}"), f"{source}: {key}")
        for key, value in data.items()
    }


def _text(value: Any, source: str) -> str:
    """A TOML value as a flag has it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        return ";".join(f"{name}:{_text(item, source)}" for name, item in value.items())
    raise UsageError(
        f"{source} is neither a text, a number, true, false nor a table.", remedy="Write a text."
    )
