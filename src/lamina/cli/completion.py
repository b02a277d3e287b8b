"""`lamina completion`: the script by which a shell completes command lines."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from lamina.cli.command import Command

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    "completion",
    cls=Command,
    help="""Print the script by which a shell completes lamina's commands, options and images.
""",
    examples={
        'eval "$(lamina completion bash)"': "For this shell; or as a line of ~/.bashrc.",
        "lamina completion fish > ~/.config/fish/completions/lamina.fish": "For every fish.",
    },
    exit_codes={0: "the script is printed", 2: "wrong usage"},
)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> int:
    """Print the script."""
    completion = get_completion_class(shell)
    if completion is None:
        raise ValueError(f"click completes no {shell}")
    script = completion(context.find_root().command, {}, "lamina", "_LAMINA_COMPLETE")
    click.echo(script.source())
    return 0
