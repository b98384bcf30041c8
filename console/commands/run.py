"""`mma run MODULE --target T`: one task through a genuine master, and a verdict."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.cluster.mesos import TaskState
from console.commands.shared.completion import complete_module, complete_target
from console.commands.shared.master_option import given_master
from console.errors import ConsoleError, Exit, UsageError, exit_code

if TYPE_CHECKING:
    from console.cluster.mesos import Status
    from console.commands.shared.output import Reporter
    from console.fleet.opening import TargetName
    from console.runs.runner import Order, Verdict
    from emulation.pins import PinTrace

_STATES = [state.value for state in TaskState if state.terminal]


@click.command(context_settings={"ignore_unknown_options": False})
@click.argument("module", shell_complete=complete_module)
@click.option(
    "-t", "--target", required=True, shell_complete=complete_target, help="Where: stm32f4@qemu, host …"
)
@given_master
@click.option(
    "-a", "--args", "arguments", multiple=True, metavar="ARGS", help="Arguments, split as a shell does."
)
@click.option("--expect", default="TASK_FINISHED", type=click.Choice(_STATES), help="How it must end.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds that the task has to end.")
@click.option("--mem", metavar="SIZE", help="Memory in all: 12K. Without it the target takes what it needs.")
@click.option("--cpus", default=0.1, show_default=True, help="Share of the core.")
@click.option("--stack", metavar="SIZE", help="Of it, the stack.")
@click.option("--memory", metavar="SIZE", help="Of it, linear memory.")
@click.option("--log", metavar="SIZE", help="Of it, the log's ring.")
@click.option("--gpio", metavar="PINS", help="Pins that it may use: 12 or 0-3,12.")
@click.option("--sensor", multiple=True, metavar="NAME", help="A sensor that it may read; several times.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="FAULT",
    help='Done to the board meanwhile: "at 0.5 link drop=0.01", "at 1 power_cut 0.2"; several times.',
)
@click.option("--seed", default=0, show_default=True, help="Of the faults: the same one, the same fates.")
@click.option(
    "--vcd",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the levels of an emulated board's pins over its time, for GTKWave and sigrok.",
)
@click.option("--no-check", is_flag=True, help="Let the agent find what is wrong with the module.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line on stdout; the last is the result."
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a JUnit report there.")
def command(
    module: str,
    target: str,
    master: str | None,
    arguments: tuple[str, ...],
    expect: str,
    timeout: float,
    mem: str | None,
    cpus: float,
    stack: str | None,
    memory: str | None,
    log: str | None,
    gpio: str | None,
    sensor: tuple[str, ...],
    faults: tuple[str, ...],
    seed: int,
    vcd: Path | None,
    no_check: bool,
    as_json: bool,
    junit: Path | None,
) -> int:
    """Run MODULE (.wasm, .wat, .c, .zig, an example) as a Mesos task; exit 0 only if it ends as expected."""
    from console.ci.inflict import parse_words
    from console.commands.shared.output import JsonReporter, TextReporter
    from console.fit.budgets import parse_ask
    from console.fleet.opening import parse_name
    from console.guests.modules import find
    from console.runs.runner import Order

    if timeout <= 0:
        raise UsageError(
            f"A timeout of {timeout:g} s leaves no time.", remedy="Write a positive number of seconds."
        )
    ask = parse_ask(mem=mem, cpus=cpus, stack=stack, memory=memory, log=log, gpio=gpio, sensors=sensor)
    place = parse_name(target)
    pins = _pins_of(place) if vcd else None
    reporter: Reporter = JsonReporter() if as_json else TextReporter()
    begin = time.monotonic()
    try:
        order = Order(
            module=find(module),
            target=place,
            arguments=tuple(word for text in arguments for word in split_arguments(text)),
            ask=ask,
            expect=TaskState(expect),
            timeout=timeout,
            master=master,
            check=not no_check,
            faults=tuple(parse_words(text) for text in faults),
            seed=seed,
            pins=pins,
        )
        verdict = _run(order, reporter)
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        if junit:
            _write_junit(junit, f"{module} on {target}", time.monotonic() - begin, None, str(error))
        if not as_json:
            raise
        reporter.result(False, None, str(error))
        return code
    reporter.result(not verdict.failure, verdict.status, verdict.failure)
    if vcd and pins is not None:
        try:
            vcd.write_text(pins.vcd(), encoding="ascii")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConsoleError(f"{vcd} cannot be written: {reason}.") from error
    if junit:
        name = f"{order.module.name} on {place.text}"
        _write_junit(junit, name, verdict.seconds, verdict.status, verdict.failure)
    return Exit.NOT_MET if verdict.failure else Exit.MET


def _pins_of(place: TargetName) -> PinTrace:
    from emulation.pins import PinTrace

    pins = PinTrace.of(place.board) if place.board is not None and place.emulator is not None else None
    if pins is None:
        raise UsageError(f"{place.text} has no emulated pins.", remedy="Leave --vcd out.")
    return pins


def split_arguments(text: str) -> list[str]:
    """As a shell would. UsageError for a quote without its other half."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"The arguments {text!r} lack a closing quote.") from error


def _run(order: Order, reporter: Reporter) -> Verdict:
    from console.commands.shared.run_async import run_async
    from console.runs.runner import run_order

    return run_async(run_order(order, reporter))


def _write_junit(path: Path, name: str, seconds: float, status: Status | None, failure: str) -> None:
    from console.commands.shared.output import write_junit

    try:
        write_junit(path, name, seconds, status, failure)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConsoleError(f"{path} cannot be written: {reason}.") from error
