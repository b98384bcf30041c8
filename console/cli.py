"""The `mma` command line: one subcommand a file in console/commands, imported only when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click

from console.errors import Exit, exit_code

COMMANDS = {
    "doctor": "What is installed, what is missing and how to get it.",
    "master": "Run the genuine Apache Mesos master on loopback.",
    "agent": "Put targets behind a master as its agents.",
    "new": "Begin an executor: a source that builds and runs, and a README.",
    "build": "Compile an executor's source; what is wrong with it, by line.",
    "run": "Run one WASM module as a Mesos task and judge how it ends.",
    "profile": "Where a task's instructions went, by function.",
    "ci": "Play scenarios headless: tasks, stimuli, faults, expectations.",
    "replay": "Open the console on a recording of a case that failed.",
    "demo": "The main job without a screen: master, boards, tasks.",
    "ps": "The tasks of a running master.",
    "kill": "End a task, whichever framework launched it.",
    "logs": "What a task logged.",
    "offers": "What a master offers, and to watch it.",
    "console": "Open mma-console, the terminal IDE.",
    "boards": "Boards, memories, emulators, probes.",
    "firmware": "Build a board's firmware or tell its sizes.",
    "debug": "Start a target and open GDB on it.",
    "memory": "Who has what of a board's flash and RAM, to the byte.",
    "flash": "Write a real board's flash through a probe.",
    "attach": "Bring up a real board's agent over its serial port.",
    "bench": "The benchmarks, as figures with goals.",
    "completion": "Print the completion script of a shell.",
}
"""Every subcommand with its summary, so that `mma --help` imports none of them."""


class LazyGroup(click.Group):
    """Knows the subcommands by name and imports console.commands.NAME when one is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the table's order: what one needs first comes first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command, or None when there is none of that name."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"console.commands.{name}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """With a suggestion for a mistyped name."""
        import difflib

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "`mma --help` lists them."
            raise click.UsageError(f"There is no command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, without an import."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="mesos-micro-agent", prog_name="mma")
@click.option("-v", "--verbose", count=True, help="Log to stderr; twice for more.")
@click.pass_context
def mma(context: click.Context, verbose: int) -> None:
    """Microcontrollers, emulated or real, as Apache Mesos agents that run sandboxed WebAssembly."""
    from console.logs import set_up

    if os.environ.get("NO_COLOR"):  # https://no-color.org; subcommands inherit it
        context.color = False
    set_up(verbose)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Entry point of `mma`: every error becomes one or two sentences and an exit code."""
    sys.exit(int(invoke(arguments)))


def console_main() -> NoReturn:
    """Entry point of `mma-console`: the same as `mma console`."""
    main(["console", *sys.argv[1:]])


def invoke(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code.

    What went wrong is told on stderr; with --json a program finds it on stdout, too, as the last object.
    """
    words = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in words[: words.index("--") if "--" in words else None]
    try:
        outcome = mma.main(arguments, prog_name="mma", standalone_mode=False)
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else Exit.MET
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("Interrupted.")
        return Exit.INTERRUPTED
    except click.UsageError as error:
        if error.ctx is not None and not isinstance(error, click.NoSuchOption | click.BadParameter):
            _say(error.ctx.get_usage())
        _fail(error.format_message(), "", as_json)
        return Exit.USAGE
    except click.ClickException as error:
        _fail(error.format_message(), "", as_json)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output left (`mma … | head`): no complaint, and none at interpreter exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.NOT_MET
    except Exception as error:
        code = exit_code(error)
        if code is None:
            from console.logs import keep_traceback, log_file

            keep_traceback(error)
            what = f"{type(error).__name__}: {error}"
            remedy = f"Please report it with the end of {log_file()}."
            _fail(f"This is a bug in mma: {what}.", remedy, as_json)
            return Exit.NOT_MET
        from console.trouble import words as words_of

        _fail(*words_of(error), as_json)
        return code


def _fail(message: str, remedy: str, as_json: bool) -> None:
    _say(f"mma: {message} {remedy}".rstrip())
    if as_json:
        import json

        click.echo(json.dumps({"event": "error", "message": message, "remedy": remedy or None}))


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
