"""`mma debug T`: debug the kernel of an emulated or a real board, or an executor on it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.commands.shared.completion import complete_module, complete_target
from console.errors import ConsoleError, EnvironmentMissing, Exit, UsageError

if TYPE_CHECKING:
    from console.debug.debugger import Debugger
    from console.debug.real import RealBoard
    from emulation.gdb.stubs import Stub
    from emulation.machine import Machine
    from hal.boards import Board
    from hal.mcu import McuTarget, Placed
    from hal.target import Ended

_PAST_MPU = "pipe maintenance packet Qqemu.PhyMemMode:1 | cat >/dev/null"  # see emulation.gdb.stubs.QEMU
_GDBS = ("gdb-multiarch", "arm-none-eabi-gdb", "gdb")


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    target: str
    halt: bool
    execute: tuple[str, ...]
    batch: bool
    module: str
    arguments: tuple[str, ...]
    breaks: tuple[str, ...]
    steps: int
    back: int
    watches: tuple[str, ...]
    trap: bool
    as_json: bool
    timeout: float
    probe: str | None = None
    """Serial number of a probe; empty for the only one, None for an emulated board."""
    serve: int | None = None
    """Port for a debugger that is not ours."""
    gdb: str = ""
    """Address of somebody else's GDB server."""
    restored: Path | None = None
    """A folder with a board's firmware and its snapshot, to go back to."""
    opens: tuple[str, ...] = ()
    """Keys of values that show what they are made of."""
    sets: tuple[str, ...] = ()
    """`count = 5` and the like, done at the first stop."""

    @property
    def ours(self) -> bool:
        """Our debugger prints; else GDB takes the terminal."""
        return self.as_json or bool(self.module and self.batch)


