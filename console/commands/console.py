"""`mma console`, also `mma-console`: the terminal IDE."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from console.commands.shared.completion import complete_target
from console.commands.shared.master_option import given_master
from console.errors import UsageError


@click.command()
@click.option(
    "-t", "--target", "targets", multiple=True, shell_complete=complete_target, help="Several times."
)
@given_master
@click.option(
    "--wire",
    "wires",
    multiple=True,
    metavar="WIRE",
    help='Between pins of emulated targets: "stm32f4@qemu:0 -> stm32f4@qemu-2:4"; several times.',
)
@click.option("--demo", is_flag=True, help="Open on the demo fleet: two emulated boards and the host.")
@click.option("--readonly", is_flag=True, help="Look only: nothing that changes a task, an offer or a board.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keys, theme and more from this TOML file instead of mesos-micro-agent/console.toml "
    "in your configuration folder (docs/console.md).",
)
@click.option("--fresh", is_flag=True, help="Begin anew, not where the last session on this fleet ended.")
@click.option("--serve", is_flag=True, help="Serve it to a browser; each window is a session of its own.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --serve: where to listen.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="With --serve: its TCP port.",
)
def command(
    targets: tuple[str, ...],
    master: str | None,
    wires: tuple[str, ...],
    demo: bool,
    readonly: bool,
    config: Path | None,
    fresh: bool,
    serve: bool,
    host: str,
    port: int,
) -> None:
    """Open mma-console; without --target on an emulated stm32f4 and the host."""
    from console.look.frames import quicken

    quicken()
    from console.config import read
    from console.fleet.opening import harness_of, parse_names
    from console.saved import Saved, Store

    if demo:
        from console.runs.demo import TARGETS

        targets = (*TARGETS, *(target for target in targets if target not in TARGETS))
    names = parse_names(targets or ("stm32f4@qemu", "host"))
    harness = harness_of(names, wires) if wires else None
    wanted = read(config)
    if serve:
        from console.serve import serve as serve_to_browsers

        words = [word for name in names for word in ("--target", name.text)]
        words += [word for wire in wires for word in ("--wire", wire)]
        words += ["--master", master] if master else []
        words += ["--readonly"] if readonly else []
        words += ["--config", str(config.absolute())] if config else []
        words += ["--fresh"] if fresh else []
        serve_to_browsers(words, host, port)
        return
    # textual-serve runs it without a terminal, under a driver of its own.
    if not os.environ.get("TEXTUAL_DRIVER") and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("mma-console needs a terminal.", remedy="Without one: mma demo, mma run, mma agent.")
    from console.app import ConsoleApp
    from console.live.backend import live

    store = Store.of([name.text for name in names], master) if wanted.restore else None
    ConsoleApp(
        live(names, master=master, harness=harness),
        targets=[name.text for name in names],
        keymap=wanted.keys,
        theme=wanted.theme,
        readonly=readonly or wanted.readonly,
        saved=store.read() if store and not fresh else Saved(),
        keep=store.write if store else None,
    ).run()
