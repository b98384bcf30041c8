"""`mma agent`: targets as agents of a running master, in the foreground."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.commands.shared.agent_flags import CONTEXT, agent_flags, given_by
from console.commands.shared.completion import complete_target
from console.commands.shared.master_option import METAVAR, master_of
from console.errors import ConsoleError, UsageError

if TYPE_CHECKING:
    from agent.config import AgentConfig
    from agent.flags import Given
    from console.commands.shared.output import Reporter
    from console.fleet.file import TargetSpec
    from console.fleet.hosting import Hosting
    from console.fleet.session import Session
    from console.state.events import FromTarget, Progressed, TargetDown, TargetUp


@click.command(context_settings=CONTEXT)
@click.option(
    *("-m", "--master"),
    metavar=METAVAR,
    help="The Mesos master, a list of them, or ZooKeeper that knows it.",
)
@click.option(
    "-t", "--target", "targets", multiple=True, shell_complete=complete_target, help="Several times."
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FLEET.toml",
    help="Master, flags and targets from a file; SIGHUP reads its targets anew.",
)
@click.option("--attribute", "pairs", multiple=True, metavar="NAME=TEXT", help="A further attribute.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Log to stderr, for a journal.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@agent_flags
def command(
    master: str | None,
    targets: tuple[str, ...],
    file: Path | None,
    pairs: tuple[str, ...],
    log_format: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Put each target behind the master as one of its agents, until Ctrl-C.

    Flags are named as mesos-agent's. The command line comes before MESOS_… in the environment, and that
    before the fleet's file. With --work_dir a restart is the same agent again; without it Ctrl-C unregisters.
    """
    from console.commands.shared.run_async import run_async
    from console.logs import set_up_service

    plan = make_plan(master, targets, file, pairs, given_by(flags), os.environ)
    if log_format or plan.logs:
        set_up_service(plan.config.logging_level, as_json=log_format == "json")
    run_async(serve(plan, _reporter(as_json, log_format)))


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """What the command line, the environment and the file say together."""

    master: str
    config: AgentConfig
    targets: tuple[TargetSpec, ...]
    file: Path | None = None
    logs: bool = False
    """A level of logging was asked for."""


def make_plan(
    master: str | None,
    targets: tuple[str, ...],
    file: Path | None,
    pairs: tuple[str, ...],
    flags: Mapping[str, Given],
    environment: Mapping[str, str],
) -> AgentPlan:
    """Put it all together; UsageError or ConfigError for what makes no sense."""
    from agent.flags import Given, configure, from_environment
    from console.fleet.file import TargetSpec, read_fleet
    from console.fleet.opening import parse_names

    fleet = read_fleet(file) if file is not None else None
    given = {**(fleet.given if fleet else {}), **from_environment(environment), **flags}
    if master is not None:
        given["master"] = Given(master, "--master")
    if pairs:
        before = given.get("attributes")
        added = ";".join(f"{name}:{value}" for name, value in parse_attributes(pairs).items())
        given["attributes"] = Given(f"{before.text};{added}" if before else added, "--attribute")
    told = given.pop("master", None)
    if told is None:
        raise UsageError(
            "There is no master.", remedy="Give --master HOST:PORT or zk://…, or name it in --config."
        )
    specs = tuple(TargetSpec(name) for name in parse_names(targets)) or (fleet.targets if fleet else ())
    if not specs and fleet is None:
        raise UsageError("There is no target.", remedy="Give --target, or --config with some.")
    config = configure(given)
    return AgentPlan(master_of(told), config, specs, None if targets else file, "logging_level" in given)


def parse_attributes(texts: tuple[str, ...]) -> dict[str, str]:
    """`name=text` pairs."""
    found: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise UsageError(f"{text!r} is no attribute.", remedy="Write --attribute NAME=TEXT.")
        found[name] = value
    return found


def _reporter(as_json: bool, log_format: str | None) -> Reporter:
    from console.commands.shared.output import JsonReporter, LogReporter, TextReporter

    if as_json:
        return JsonReporter()
    return LogReporter() if log_format == "json" else TextReporter()


async def serve(plan: AgentPlan, reporter: Reporter) -> None:
    """Open the targets and keep them behind the master until cancelled."""
    from console.fleet.hosting import Hosting
    from console.fleet.session import Plan, open_session
    from console.state.loglines import LogLines

    lines = LogLines()

    def tell(event: Progressed | TargetUp | TargetDown | FromTarget) -> None:
        from console.state import events

        if isinstance(event, events.Progressed):
            reporter.step(event.subject, event.text)
        elif isinstance(event, events.FromTarget):
            for line in lines.of(event.target, event.event):
                reporter.log(line.subject, line.text)

    session_plan = Plan(framework="", unregister=plan.config.work_dir is None, agents=plan.config)
    try:
        async with AsyncExitStack() as stack:
            opened = open_session((), master=plan.master, plan=session_plan, on_event=tell)
            session = await stack.enter_async_context(opened)
            if plan.file is None:
                async with asyncio.TaskGroup() as group:
                    for spec in plan.targets:
                        group.create_task(session.add(spec.name, config=spec.config(plan.config)))
                why = await session.agents_ended()
                if plan.config.recover != "cleanup":
                    raise ConsoleError(f"No agent is left: {why}")
                return
            hosting = Hosting(session, plan.config)
            stack.push_async_callback(hosting.close)
            await hosting.want(plan.targets)
            await _reload_for_ever(plan, session, hosting, reporter)
    except asyncio.CancelledError:
        reporter.step("agent", "stopped")  # what was asked for: no failure


async def _reload_for_ever(plan: AgentPlan, session: Session, hosting: Hosting, reporter: Reporter) -> None:
    """SIGHUP reads targets and certificates anew; of a terminal that was closed it is the end."""
    from agent.errors import AgentError
    from console.fleet.file import read_fleet
    from hal.errors import HalError

    assert plan.file is not None
    hung_up = asyncio.Event()
    had_terminal = _has_terminal()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up.set)
    before = read_fleet(plan.file).given
    while True:
        await hung_up.wait()
        hung_up.clear()
        if had_terminal and not _has_terminal():
            raise asyncio.CancelledError
        try:
            fleet = read_fleet(plan.file)
            session.reload_tls()
        except (ConsoleError, AgentError, HalError) as error:
            reporter.step("agent", f"nothing is changed: {error}")
            continue
        reporter.step("agent", f"{plan.file.name} is read anew: {len(fleet.targets)} targets")
        if fleet.given != before:
            reporter.step("agent", "flags of the whole gateway are taken at the next start")
        await hosting.want(fleet.targets)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