@click.command()
@click.argument("target", shell_complete=complete_target)
@click.option("--halt", is_flag=True, help="Stop before the first instruction.")
@click.option(
    "-x", "--execute", multiple=True, metavar="COMMAND", help="Run a GDB command, then go on; several times."
)
@click.option("--batch", is_flag=True, help="End after the commands instead of taking more.")
@click.option("--run", "module", metavar="MODULE", shell_complete=complete_module, help="Launch it there.")
@click.option("-a", "--args", "arguments", multiple=True, metavar="ARGS", help="Its arguments.")
@click.option(
    "-b",
    "--break",
    "breaks",
    multiple=True,
    metavar="WHERE",
    help="Stop at an executor's function (or kernel:NAME), FILE:LINE, *ADDRESS; ` if EXPRESSION` may follow.",
)
@click.option("--step", "steps", default=0, metavar="N", help="With --json or --batch: N lines further.")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="WHAT=VALUE",
    help="With --json or --batch, at the first stop: write a variable, r4, RCC.CR.HSEON; several times.",
)
@click.option(
    "--back", default=0, metavar="N", help="With --json or --batch: then N lines backwards, where it can."
)
@click.option("--watch", "watches", multiple=True, metavar="EXPRESSION", help="Tell its value at each stop.")
@click.option(
    "--open",
    "opens",
    multiple=True,
    metavar="EXPRESSION",
    help="With --json or --batch: what a variable, a member or a pointer is made of, too; several times.",
)
@click.option("--stop-on-trap", "trap", is_flag=True, help="Stop when an executor traps.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each stop, and the end.")
@click.option(
    "--probe",
    is_flag=False,
    flag_value="",
    metavar="[SERIAL]",
    help="A real board behind a debug probe: the only one, or that one.",
)
@click.option("--gdb", metavar="HOST:PORT", default="", help="A board behind a GDB server that runs already.")
@click.option(
    "--serve",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Open no GDB: let one of yours attach there (VS Code's), and end when it leaves.",
)
@click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait for the first stop.")
def command(
    target: str,
    halt: bool,
    execute: tuple[str, ...],
    batch: bool,
    module: str | None,
    arguments: tuple[str, ...],
    breaks: tuple[str, ...],
    steps: int,
    sets: tuple[str, ...],
    back: int,
    watches: tuple[str, ...],
    opens: tuple[str, ...],
    trap: bool,
    as_json: bool,
    timeout: float,
    probe: str | None,
    gdb: str,
    serve: int | None,
) -> int:
    """Start TARGET and debug it: GDB on its firmware and executors, with symbols and sources.

    An emulated target ends with GDB; a real one (stm32f4@/dev/ttyACM0, or stm32f4 --probe) runs on.
    With --json, or --run and --batch, it prints where it stopped instead:

        mma debug stm32f4 --run fib --args 5 --break fib --step 2 --json
    """
    from console.commands.shared.run_async import run_async
    from console.fleet.opening import parse_name

    name = parse_name(target)
    if name.board is None:
        remedy = "Name a board, such as stm32f4@qemu."
        raise UsageError(f"{name.text} has no debugger that mma can open.", remedy=remedy)
    if gdb and probe is not None:
        raise UsageError("--probe and --gdb are two ways to one board.", remedy="Give one of them.")
    if name.port is not None and not gdb and probe is None:
        probe = ""
    real = bool(gdb) or probe is not None
    text = name.board.name if real and name.port is None else name.text
    if real and module and not (as_json or batch):
        raise UsageError("--run on a real board needs --batch or --json.", remedy="Add one of them.")
    if (
        serve is None
        and shutil.which(os.environ.get("MMA_GDB", "")) is None
        and not any(map(shutil.which, _GDBS))
    ):
        raise EnvironmentMissing("There is no GDB that knows this board.", remedy="apt install gdb-multiarch")
    words = tuple(word for text in arguments for word in shlex.split(text))
    wish = Wish(
        text,
        halt,
        execute,
        batch,
        module or "",
        words,
        breaks,
        steps,
        back,
        watches,
        trap,
        as_json,
        timeout,
        probe,
        serve,
        gdb,
        opens=opens,
        sets=sets,
    )
    if (sets or opens) and not wish.ours:
        raise UsageError(
            f"--{'set' if sets else 'open'} is for our debugger.",
            remedy="Add --json or --batch, or give GDB a command by -x.",
        )
    if serve is not None:
        return run_async(_serve(wish))
    return run_async(_print_stops(wish) if wish.ours else _open_gdb(wish))


@dataclass(frozen=True, slots=True)
class Bench:
    """What was started. Without a module to launch nobody speaks to the kernel: `target` is None."""

    machine: Machine | RealBoard
    firmware: Path
    target: McuTarget | None
    stub: Stub | None = None


@asynccontextmanager
async def _started(wish: Wish) -> AsyncIterator[Bench]:
    """The target, with nothing on it; a real one as it is."""
    if wish.probe is not None or wish.gdb:
        async with _found(wish) as bench:
            yield bench
        return
    if wish.restored is not None:
        async with _back(wish.target, wish.restored) as bench:
            yield bench
        return
    from console.fleet.opening import build_firmware, parse_name
    from emulation.targets import open_machine
    from hal.mcu import McuTarget

    name = parse_name(wish.target)
    assert name.board is not None
    elf = await build_firmware(name.board, lambda text: click.echo(f"{wish.target}: {text}", err=True))
    async with open_machine(f"{name.board.name}@{name.emulator}") as machine:
        await machine.start(elf, paused=wish.halt and not wish.module)
        if not wish.module:
            yield Bench(machine, elf, None)
            return
        target = McuTarget(wish.target, name.board, machine.connect)
        await target.open()
        try:
            yield Bench(machine, elf, target)
        finally:
            await target.close()


@asynccontextmanager
async def _back(target: str, folder: Path) -> AsyncIterator[Bench]:
    """An emulated board as it was in a snapshot, paused."""
    from console.ci.recording import SNAPSHOT
    from console.fleet.opening import parse_name
    from emulation.targets import open_machine

    name, elf = parse_name(target), folder / "firmware.elf"
    assert name.board is not None
    async with open_machine(f"{name.board.name}@{name.emulator}") as machine:
        await machine.start(elf, paused=True)
        await machine.restore(folder / SNAPSHOT)
        yield Bench(machine, elf, None)


def debug_snapshot(target: str, folder: Path, execute: tuple[str, ...]) -> int:
    """GDB on the snapshot that `mma ci` kept in a folder; in batch mode if there are commands to execute."""
    from console.commands.shared.run_async import run_async

    wish = Wish(
        target, True, execute, bool(execute), "", (), (), 0, 0, (), False, False, 60.0, restored=folder
    )
    return run_async(_open_gdb(wish))


@asynccontextmanager
async def _found(wish: Wish) -> AsyncIterator[Bench]:
    """A real board, behind a probe or a GDB server; its link is opened where a module is to be launched."""
    from console.debug.real import at_server, open_probe
    from console.fleet.opening import build_firmware, parse_name

    name = parse_name(wish.target)
    assert name.board is not None
    elf = await build_firmware(name.board, lambda text: click.echo(f"{wish.target}: {text}", err=True))
    async with AsyncExitStack() as stack:
        if wish.gdb:
            real = at_server(name.board, wish.gdb)
        else:
            real = await stack.enter_async_context(open_probe(name.board, elf, wish.probe))
        target = None
        if wish.module:
            target = _linked(wish.target, name.board, name.port)
            await target.open()
            stack.push_async_callback(target.close)
        yield Bench(real, elf, target, real.stub)


def _linked(name: str, board: Board, port: str | None) -> McuTarget:
    """The board on its serial port: the one that was named, or the one that looks like it."""
    from console.fleet.serial_ports import choose, ports
    from hal.link.serial import SerialPort
    from hal.mcu import McuTarget

    return McuTarget(name, board, SerialPort(port or choose(board, ports()), board.baud).connect)


async def _launch(target: McuTarget, wish: Wish) -> None:
    from console.guests import modules
    from console.runs.runner import prepare
    from hal.target import Launch

    path = modules.find(wish.module)
    module = await prepare(path)
    await target.spawn(Launch(f"debug/{path.stem}", module, wish.arguments))


# -- ours


async def _print_stops(wish: Wish) -> int:
    from console.debug.debugger import Debugger, Subject

    async with _started(wish) as bench:
        debugger = Debugger(lambda view: None)
        subject = Subject(
            wish.target, bench.machine.board, bench.firmware, bench.machine, bench.target, stub=bench.stub
        )
        await debugger.attach(subject, stop=wish.halt and not wish.module)
        try:
            return await _stops(debugger, bench.target, wish)
        finally:
            await debugger.detach()


async def _stops(debugger: Debugger, target: McuTarget | None, wish: Wish) -> int:
    for path in wish.opens:
        await debugger.open_value(path)
        await debugger.open_value(f"watch {path}")
    for expression in wish.watches:
        await debugger.watch(expression)
    for place in wish.breaks:
        await debugger.break_at(place)
    if wish.trap:
        await debugger.stop_on_trap(True)
    ended = asyncio.create_task(_ended(target))
    await asyncio.sleep(0)
    try:
        if target is not None:
            await _launch(target, wish)
        elif wish.halt and wish.breaks:
            await debugger.go("continue")
        elif not wish.breaks and not wish.halt:
            await debugger.pause()
        if not await _next_stop(debugger, ended, wish):
            return Exit.NOT_MET
        for text in wish.sets:
            await debugger.assign(text)
        if wish.back and not debugger.view.reverse:
            raise ConsoleError("This target cannot run backwards.", remedy=debugger.view.why_not)
        if wish.back:
            await debugger.keep_past()
        for number in range(wish.steps + wish.back):
            backwards = number >= wish.steps
            await debugger.go("step" if backwards else "next", reverse=backwards)
            if not await _next_stop(debugger, ended, wish):
                return Exit.NOT_MET
        for line in wish.execute:
            text = await debugger.command(line)
            click.echo(json.dumps({"event": "gdb", "line": line, "text": text}) if wish.as_json else text)
        if target is not None:
            await debugger.detach()
            _tell_end(await asyncio.wait_for(asyncio.shield(ended), wish.timeout), wish)
        return Exit.MET
    except TimeoutError:
        raise ConsoleError(
            f"{wish.module} did not end within {wish.timeout:g} s.", remedy="Give --timeout."
        ) from None
    finally:
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)


