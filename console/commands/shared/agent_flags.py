"""mesos-agent's flags as options of `mma agent`: --work_dir and --work-dir, --flag, --no-flag, file://."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from agent.flag_table import FLAGS, HOSTS, MODULES, Flag
from agent.flags import Given, refusal
from console.errors import UsageError

CONTEXT = {"token_normalize_func": lambda name: name.replace("_", "-")}
"""Mesos writes --work_dir, most programs --work-dir: both are right."""


def agent_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add them all; those that mean nothing here are taken only to say so."""
    for flag in reversed(FLAGS):
        command = _option(flag)(command)
        if flag.boolean:
            command = _negation(flag)(command)
    for name in sorted(HOSTS | MODULES):
        command = _refused(name)(command)
    return command


def given_by(parameters: Mapping[str, Any]) -> dict[str, Given]:
    """The flags among the parameters of a call."""
    found = {}
    for flag in FLAGS:
        text = parameters.get(flag.name)
        if parameters.get(f"no_{flag.name}"):
            text = "false"
        if text is not None:
            found[flag.name] = Given(text, f"--{flag.name}")
    return found


def _option(flag: Flag) -> Callable[[Any], Any]:
    more: dict[str, Any] = {"flag_value": "true", "is_flag": False} if flag.boolean else {}
    return click.option(_dashed(flag.name), flag.name, metavar=flag.metavar, help=flag.about, **more)


def _negation(flag: Flag) -> Callable[[Any], Any]:
    return click.option(f"--no-{_dashed(flag.name)[2:]}", f"no_{flag.name}", is_flag=True, hidden=True)


def _refused(name: str) -> Callable[[Any], Any]:
    def refuse(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise UsageError(refusal(name) or "")

    hidden: dict[str, Any] = {"hidden": True, "is_flag": False, "flag_value": ""}
    return click.option(_dashed(name), name, expose_value=False, callback=refuse, **hidden)


def _dashed(name: str) -> str:
    return "--" + name.replace("_", "-")
