"""`mma agent`: targets as agents of a running master, in the foreground."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.completion import complete_target
from console.errors import UsageError

if TYPE_CHECKING:
    from agent.config import AgentConfig
    from console.events import FromTarget, Progressed, TargetDown, TargetUp
    from console.fleet import TargetName


@click.command()
@click.option("-m", "--master", required=True, metavar="HOST:PORT|zk://…", help="The Mesos master.")
@click.option("-t", "--target", "targets", multiple=True, required=True, shell_complete=complete_target)
@click.option("--ip", help="The address to listen on; without it the one that leads to the master.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="The first port; 0 takes free ones.")
@click.option("--hostname", help="What the master and its web UI call this computer.")
@click.option("--attribute", "attributes", multiple=True, metavar="NAME=TEXT", help="A further attribute.")
@click.option(
    "--work-dir", type=click.Path(path_type=Path, file_okay=False), help="Keep ids and tasks there."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(
    master: str,
    targets: tuple[str, ...],
    ip: str | None,
    port: int,
    hostname: str | None,
    attributes: tuple[str, ...],
    work_dir: Path | None,
    as_json: bool,
) -> None:
    """Put each target behind the master as one of its agents, until Ctrl-C.

    With --work-dir a restart is the same agent again; without it Ctrl-C unregisters.
    """
    from agent.config import AgentConfig
    from console.fleet import parse_names
    from console.run_async import run_async

    if master.startswith("zk://"):
        remedy = "Give any of its masters as HOST:PORT."
        raise UsageError("Finding the master by ZooKeeper is not built yet.", remedy=remedy)
    config = AgentConfig(
        ip=ip, port=port, hostname=hostname, work_dir=work_dir, attributes=parse_attributes(attributes)
    )
    run_async(_serve(master, parse_names(targets), config, as_json))


def parse_attributes(texts: tuple[str, ...]) -> dict[str, str]:
    """`name=text` pairs."""
    found: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise UsageError(f"{text!r} is no attribute.", remedy="Write --attribute NAME=TEXT.")
        found[name] = value
    return found


async def _serve(master: str, names: tuple[TargetName, ...], config: AgentConfig, as_json: bool) -> None:
    from console.loglines import LogLines
    from console.output import JsonReporter, Reporter, TextReporter
    from console.session import Plan, open_session

    reporter: Reporter = JsonReporter() if as_json else TextReporter()
    lines = LogLines()

    def tell(event: Progressed | TargetUp | TargetDown | FromTarget) -> None:
        from console import events

        if isinstance(event, events.Progressed):
            reporter.step(event.subject, event.text)
        elif isinstance(event, events.FromTarget):
            for line in lines.of(event.target, event.event):
                reporter.log(line.subject, line.text)

    plan = Plan(framework="", unregister=config.work_dir is None, agents=config)
    try:
        async with open_session(names, master=master, plan=plan, on_event=tell):
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        reporter.step("agent", "stopped")  # what was asked for: no failure