async def _next_stop(debugger: Debugger, ended: asyncio.Task[Ended], wish: Wish) -> bool:
    """Print the next stop; False where the executor ended before one."""
    from console.debug.report import as_json, as_lines

    stop = asyncio.create_task(debugger.stopped(wish.timeout))
    await asyncio.wait((stop, ended), return_when=asyncio.FIRST_COMPLETED)
    if not stop.done():
        stop.cancel()
        await asyncio.gather(stop, return_exceptions=True)
        _tell_end(ended.result(), wish)
        return False
    view = stop.result()
    if wish.as_json:
        click.echo(json.dumps(as_json(view, "stopped")))
    else:
        click.echo("\n".join(as_lines(view)))
    return True


async def _ended(target: McuTarget | None) -> Ended:
    from hal.target import Ended

    if target is None:
        await asyncio.Event().wait()
    assert target is not None
    async for event in target.events():
        if isinstance(event, Ended):
            return event
    raise RuntimeError("the target closed")


def _tell_end(end: Ended, wish: Wish) -> None:
    output = end.output.decode("utf-8", "backslashreplace")
    if wish.as_json:
        found = {"event": "ended", "cause": end.cause.value, "status": end.status}
        click.echo(json.dumps({**found, "message": end.message, "output": output}))
    else:
        click.echo(f"{end.cause.value}: {end.message or output}")


