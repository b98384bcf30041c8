"""`mma completion`: the completion script of a shell."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL, for instance: eval "$(mma completion bash)"."""
    from click.shell_completion import get_completion_class

    from console.cli import mma

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(mma, {}, "mma", "_MMA_COMPLETE").source())