# -- somebody else's


async def _serve(wish: Wish) -> int:
    """The stub on a TCP port until whoever attached there leaves."""
    from emulation.gdb.forward import forward
    from emulation.gdb.stubs import QEMU

    async with _started(wish) as bench:
        executor = await _hold(bench.machine, bench.target, wish) if bench.target and not bench.stub else None
        first = () if bench.stub else QEMU.first
        async with forward(bench.machine.gdb or "", wish.serve or 0, first) as port:
            if executor is not None:
                click.echo(f"symbols of {wish.module}: add-symbol-file {executor.image.elf}")
            click.echo(f"GDB may attach at 127.0.0.1:{port.port}, with the symbols of {bench.firmware}")
            sys.stdout.flush()
            await port.left()
    return Exit.MET


# -- GDB's own


async def _open_gdb(wish: Wish) -> int:
    from emulation.gdb.child import find_gdb

    async with _started(wish) as bench:
        machine = bench.machine
        executor = await _hold(machine, bench.target, wish) if bench.target and not bench.stub else None
        with tempfile.TemporaryDirectory(prefix="mma-debug-") as folder:
            # From a file, not from -ex: GDB then fails on the first error in batch mode.
            script = Path(folder) / "commands.gdb"
            script.write_text(_script(bench, wish, executor), encoding="utf-8")
            words = [find_gdb(), "-q", "-nx", *(["-batch"] if wish.batch else []), "-x", str(script)]
            # Ctrl-C belongs to GDB: it interrupts the target, not us.
            loop = asyncio.get_running_loop()
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            return await asyncio.to_thread(_wait, [*words, str(bench.firmware)])


async def _hold(machine: Machine | RealBoard, target: McuTarget, wish: Wish) -> Placed:
    """Launch the module and hold the board right before it runs."""
    from console.debug.real import RealBoard

    found: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()

    async def ready(placed: Placed) -> None:
        assert not isinstance(machine, RealBoard)  # launching on those is ours alone
        await machine.pause()
        if not found.done():
            found.set_result(placed)

    target.on_ready.add(ready)
    ended = asyncio.create_task(_ended(target))
    await asyncio.sleep(0)
    try:
        await _launch(target, wish)
        await asyncio.wait((found, ended), return_when=asyncio.FIRST_COMPLETED)
        if not found.done():
            raise ConsoleError(f"{wish.module} did not run: {ended.result().message}")
        return found.result()
    finally:
        target.on_ready.discard(ready)
        ended.cancel()


def _script(bench: Bench, wish: Wish, executor: Placed | None) -> str:
    from importlib import resources

    # The firmware is built with its paths relative to the package, so that builds are reproducible.
    sources = Path(str(resources.files("firmware"))).parent
    lines = [
        "set confirm off",
        "set pagination off",
        "set backtrace limit 64",  # a function that never returns has no caller to stop at
        f"directory {sources}",
    ]
    if executor is not None:
        lines.append(f"add-symbol-file {executor.image.elf}")
    lines += [
        f"target remote {bench.machine.gdb or ''}",
        *([] if bench.stub else [_PAST_MPU]),
        *(f"break {_location(place, executor)}" for place in wish.breaks),
        *(f"display {expression}" for expression in wish.watches),
        *wish.execute,
    ]
    return "\n".join(lines) + "\n"


def _location(place: str, executor: Placed | None) -> str:
    """As GDB names it: functions of executors have a number before their names."""
    from console.debug.tenants import c_name

    if place.startswith("kernel:") or executor is None:
        return place.removeprefix("kernel:")
    name, blank, condition = place.partition(" ")
    return c_name(executor, name) + blank + condition


def _wait(arguments: list[str]) -> int:
    def restore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    process = subprocess.Popen(arguments, env=os.environ, preexec_fn=restore)
    return Exit.MET if process.wait() == 0 else Exit.NOT_MET
